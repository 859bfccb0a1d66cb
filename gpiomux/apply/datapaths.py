"""The processes that run links, as seen from the daemon: start one, ask it, stop it, learn how it ended.

Each listens on a socket of its own in the run directory and goes on without a daemon; the next daemon finds it there.
Every request uses a connection of its own, so whoever asks never waits for another.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpiomux.apply.fork_server import ForkServer
from gpiomux.apply.holder import holder_of
from gpiomux.apply.reports import PATIENCE_S, Report, ask_all, report_all
from gpiomux.control import packets
from gpiomux.errors import GpiomuxError, MachineError
from gpiomux.netdev.marks import limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpiomux.rundir import RunDir

ANSWER_S = 15.0
"""How long a process may take to answer."""
STOP_S = 5.0
"""How long a process may take to end after it was told to; then it is killed."""
MOST_ANSWERS = 64
"""With what a link has counted; more than 1024 children ever take."""
ENDS = 64
"""Of how many processes that have ended it is remembered how; a restart asks twice, within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running datapath. Whoever holds it closes `pidfd`."""

    link: str
    pid: int
    pidfd: int
    """Polls readable when the process has ended."""


class Datapaths:
    """All datapath processes of one run directory.

    *Threads and processes:* `ask`, `ask_counters`, `report`, `reports`, `counted`, `find` and `exit_words` may be
    called by any thread, also at once; the others by one thread. Processes that this object has started are children
    of its fork server; those it has found are not.
    """

    def __init__(self, rundir: RunDir, *, answer_s: float = ANSWER_S, fork_server: ForkServer | None = None) -> None:
        self._rundir = rundir
        self._answer_s = answer_s
        self._fork_server = fork_server or ForkServer()
        self._started: set[int] = set()
        """Process ids of those whose end nobody has asked for yet."""
        self._ends: dict[int, str] = {}
        """How the last of the others have ended, by process id: who ends a process and who watches it both ask."""
        self._asking = threading.Lock()

    def prepare(self) -> None:
        """Begin what makes the next `start` fast, without waiting for it.

        Raises:
            MachineError: the machine has no room for another process.
        """
        try:
            self._fork_server.start()
        except OSError as err:
            message = f"cannot start the fork server: {err.strerror}"
            raise MachineError(message, errno=err.errno or 0) from err

    def end_unused(self) -> None:
        """End what `prepare` began, if nothing runs that was started with it."""
        if not self._started:
            self._fork_server.close()

    def close(self) -> None:
        """Start nothing any more; what runs goes on."""
        self._fork_server.close()

    def reports(self, *, patience_s: float = PATIENCE_S) -> dict[str, Report]:
        """What all datapaths tell, by link; see `gpiomux.apply.reports`.

        Raises:
            MachineError: the run directory cannot be read.
        """
        return report_all(self._rundir, patience_s=patience_s)

    def counted(self, *, total: bool) -> dict[str, Report]:
        """What all datapaths have counted, by link: since they began, or since the last reset of each.

        Raises:
            MachineError: the run directory cannot be read.
        """
        message = {"do": "stats", "total": total}
        return {link: self._rest_of(link, message, it) for link, it in ask_all(self._rundir, message).items()}

    def ask_counters(self, link: str, message: dict[str, Any]) -> dict[str, Any]:
        """Ask one datapath for what it has counted, all interfaces with it: `stats` or `reset-stats`.

        Raises:
            MachineError: as `ask`.
        """
        return self._whole(link, message, self.ask(link, message))

    def ask(self, link: str, message: dict[str, Any], fds: Sequence[int] = ()) -> dict[str, Any]:
        """Ask one datapath and wait for the answer.

        Raises:
            MachineError: it is not running (ESRCH), went away (ECONNRESET), does not answer (ETIMEDOUT), or refuses
                in its own words (EPROTO).
        """
        with self._connect(link) as sock, _explained(link):
            return packets.ask(sock, message, fds)

    def report(self, link: str) -> dict[str, Any] | None:
        """What a datapath tells about itself and its link, or None if none is running.

        `marks_limits` is added: what its way to carry marks cannot do.

        A process that refuses has never been started, because the daemon that made it was killed: it runs nothing.

        Raises:
            MachineError: it does not answer.
        """
        try:
            report = self.ask(link, {"do": "report"})
        except MachineError as err:
            if err.errno in (errno.ESRCH, errno.ECONNRESET, errno.EPROTO):
                return None
            raise
        return {**report, "marks_limits": limits(report["marks_method"])}

    def find(self, link: str) -> Process | None:
        """The process that runs a link, or None if there is none.

        Raises:
            MachineError: it does not answer.
        """
        try:
            with self._connect(link) as sock:
                return self._process(link, sock)
        except MachineError as err:
            if err.errno == errno.ESRCH:
                return None
            pid = holder_of(self._rundir.datapath_socket(link))
            if pid is None:
                raise
            return _opened(link, pid)

    def start(self, link: str, message: dict[str, Any], fds: Sequence[int]) -> None:
        """Start the process of a link and hand it all it needs; `message` is its `start` request.

        A process that is there but runs nothing (see `report`) is ended first.

        Raises:
            MachineError: it did not start, or refused; nothing is left of it.
        """
        self._end(link)
        pid, connection = self._fork(link)
        with connection:
            try:
                with _explained(link):
                    packets.ask(connection, message, fds)
            except MachineError as err:
                self._kill(link, pid)
                words = self.exit_words(pid)
                self._rundir.datapath_socket(link).unlink(missing_ok=True)
                if err.errno != errno.ECONNRESET:
                    raise
                what = f"datapath of {link} ended while starting: {words}"
                raise MachineError(what, errno=errno.ECHILD, hint="see the log of gpiomuxd") from err

    def stop(self, link: str) -> None:
        """End the process of a link and wait for its end; one that has ended already is right too.

        Raises:
            MachineError: it can neither be told to end nor be killed.
        """
        self._end(link)
        self.end_unused()

    def exit_words(self, pid: int) -> str:
        """How a process that has ended did so; known for the last few of them."""
        with self._asking:
            if pid in self._started:
                self._started.discard(pid)
                self._ends[pid] = _in_words(self._fork_server.reap(pid))
                if len(self._ends) > ENDS:
                    del self._ends[next(iter(self._ends))]
            return self._ends.get(pid, "exit status unknown (started by an earlier gpiomuxd)")

    def _rest_of(self, link: str, message: dict[str, Any], answer: Report) -> Report:
        if not isinstance(answer, dict):
            return answer
        try:
            return self._whole(link, message, answer)
        except MachineError as err:
            return err

    def _whole(self, link: str, message: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request for counters with the interfaces that did not fit into it."""
        interfaces, first = dict(answer["interfaces"]), answer.get("next")
        for _ in range(MOST_ANSWERS):
            if first is None:
                return {**{name: value for name, value in answer.items() if name != "next"}, "interfaces": interfaces}
            more = self.ask(link, {**message, "first": first})
            interfaces |= more["interfaces"]
            first = more.get("next")
        hint = f"'gpiomux restart {link}' ends it and starts a new one"
        raise MachineError(f"datapath of {link} tells of interfaces without end", errno=errno.EPROTO, hint=hint)

    def _end(self, link: str) -> None:
        """End the process of a link, if there is one, and wait until it has ended."""
        process = self.find(link)
        if process is not None:
            try:
                with (
                    suppress(MachineError),
                    self._connect(link) as sock,
                    _explained(link),
                ):  # whatever it says, it has to go
                    sock.settimeout(min(self._answer_s, STOP_S))
                    packets.ask(sock, {"do": "stop"})
                self._await_end(process)
            finally:
                os.close(process.pidfd)
            self.exit_words(process.pid)
        self._rundir.datapath_socket(link).unlink(missing_ok=True)

    def _connect(self, link: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        sock.settimeout(self._answer_s)
        try:
            sock.connect(str(self._rundir.datapath_socket(link)))
        except OSError as err:
            sock.close()
            if isinstance(err, FileNotFoundError | ConnectionRefusedError):
                hint = f"'gpiomux status' says why; 'gpiomux restart {link}' starts it"
                raise MachineError(f"datapath of {link} is not running", errno=errno.ESRCH, hint=hint) from err
            raise _unreachable(link, err) from err
        return sock

    def _process(self, link: str, sock: socket.socket) -> Process | None:
        # The datapath itself has called listen(2), so the kernel knows its id, not ours (unix(7), SO_PEERCRED).
        size = struct.calcsize("3i")
        pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return _opened(link, pid)

    def _fork(self, link: str) -> tuple[int, socket.socket]:
        """A new process for a link, which listens or is about to: its id, and a connection to it."""
        path = self._rundir.datapath_socket(link)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.settimeout(self._answer_s)
            with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as listener:
                try:
                    listener.bind(str(path))
                    pid = self._fork_server.fork(link, listener.fileno(), theirs.fileno())
                except BaseException:
                    ours.close()
                    path.unlink(missing_ok=True)
                    raise
        except OSError as err:
            reason = err.strerror or str(err)  # a path that is too long has no errno
            raise MachineError(f"cannot start the datapath of {link}: {reason}", errno=err.errno or 0) from err
        except GpiomuxError as err:
            message = f"cannot start the datapath of {link}: {err.message}"
            raise MachineError(message, errno=errno.EPROTO, hint=err.hint) from err
        with self._asking:
            self._ends.pop(pid, None)
            self._started.add(pid)
        return pid, ours

    def _kill(self, link: str, pid: int) -> None:
        """End a process that has just been forked; nobody else has asked for its end, so the id is still its own."""
        with suppress(ProcessLookupError):  # the fork server has ended, and somebody else has asked
            pidfd = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                if not _ended(pidfd, STOP_S):
                    raise _endless(link, pid)
            finally:
                os.close(pidfd)

    def _await_end(self, process: Process) -> None:
        if not _ended(process.pidfd, STOP_S):
            try:
                signal.pidfd_send_signal(process.pidfd, signal.SIGKILL)
            except ProcessLookupError:
                return
            except OSError as err:
                raise _unreachable(process.link, err) from err
            if not _ended(process.pidfd, STOP_S):
                raise _endless(process.link, process.pid)


@contextmanager
def _explained(link: str) -> Iterator[None]:
    """What goes wrong while a datapath is talked to, as an error that names it."""
    try:
        yield
    except (EOFError, ConnectionError) as err:
        hint = f"the log of gpiomuxd says how it ended; 'gpiomux restart {link}' starts a new one"
        raise MachineError(f"datapath of {link} went away", errno=errno.ECONNRESET, hint=hint) from err
    except GpiomuxError as err:
        raise MachineError(f"datapath of {link}: {err.message}", errno=errno.EPROTO, hint=err.hint) from err
    except OSError as err:
        raise _unreachable(link, err) from err


def _endless(link: str, pid: int) -> MachineError:
    hint = f"the kernel holds it: 'cat /proc/{pid}/stack' and dmesg show where; try again when it has ended"
    return MachineError(f"datapath of {link} (process {pid}) does not end", errno=errno.EBUSY, hint=hint)


def _in_words(status: int | None) -> str:
    if status is None:
        return "exit status unknown (its fork server has ended, too)"
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def _opened(link: str, pid: int) -> Process | None:
    try:
        return Process(link=link, pid=pid, pidfd=os.pidfd_open(pid))
    except ProcessLookupError:
        return None
    except OSError as err:
        raise _unreachable(link, err) from err


def _ended(pidfd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _unreachable(link: str, err: OSError) -> MachineError:
    if isinstance(err, TimeoutError | BlockingIOError):  # the latter: so many wait that the kernel queues no more
        hint = f"'gpiomux restart {link}' ends it and starts a new one"
        return MachineError(f"datapath of {link} does not answer", errno=errno.ETIMEDOUT, hint=hint)
    reason = err.strerror or str(err)
    return MachineError(f"datapath of {link} cannot be reached: {reason}", errno=err.errno or 0)
