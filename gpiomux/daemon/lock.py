"""One daemon for each run directory: a lock that the kernel frees however its holder ends."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gpiomux.errors import DaemonError, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.rundir import RunDir

WAIT_S = 10.0
"""How long a daemon that is ending may take to free the lock."""
_PAUSE_S = 0.02


@contextmanager
def held(rundir: RunDir) -> Iterator[None]:
    """Make the run directory if need be and hold its lock in the block.

    Raises:
        DaemonError: another daemon holds it.
        MachineError: the directory or the file cannot be made.
    """
    give_up = time.monotonic() + WAIT_S
    while (fd := _try(rundir)) is None:
        if _answers(rundir) or time.monotonic() > give_up:
            raise DaemonError(
                f"another gpiomuxd runs on {rundir.root}", hint="use that one: gpiomux asks it; or end it first"
            )
        time.sleep(_PAUSE_S)
    try:
        yield
    finally:
        os.close(fd)


def _try(rundir: RunDir) -> int | None:
    try:
        rundir.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(rundir.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        # A daemon that is ending may remove the directory in the middle of our calls.
        if isinstance(err, FileNotFoundError) or (isinstance(err, FileExistsError) and not rundir.root.is_file()):
            return None
        hint = "gpiomuxd needs root" if isinstance(err, PermissionError) else ""
        raise MachineError(f"cannot lock {rundir.lock}: {err.strerror}", errno=err.errno or 0, hint=hint) from err
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A daemon removes the file before it ends: what we have locked may not be what the next one would lock.
        if os.path.samestat(os.fstat(fd), os.stat(rundir.lock)):
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def _answers(rundir: RunDir) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(str(rundir.control_socket))
        except OSError:
            return False
        return True
