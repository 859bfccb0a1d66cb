"""Ask all datapaths at once, with one patience for all of them together."""

from __future__ import annotations

import errno
import select
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from gpiomux.control import packets
from gpiomux.errors import GpiomuxError, MachineError
from gpiomux.netdev.marks import limits

if TYPE_CHECKING:
    from gpiomux.rundir import RunDir

PATIENCE_S = 3.0
"""Who has not answered after this time is silent."""

Report = dict[str, Any] | MachineError | None
"""What a datapath answers; an error if it does not (ETIMEDOUT); None if none runs, or one that was never told what to
run, because the daemon that made it was killed."""


def report_all(rundir: RunDir, *, patience_s: float = PATIENCE_S) -> dict[str, Report]:
    """What the datapaths of a run directory tell about themselves and their links, by link, sorted.

    `marks_limits` is added: what their way to carry marks cannot do.

    Raises:
        MachineError: the run directory cannot be read.
    """
    told = ask_all(rundir, {"do": "report"}, patience_s=patience_s)
    return {link: _with_limits(report) if isinstance(report, dict) else report for link, report in told.items()}


def ask_all(rundir: RunDir, message: packets.Message, *, patience_s: float = PATIENCE_S) -> dict[str, Report]:
    """What the datapaths of a run directory answer to one request, by link, sorted.

    Raises:
        MachineError: the run directory cannot be read.
    """
    with ExitStack() as stack:
        found: dict[str, Report] = {}
        waiting: dict[int, tuple[str, socket.socket]] = {}
        for link in _listening(rundir):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            stack.callback(sock.close)
            try:
                sock.connect(str(rundir.datapath_socket(link)))
                packets.send(sock, message)
                found[link] = _silent(link)
                waiting[sock.fileno()] = (link, sock)
            except (FileNotFoundError, ConnectionError):
                found[link] = None
            except BlockingIOError:  # so many have asked in vain that no more may queue
                found[link] = _silent(link)
            except OSError as err:
                what = f"datapath of {link} cannot be reached: {err.strerror or err}"
                found[link] = MachineError(what, errno=err.errno or 0)
        _collect(waiting, found, time.monotonic() + patience_s)
    return found


def _listening(rundir: RunDir) -> list[str]:
    try:
        return sorted(path.stem for path in rundir.links.iterdir() if path.suffix == ".sock")
    except FileNotFoundError:
        return []
    except OSError as err:
        hint = "this needs root" if err.errno == errno.EACCES else ""
        message = f"cannot read {rundir.links}: {err.strerror}"
        raise MachineError(message, errno=err.errno or 0, hint=hint) from err


def _collect(waiting: dict[int, tuple[str, socket.socket]], found: dict[str, Report], give_up_s: float) -> None:
    poll = select.poll()
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    while waiting and (left_s := give_up_s - time.monotonic()) > 0:
        for fd, _ in poll.poll(left_s * 1000):
            poll.unregister(fd)
            link, sock = waiting.pop(fd)
            found[link] = _answer(sock)


def _answer(sock: socket.socket) -> dict[str, Any] | None:
    try:
        return packets.answer(sock)
    except (EOFError, GpiomuxError, ConnectionError):
        return None


def _with_limits(report: dict[str, Any]) -> dict[str, Any]:
    return {**report, "marks_limits": limits(report["marks_method"])}


def _silent(link: str) -> MachineError:
    hint = f"'gpiomux restart {link}' ends it and starts a new one"
    return MachineError(f"datapath of {link} does not answer", errno=errno.ETIMEDOUT, hint=hint)
