"""Named network namespaces as `ip netns` knows them: a bind mount each below /run/netns.

`entered` is defined in `gpiomux.netdev.inside`, because `rtnl` needs it and this module needs `rtnl`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gpiomux.errors import ConflictError, MachineError
from gpiomux.netdev import syscalls
from gpiomux.netdev.inside import DIRECTORY, THREAD_NETNS, entered, returning
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tags import netns_tag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["create", "entered", "is_ours", "names", "remove"]


def create(name: str, owner: str = "") -> None:
    """Make a namespace as `ip netns add` does, and tag it as ours; `owner` is `RunDir.owner`.

    It is tagged before it gets its name: who is killed here leaves none, or one of ours.

    Raises:
        ConflictError: a namespace of that name exists.
        MachineError: the kernel refused; nothing is left behind.
    """
    path = DIRECTORY / name
    with _refusals(name, "make"), _locked_directory():
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
        except FileExistsError as err:
            if not _was_left(path):
                hint = "remove it with: ip netns del " + name
                raise ConflictError(f"network namespace {name} exists already", hint=hint) from err
        try:
            with returning():
                syscalls.unshare(syscalls.CLONE_NEWNET)
                with Rtnl(None) as rtnl:
                    rtnl.set_alias("lo", netns_tag(owner))
                syscalls.mount(THREAD_NETNS, str(path), syscalls.MS_BIND)
        except BaseException:
            _delete(name)
            raise


def remove(name: str, owner: str = "") -> None:
    """Take a namespace of ours away as `ip netns del` does; what still uses it keeps it alive, nameless.

    Raises:
        ConflictError: it is not ours.
        MachineError: there is none of that name (ENOENT), or the kernel refused.
    """
    with _refusals(name, "remove"):
        os.stat(DIRECTORY / name)
        if not is_ours(name, owner):
            hint = f"gpiomux leaves it alone; if nobody needs it: ip netns del {name}"
            raise ConflictError(f"network namespace {name} was not made by gpiomux", hint=hint)
        _delete(name)


def names() -> list[str]:
    """All named network namespaces, ours or not, sorted."""
    try:
        return sorted(os.listdir(DIRECTORY))
    except FileNotFoundError:
        return []


def is_ours(name: str, owner: str = "") -> bool:
    """Whether the namespace exists and carries our tag.

    Raises:
        MachineError: it cannot be entered for another reason than not being one.
    """
    try:
        with Rtnl(name) as rtnl:
            return any(link.name == "lo" and link.alias == netns_tag(owner) for link in rtnl.links())
    except MachineError as err:
        # EINVAL: a plain file in the directory, for example what a kill in the middle of `ip netns add` left.
        if err.errno in (errno.ENOENT, errno.EINVAL):
            return False
        raise


def _was_left(path: Path) -> bool:
    """Whether this is what somebody left who was killed before a namespace got its name; asked under the lock."""
    about = path.stat()
    return stat.S_ISREG(about.st_mode) and (stat.S_IMODE(about.st_mode), about.st_size) == (0, 0)


def _delete(name: str) -> None:
    path = DIRECTORY / name
    with suppress(OSError):  # not mounted: iproute2 goes on to the unlink, too
        syscalls.unmount(str(path), syscalls.MNT_DETACH)
    os.unlink(path)


@contextmanager
def _locked_directory() -> Iterator[None]:
    """Make /run/netns a shared mount as iproute2 does, under the lock that iproute2 takes.

    Shared, so that a namespace removed here is not kept alive by copies of the mount in other mount namespaces.
    """
    DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    directory = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        place = str(DIRECTORY)
        try:
            syscalls.mount("", place, syscalls.MS_SHARED | syscalls.MS_REC)
        except OSError as err:
            if err.errno != errno.EINVAL:  # EINVAL: not a mount point yet
                raise
            syscalls.mount(place, place, syscalls.MS_BIND | syscalls.MS_REC)
            syscalls.mount("", place, syscalls.MS_SHARED | syscalls.MS_REC)
        yield
    finally:
        os.close(directory)


@contextmanager
def _refusals(name: str, verb: str) -> Iterator[None]:
    try:
        yield
    except MachineError:
        raise
    except OSError as err:
        not_allowed = err.errno in (errno.EPERM, errno.EACCES, errno.EROFS)
        hint = "this needs root, or a user namespace with a writable /run" if not_allowed else ""
        message = f"cannot {verb} the network namespace {name}: {err.strerror}"
        raise MachineError(message, errno=err.errno or 0, hint=hint) from err
