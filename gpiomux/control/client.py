"""Asking gpiomuxd: over its socket, or where none runs through a process that answers one client and ends.

Blocking, and quick to import: a command is one process that asks once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import sys

from gpiomux.control.messages import (
    Failure,
    Progress,
    Reply,
    Request,
    decode_reply,
    encode_request,
)
from gpiomux.errors import DaemonError, ProtocolError
from gpiomux.rundir import VARIABLE

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import IO, Any

    from gpiomux.rundir import RunDir

    Step = dict[str, Any]
    """`done` of `total`, and the `operation` that begins."""

READY_VARIABLE = "GPIOMUX_READY_FD"
"""Number of the descriptor on which a daemon says `READY=1`, or in one line of JSON why it does not start."""
START_S = 60.0
"""How long a daemon may take to start."""
END_S = 10.0
"""How long a daemon that said it is ending may take to end."""
_WITHOUT_ROOT = (
    "become root; or for a trial: unshare --map-root-user --net --mount, and a directory of yours in GPIOMUX_RUN_DIR"
)
_TAIL_BYTES = 2000


class Client:
    """One connection to a daemon.

    *Threads and processes:* one thread. A client of `one_shot` owns the process that answers it; `close` ends it.
    """

    def __init__(self, sock: socket.socket, answerer: Answerer | None = None) -> None:
        self._sock = sock
        self._replies = sock.makefile("rb")
        self._answerer = answerer

    def ask(
        self, verb: str, args: Mapping[str, Any] | None = None, on_progress: Callable[[Step], None] | None = None
    ) -> dict[str, Any]:
        """Ask, and wait for the answer however long it takes.

        Args:
            verb: one of `gpiomux.control.messages.VERBS`.
            args: all arguments of the verb.
            on_progress: called for each step of a change before it begins.

        Raises:
            DaemonError: the daemon went away before it answered.
            GpiomuxError: what the daemon raised: same class, text and faults.
        """
        # A daemon that sends us away closes the connection while we write; what it has said can still be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(encode_request(Request(verb, args or {})))
        while isinstance(reply := self._next_reply(), Progress):
            if on_progress is not None:
                on_progress({"done": reply.done, "total": reply.total, "operation": reply.operation})
        if reply.ending:
            self._wait_for_end()
        if isinstance(reply, Failure):
            raise reply.error
        return dict(reply.result)

    def close(self) -> None:
        """Close the connection; a change that the daemon has begun goes on."""
        self._replies.close()
        self._sock.close()
        if self._answerer is not None:
            self._answerer.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_reply(self) -> Reply:
        try:
            line = self._replies.readline()
        except ConnectionResetError:
            line = b""
        except TimeoutError as err:
            raise DaemonError(
                "gpiomuxd does not answer", hint="see its log; a new one takes the links over when it is killed"
            ) from err
        if not line.endswith(b"\n"):
            last = "" if self._answerer is None else self._answerer.last_words()
            raise DaemonError("gpiomuxd went away before it answered" + (f": {last}" if last else ""))
        return decode_reply(line)

    def _wait_for_end(self) -> None:
        """Return when the daemon has ended, so that whoever asked finds nothing of it any more.

        Across a border of process namespaces it has no number (0); then the end of the connection has to do.
        """
        size = struct.calcsize("3i")
        pid, _, _ = struct.unpack("3i", self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        if pid == 0:
            self._sock.settimeout(END_S)
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                self._replies.read()
            return
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            pidfd = os.pidfd_open(pid)
            select.select([pidfd], [], [], END_S)
            os.close(pidfd)


class Answerer:
    """A process that answers one client and ends with the connection."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process = process
        self._log = log

    def last_words(self) -> str:
        """The last line that the process has logged."""
        self._process.wait()
        return _last_line(self._log)

    def close(self) -> None:
        """Wait for the end of the process; the connection to it is closed."""
        self._process.wait()
        self._log.close()


def connect(rundir: RunDir) -> Client:
    """Connect to the running daemon.

    Raises:
        DaemonError: none is running, or it is not for this user.
    """
    return connect_to(str(rundir.control_socket))


def connect_to(path: str, patience_s: float | None = None) -> Client:
    """Connect to the daemon that listens at a path; `patience_s`: how long it may take to answer, None for ever.

    Raises:
        DaemonError: as `connect`.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.settimeout(patience_s)
    try:
        sock.connect(path)
    except OSError as err:
        sock.close()
        if err.errno in (errno.ENOENT, errno.ECONNREFUSED):
            hint = "`gpiomux apply FILE` starts it"
            raise DaemonError("gpiomuxd is not running", hint=hint) from err
        hint = "become root, or a member of the group gpiomux" if err.errno == errno.EACCES else ""
        reason = err.strerror or str(err)  # a path that is too long has no errno
        raise DaemonError(f"cannot reach gpiomuxd at {path}: {reason}", hint=hint) from err
    return Client(sock)


def one_shot(rundir: RunDir) -> Client:
    """Start a process that answers reading verbs where no daemon runs; it takes no lock and changes nothing.

    Raises:
        DaemonError: the process cannot be started.
    """
    import subprocess  # late: most commands find a daemon, and this costs as much as all the rest of them

    ours, theirs = socket.socketpair()
    log = open(os.memfd_create("gpiomuxd"), "w+b")
    try:
        process = subprocess.Popen(
            _command("--answer", str(theirs.fileno())),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs.fileno(),),
            env={**os.environ, VARIABLE: str(rundir.root.absolute())},
        )
    except OSError as err:
        ours.close()
        log.close()
        raise DaemonError(f"cannot start gpiomuxd: {err.strerror}") from err
    finally:
        theirs.close()
    return Client(ours, Answerer(process, log))


def start_daemon(rundir: RunDir) -> None:
    """Start a daemon in the background that ends when nothing is left to do, and return when it answers.

    Raises:
        DaemonError: it did not start; says what its log says.
        GpiomuxError: it refused to start, and this is why.
    """
    ready, theirs = os.pipe2(os.O_CLOEXEC)
    with open(ready, "rb", buffering=0) as said:
        try:
            process = _spawn(rundir, theirs)
        except OSError as err:
            where = f"{err.filename}: " if err.filename else ""
            hint = _WITHOUT_ROOT if isinstance(err, PermissionError) else ""
            raise DaemonError(f"cannot start gpiomuxd: {where}{err.strerror}", hint=hint) from err
        finally:
            os.close(theirs)
        readable, _, _ = select.select([said], [], [], START_S)
        line = said.read(65536) if readable else b""
    if line == b"READY=1\n":
        process.returncode = 0  # it outlives us; Popen shall not complain that nobody waited for it
        return
    process.terminate()
    process.wait()
    with contextlib.suppress(DaemonError):
        connect(rundir).close()  # two of us started one at the same time, and the other was faster
        return
    raise _start_error(rundir, line)


def _spawn(rundir: RunDir, ready: int) -> subprocess.Popen[bytes]:
    import subprocess  # late, as in `one_shot`

    rundir.root.mkdir(mode=0o755, parents=True, exist_ok=True)
    log = os.open(rundir.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            _command("--exit-when-idle"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(ready,),
            env={**os.environ, VARIABLE: str(rundir.root.absolute()), READY_VARIABLE: str(ready)},
            start_new_session=True,
            cwd="/",
        )
    finally:
        os.close(log)


def _start_error(rundir: RunDir, line: bytes) -> Exception:
    """Why a daemon did not start; its log, which nobody else will look at, is taken away with the empty directory."""
    last = ""
    with contextlib.suppress(OSError):
        with open(rundir.log, "rb") as log:
            last = _last_line(log)
        rundir.log.unlink()
        rundir.root.rmdir()
    with contextlib.suppress(ProtocolError):
        reply = decode_reply(line)
        if isinstance(reply, Failure):
            return reply.error
    return DaemonError("gpiomuxd did not start" + (f": {last}" if last else ""))


def _command(*options: str) -> list[str]:
    # -P: neither the working directory nor that of a script may slip a module under a program that runs as root.
    return [sys.executable, "-P", "-m", "gpiomux.daemon", *options]


def _last_line(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
    lines = log.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
