"""What tests do to processes of others."""

from __future__ import annotations

import os
import select
import signal


def kill(pid: int) -> None:
    """Kill a process, and wait until it has closed what it held."""
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        select.select([pidfd], [], [])
    finally:
        os.close(pidfd)
