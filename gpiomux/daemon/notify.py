"""Telling whoever started the daemon how far it is: `gpiomux apply` through a pipe, systemd by sd_notify."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from gpiomux.control.client import READY_VARIABLE

SYSTEMD_VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE = "WATCHDOG_USEC"
WATCHDOG_PID_VARIABLE = "WATCHDOG_PID"

READY = b"READY=1"
STOPPING = b"STOPPING=1"
ALIVE = b"WATCHDOG=1"


class Starter:
    """Who started us.

    *Threads and processes:* one thread; owns the descriptor of the pipe.
    """

    def __init__(self) -> None:
        """Take what the environment says, so that no child inherits it."""
        number = os.environ.pop(READY_VARIABLE, "")
        self._pipe = int(number) if number.isdecimal() else None
        self._address = os.environ.pop(SYSTEMD_VARIABLE, "")
        self.watchdog_s = _watchdog_s()
        """How often the service manager wants to hear `alive`, at the least; None: not at all."""
        if self._pipe is not None:
            try:
                os.set_inheritable(self._pipe, False)
            except OSError:  # the variable was inherited, the descriptor was not
                self._pipe = None

    def ready(self) -> None:
        """Say that requests are answered now."""
        self._say_once(READY + b"\n")
        self._notify(READY)

    def alive(self) -> None:
        """Say that we are not stuck."""
        self._notify(ALIVE)

    def stopping(self) -> None:
        """Say that we are ending."""
        self._notify(STOPPING)

    def refused(self, line: bytes) -> None:
        """Say why we do not start, if nothing was said yet."""
        self._say_once(line)

    def _say_once(self, line: bytes) -> None:
        if self._pipe is not None:
            with suppress(BrokenPipeError), open(self._pipe, "wb", buffering=0) as pipe:
                pipe.write(line)
            self._pipe = None

    def _notify(self, message: bytes) -> None:
        """Send to systemd's socket, as sd_notify(3): the name may be abstract, spelt with `@` for the zero byte."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # A manager that has gone away is no reason for us to end.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.send(message)


def _watchdog_s() -> float | None:
    """As sd_watchdog_enabled(3): the variable may have been meant for another process."""
    microseconds = os.environ.pop(WATCHDOG_VARIABLE, "")
    pid = os.environ.pop(WATCHDOG_PID_VARIABLE, "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1e6
