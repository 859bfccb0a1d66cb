"""The files behind channels: made and removed with privilege, and opened for a datapath, which maps them.

A channel file may exist already, made by its other user or by a file system of a separation kernel; then it is taken
as it is. One that does not exist is made here and removed again. What tells them apart is a record in the run
directory, a directory named by device and inode of the file:

    /run/gpiomux/channels/<device>-<inode>/path    symbolic link to the channel file
                                           made    exists if we made the file
                                           bell    named pipe: a byte in it wakes whoever reads the channel
                                           taken   how far whoever reads it has come, see `gpiomux.channels.taken`

The record is there before a file that we made gets its name, so that a crash leaves no file without one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.channels.taken import TAKEN_BYTES
from gpiomux.errors import MachineError
from gpiomux.wire.elements import HEADER_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiomux.rundir import RunDir

FILE_MODE = 0o600
"""Of files that we make: a channel is between those whom root lets see it."""
_LONGEST_BYTES = 1 << 40
"""More than can be mapped anywhere that we run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRecord:
    """A channel that is in use here."""

    path: str
    size_bytes: int
    """Of the file; 0 if it is gone."""
    sound: bool
    """False: the file is gone, or another has taken its place."""


def make_channel(rundir: RunDir, path: str, size_bytes: int) -> None:
    """Take a channel into use; make its file, of `size_bytes`, if there is none.

    Raises:
        MachineError: the file cannot be made or cannot be a channel; nothing is left of it.
    """
    try:
        with _opened(path) as fd:
            if fd is not None:
                _record(rundir, path, fd, made=False)
                return
        _make(rundir, path, size_bytes)
    except MachineError:
        raise
    except OSError as err:
        raise _failure("use", path, err) from err


def remove_channel(rundir: RunDir, path: str) -> None:
    """Give a channel up; remove its file if we made it and it is still the same.

    Raises:
        MachineError: it cannot be removed.
    """
    try:
        for record in _records(rundir, path):
            if (record / "made").exists() and _is_of(record, path):
                os.unlink(path)
            shutil.rmtree(record)
    except OSError as err:
        raise _failure("remove", path, err) from err
    with contextlib.suppress(OSError):  # there are others, or none was ever there
        rundir.channels.rmdir()


def list_channels(rundir: RunDir) -> list[ChannelRecord]:
    """All channels in use, by path.

    Raises:
        MachineError: the records cannot be read.
    """
    try:
        found: dict[str, ChannelRecord] = {}
        for record in _all_records(rundir):
            path = os.readlink(record / "path")
            sound = _is_of(record, path) and path not in found
            found[path] = ChannelRecord(path=path, size_bytes=_size_bytes(path), sound=sound)
    except OSError as err:
        raise _failure("list", str(rundir.channels), err) from err
    return sorted(found.values(), key=lambda record: record.path)


def open_channels(rundir: RunDir, out: str, into: str) -> list[int]:
    """Open the channels of a link for its datapath: the file to write, the file to read, the bell of each, and how far
    the reader of each has come.

    Raises:
        MachineError: a channel is not there or cannot be opened; nothing is open.
    """
    opened: list[int] = []
    try:
        for path, flags in ((out, os.O_RDWR), (into, os.O_RDONLY)):
            opened.append(_open(path, flags))
        records = [_record_of(rundir, fd) for fd in opened]
        for record in records:
            # For reading and writing: a pipe opened so never blocks, and never reports that its other end is closed.
            opened.append(os.open(record / "bell", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))
        for record, flags in zip(records, (os.O_RDONLY, os.O_RDWR), strict=True):
            opened.append(os.open(record / "taken", flags | os.O_CLOEXEC))
    except OSError as err:
        for fd in opened:
            os.close(fd)
        if isinstance(err, MachineError):
            raise
        raise _failure("open", f"{out} and {into}", err) from err
    return opened


def _make(rundir: RunDir, path: str, size_bytes: int) -> None:
    """Make the file without a name, write its record, then name it: in this order nothing can be lost track of."""
    directory = os.path.dirname(path)
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
    try:
        os.posix_fallocate(fd, 0, size_bytes)  # now, and not by SIGBUS when the file system is full
        record = _record(rundir, path, fd, made=True)
        try:
            # Naming a directory, which an absolute path makes nothing of, has Python call linkat(2), which can follow.
            os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
        except OSError:
            shutil.rmtree(record)
            raise
    finally:
        os.close(fd)


def _record(rundir: RunDir, path: str, fd: int, *, made: bool) -> Path:
    record = _record_of(rundir, fd)
    draft = record.with_suffix(".new")
    if draft.exists():  # of a process that was killed
        shutil.rmtree(draft)
    draft.mkdir(parents=True, mode=0o700)
    os.symlink(path, draft / "path")
    os.mkfifo(draft / "bell", 0o600)
    (draft / "taken").write_bytes(bytes(TAKEN_BYTES))
    if made:
        (draft / "made").touch()
    if record.exists():  # the inode of a file that is gone was used again
        shutil.rmtree(record)
    draft.rename(record)
    return record


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int | None]:
    """A channel file, opened for a look; None if there is none."""
    try:
        fd = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _open(path: str, flags: int) -> int:
    """Open a channel file, and nothing else: a device, such as /dev/watchdog, may do something when it is opened."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _require_channel(path, place)
        return os.open(f"/proc/self/fd/{place}", flags | os.O_CLOEXEC)
    finally:
        os.close(place)


def _require_channel(path: str, fd: int) -> None:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise MachineError(
            f"channel {path} is not a regular file", errno=errno.EINVAL, hint="name a file, for example in /dev/shm"
        )
    if not HEADER_BYTES < status.st_size < _LONGEST_BYTES:
        message = f"channel {path} is {status.st_size} bytes long, and its header alone takes {HEADER_BYTES}"
        raise MachineError(message, errno=errno.EINVAL, hint="remove the file, and `gpiomux apply` makes it anew")


def _record_of(rundir: RunDir, fd: int) -> Path:
    status = os.fstat(fd)
    return rundir.channels / f"{status.st_dev:x}-{status.st_ino}"


def _all_records(rundir: RunDir) -> list[Path]:
    try:
        return sorted(record for record in rundir.channels.iterdir() if record.suffix != ".new")
    except FileNotFoundError:
        return []


def _records(rundir: RunDir, path: str) -> list[Path]:
    return [record for record in _all_records(rundir) if os.readlink(record / "path") == path]


def _is_of(record: Path, path: str) -> bool:
    """Whether the file at `path` is the one that a record is about."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return record.name == f"{status.st_dev:x}-{status.st_ino}"


def _size_bytes(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _failure(verb: str, what: str, err: OSError) -> MachineError:
    hint = "its directory must exist, and allow files without a name (O_TMPFILE), as tmpfs and ext4 do"
    return MachineError(
        f"cannot {verb} channel {what}: {err.strerror}", errno=err.errno or 0, hint=hint if verb == "use" else ""
    )
