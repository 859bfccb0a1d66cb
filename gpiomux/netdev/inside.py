"""Being inside another network namespace for a moment: one thread, not the whole process."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError
from gpiomux.netdev import syscalls

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORY = Path("/run/netns")
"""Where iproute2 keeps named network namespaces."""

THREAD_NETNS = "/proc/thread-self/ns/net"
"""The namespace the calling thread is in."""


@contextmanager
def returning() -> Iterator[None]:
    """Whatever happens inside, the calling thread is afterwards in the network namespace it came from.

    Raises:
        MachineError: the way back is barred; the thread must then not be used any more.
    """
    home = os.open(THREAD_NETNS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            yield
        finally:
            try:
                syscalls.setns(home, syscalls.CLONE_NEWNET)
            except OSError as err:
                raise MachineError(
                    f"cannot return to the network namespace: {err.strerror}", errno=err.errno or 0
                ) from err
    finally:
        os.close(home)


@contextmanager
def entered(name: str | None) -> Iterator[None]:
    """Within the `with` block the calling thread is in the named network namespace; None changes nothing.

    Sockets, /dev/net/tun and netlink belong to the namespace in which they are opened, and stay there.

    Raises:
        MachineError: there is no such namespace (ENOENT), or the kernel does not let us in (EPERM).
    """
    if name is None:
        yield
        return
    try:
        there = os.open(DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as err:
        raise MachineError(f"network namespace {name}: {err.strerror}", errno=err.errno or 0) from err
    with returning():
        try:
            syscalls.setns(there, syscalls.CLONE_NEWNET)
        except OSError as err:
            hint = (
                "entering a network namespace needs CAP_SYS_ADMIN in its user namespace"
                if err.errno == errno.EPERM
                else ""
            )
            message = f"cannot enter the network namespace {name}: {err.strerror}"
            raise MachineError(message, errno=err.errno or 0, hint=hint) from err
        finally:
            os.close(there)
        yield
