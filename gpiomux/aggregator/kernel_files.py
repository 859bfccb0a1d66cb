"""Writing into files of the kernel, without ever waiting for it longer than told; and the lock around all of it."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 5.0
"""How long the kernel may take. Removing a chip takes it milliseconds, or until a reader of its lines wakes up."""

_WRITER = """
import os, sys
try:
    fd = os.open(sys.argv[1], os.O_WRONLY)
    os.write(fd, sys.argv[2].encode())
except OSError as err:
    sys.exit(err.errno)
"""

_stuck: list[subprocess.Popen[bytes]] = []
"""Writers that the kernel has not let go yet."""


def write(path: Path, text: str) -> None:
    """Write into a file of the kernel that answers at once; one write(2), for each is a request of its own.

    Raises:
        MachineError: the kernel refuses.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as err:
        raise refused(path, err.errno or 0) from err


def write_patiently(path: Path, text: str, lock: int, patience_s: float = PATIENCE_S) -> None:
    """Write into a file of the kernel that may not answer.

    The write is done by a process of its own: the kernel does not let go of a writer that waits for a chip to become
    free, whatever signal comes. That process keeps the lock as long as it waits.

    Args:
        path: of the file.
        text: what to write.
        lock: descriptor from `locked`.
        patience_s: how long to wait.

    Raises:
        MachineError: the kernel refuses; ETIMEDOUT: it has not answered yet, and goes on.
    """
    _stuck[:] = [process for process in _stuck if process.poll() is None]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WRITER, str(path), text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={},
        pass_fds=(lock,),
    )
    try:
        number = process.wait(patience_s)
    except subprocess.TimeoutExpired as err:
        _stuck.append(process)
        raise refused(path, errno.ETIMEDOUT) from err
    if number:
        raise refused(path, number)


def refused(path: Path, number: int) -> MachineError:
    """The error for a refusal."""
    hint = "this needs root" if number in (errno.EACCES, errno.EPERM) else ""
    return MachineError(f"cannot write {path}: {os.strerror(number)}", errno=number, hint=hint)


@contextmanager
def locked(directory: Path, patience_s: float = PATIENCE_S) -> Iterator[int]:
    """Hold the lock of everyone who makes or removes chips: a flock(2) on the directory of the driver.

    Raises:
        MachineError: another one holds it for too long; the descriptor of the lock is what the block is given.
    """
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as err:
        raise MachineError(f"cannot open {directory}: {err.strerror}", errno=err.errno or 0) from err
    try:
        give_up_s = time.monotonic() + patience_s
        while not _try_lock(fd):
            if time.monotonic() > give_up_s:
                hint = "a removal waits for whoever reads lines of that chip; `gpiomux chips` shows who has which"
                raise MachineError(
                    "gpio-aggregator: another chip is being made or removed, and that does not end",
                    errno=errno.EBUSY,
                    hint=hint,
                )
            time.sleep(0.02)
        yield fd
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
