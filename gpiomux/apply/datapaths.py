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
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpiomux.apply.holder import holder_of
from gpiomux.apply.reports import PATIENCE_S, Report, report_all
from gpiomux.control import packets
from gpiomux.errors import GpiomuxError, MachineError
from gpiomux.netdev.marks import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpiomux.rundir import RunDir

START_S = 60.0
"""How long a process may take until it listens; on a loaded board Python itself takes seconds."""
ANSWER_S = 15.0
"""How long a process may take to answer."""
STOP_S = 5.0
"""How long a process may take to end after it was told to; then it is killed."""

_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""All that a datapath inherits: what finds Python and its modules, and the language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running datapath. Whoever holds it closes `pidfd`."""

    link: str
    pid: int
    pidfd: int
    """Polls readable when the process has ended."""


class Datapaths:
    """All datapath processes of one run directory.

    *Threads and processes:* `ask`, `report`, `reports` and `find` may be called by any thread, also at once; `start`
    and `stop` by one thread. Processes that this object has started are its children, those it has found are not.
    """

    def __init__(self, rundir: RunDir, *, answer_s: float = ANSWER_S) -> None:
        self._rundir = rundir
        self._answer_s = answer_s
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def reports(self, *, patience_s: float = PATIENCE_S) -> dict[str, Report]:
        """What all datapaths tell, by link; see `gpiomux.apply.reports`.

        Raises:
            MachineError: the run directory cannot be read.
        """
        return report_all(self._rundir, patience_s=patience_s)

    def ask(self, link: str, message: dict[str, Any], fds: Sequence[int] = ()) -> dict[str, Any]:
        """Ask one datapath and wait for the answer.

        Raises:
            MachineError: it is not running (ESRCH), went away (ECONNRESET), does not answer (ETIMEDOUT), or refuses
                in its own words (EPROTO).
        """
        with self._connect(link) as sock:
            return self._asked(link, sock, message, fds)

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
        self.stop(link)
        process = self._spawn(link)
        self._children[process.pid] = process
        try:
            with self._first_connection(link, process) as sock:
                self._asked(link, sock, message, fds)
        except MachineError:
            process.kill()
            self.exit_words(process.pid)
            self._rundir.datapath_socket(link).unlink(missing_ok=True)
            raise

    def stop(self, link: str) -> None:
        """End the process of a link and wait for its end; one that has ended already is right too.

        Raises:
            MachineError: it can neither be told to end nor be killed.
        """
        process = self.find(link)
        if process is not None:
            try:
                with suppress(MachineError), self._connect(link) as sock:  # whatever it says, it has to go
                    sock.settimeout(min(self._answer_s, STOP_S))
                    self._asked(link, sock, {"do": "stop"})
                self._await_end(process)
            finally:
                os.close(process.pidfd)
            self.exit_words(process.pid)
        self._rundir.datapath_socket(link).unlink(missing_ok=True)

    def exit_words(self, pid: int) -> str:
        """How a process that has ended did so. It is forgotten afterwards."""
        process = self._children.pop(pid, None)
        if process is None:
            return "ended, exit status unknown (started by an earlier gpiomuxd)"
        status = process.wait()
        if status >= 0:
            return f"exit status {status}"
        return f"killed by {signal.Signals(-status).name}"

    def _connect(self, link: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        sock.settimeout(self._answer_s)
        try:
            sock.connect(str(self._rundir.datapath_socket(link)))
        except OSError as err:
            sock.close()
            if isinstance(err, FileNotFoundError | ConnectionRefusedError):
                raise MachineError(f"datapath of {link} is not running", errno=errno.ESRCH) from err
            raise _unreachable(link, err) from err
        return sock

    def _asked(
        self, link: str, sock: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()
    ) -> dict[str, Any]:
        try:
            return packets.ask(sock, message, fds)
        except EOFError as err:
            raise MachineError(f"datapath of {link} went away", errno=errno.ECONNRESET) from err
        except GpiomuxError as err:
            raise MachineError(f"datapath of {link}: {err.message}", errno=errno.EPROTO, hint=err.hint) from err
        except OSError as err:
            raise _unreachable(link, err) from err

    def _process(self, link: str, sock: socket.socket) -> Process | None:
        # The datapath itself has called listen(2), so the kernel knows its id, not ours (unix(7), SO_PEERCRED).
        size = struct.calcsize("3i")
        pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return _opened(link, pid)

    def _spawn(self, link: str) -> subprocess.Popen[bytes]:
        path = self._rundir.datapath_socket(link)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as sock:
                sock.bind(str(path))
                return _popen(sock.fileno())
        except OSError as err:
            reason = err.strerror or str(err)  # a path that is too long has no errno
            raise MachineError(f"cannot start the datapath of {link}: {reason}", errno=err.errno or 0) from err

    def _first_connection(self, link: str, process: subprocess.Popen[bytes]) -> socket.socket:
        """Connect to a process that is starting, as soon as it listens."""
        give_up = time.monotonic() + START_S
        pause_s = 0.002
        while True:
            ended = process.poll() is not None
            try:
                return self._connect(link)
            except MachineError as err:
                if err.errno != errno.ESRCH:
                    raise
                if ended:
                    message = f"datapath of {link} ended while starting: {self.exit_words(process.pid)}"
                    raise MachineError(message, errno=errno.ECHILD, hint="see the log of gpiomuxd") from err
                if time.monotonic() > give_up:
                    raise _unreachable(link, TimeoutError()) from err
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.05)

    def _await_end(self, process: Process) -> None:
        if not _ended(process.pidfd, STOP_S):
            try:
                signal.pidfd_send_signal(process.pidfd, signal.SIGKILL)
            except ProcessLookupError:
                return
            except OSError as err:
                raise _unreachable(process.link, err) from err
            if not _ended(process.pidfd, STOP_S):
                message = f"datapath of {process.link} (process {process.pid}) does not end"
                raise MachineError(message, errno=errno.EBUSY)


def _popen(listener: int) -> subprocess.Popen[bytes]:
    # -P: neither the working directory nor that of a script may slip a module under a program that runs as root.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "gpiomux.datapath", str(listener)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(listener,),
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,
        cwd="/",
    )


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
