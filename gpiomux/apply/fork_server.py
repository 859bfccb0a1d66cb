"""The fork server as seen from the daemon: started when it is needed, asked to fork, ended when nothing is left.

It is a child of the daemon and ends with it. The daemon cannot fork datapaths itself: it has threads, and far more in
memory than a datapath needs.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gpiomux.control import packets
from gpiomux.errors import GpiomuxError, MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

START_S = 60.0
"""How long the first answer may take: until Python has started, which takes seconds on a loaded board."""
ANSWER_S = 15.0
"""How long any other may take."""
END_S = 5.0
"""How long it may take to end after its socket was closed; then it is killed."""

_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""All that a datapath inherits: what finds Python and its modules, and the language."""

# -P: neither the working directory nor that of a script may slip a module under a program that runs as root.
COMMAND = (sys.executable, "-P", "-m", "gpiomux.datapath")
"""What the socket's number is added to."""


class ForkServer:
    """At most one process at a time; if it died, the next request starts another.

    *Threads and processes:* any thread, one request at a time.
    """

    def __init__(self, command: Sequence[str] = COMMAND, *, answer_s: float = ANSWER_S) -> None:
        """Start nothing yet."""
        self._command = command
        self._answer_s = answer_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None

    def start(self) -> None:
        """Start it if it does not run, without waiting until it answers.

        Raises:
            OSError: there is no memory or no process to be had.
        """
        with self._lock:
            self._start()

    def fork(self, link: str, listener: int, connection: int) -> int:
        """A new process for a link; its id.

        Args:
            link: name for ps(1).
            listener: bound socket, which the process will listen on.
            connection: the process has it as its first connection, and takes requests from it at once.

        Raises:
            OSError: there is no process to be had.
            GpiomuxError: it could not be forked, or the fork server does not answer.
        """
        request = {"do": "fork", "link": link}
        with self._lock:
            self._start()
            try:
                answer = self._ask(request, (listener, connection))
            except (EOFError, ConnectionError):  # it has died since
                self._start()
                try:
                    answer = self._ask(request, (listener, connection))
                except (EOFError, ConnectionError) as err:
                    message = "the fork server ends at once"
                    raise MachineError(message, errno=errno.ECHILD, hint="see the log of gpiomuxd") from err
        return int(answer["pid"])

    def reap(self, pid: int) -> int | None:
        """Exit status of a process that has ended, minus the number of the signal that killed it.

        Returns:
            None if nobody can know it, because the fork server has died, or is another one than that which forked it.
        """
        with self._lock:
            if self._sock is None:
                return None
            try:
                status = self._ask({"do": "reap", "pid": pid}, ())["status"]
            except (EOFError, OSError, GpiomuxError):
                return None
        return None if status is None else int(status)

    def close(self) -> None:
        """End it; the processes that it has forked go on."""
        with self._lock:
            self._close()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(START_S)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*self._command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                    start_new_session=True,
                    cwd="/",
                )
            except OSError:
                ours.close()
                raise
        self._sock = ours

    def _ask(self, request: dict[str, Any], fds: Sequence[int]) -> dict[str, Any]:
        assert self._sock is not None
        try:
            answer = packets.ask(self._sock, request, fds)
        except TimeoutError as err:
            self._close()  # what it says after all would be taken for the answer to the next request
            raise MachineError("the fork server does not answer", errno=errno.ETIMEDOUT, hint="try again") from err
        except (EOFError, OSError):
            self._close()
            raise
        self._sock.settimeout(self._answer_s)
        return answer

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
            self._process.kill()
            self._process.wait()
            self._process = None
