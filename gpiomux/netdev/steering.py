"""Receive packet steering (RPS): a mask of CPUs to which the kernel hands packets that arrive on an interface.

With it a packet is looked at later, on another CPU, when the slot that holds its mark is another packet's (see
`gpiomux.netdev.bpf`), so it is switched off on interfaces of ours. Off is the default, but net.core.rps_default_mask,
udev rules and administrators change it. Documentation/networking/scaling.rst.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpiomux.netdev import syscalls

if TYPE_CHECKING:
    from collections.abc import Iterable

OFF = "0"
_MASK_BYTES = 4096


def masks_of(names: Iterable[str]) -> dict[str, str]:
    """Interfaces of the calling thread's network namespace that hand packets to other CPUs, with their masks.

    Raises:
        OSError: sysfs cannot be looked at.
    """
    sysfs = syscalls.open_sysfs()
    try:
        found = {name: _mask(sysfs, name) for name in names}
    finally:
        os.close(sysfs)
    return {name: mask for name, mask in found.items() if mask.strip("0,")}


def set_mask(name: str, mask: str) -> None:
    """Let an interface of the calling thread's network namespace hand packets to these CPUs; does nothing without RPS.

    Raises:
        OSError: the kernel refused.
    """
    sysfs = syscalls.open_sysfs()
    try:
        fd = os.open(_path(name), os.O_WRONLY | os.O_CLOEXEC, dir_fd=sysfs)
    except FileNotFoundError:
        return
    finally:
        os.close(sysfs)
    try:
        os.write(fd, mask.encode())
    finally:
        os.close(fd)


def _mask(sysfs: int, name: str) -> str:
    try:
        fd = os.open(_path(name), os.O_RDONLY | os.O_CLOEXEC, dir_fd=sysfs)
    except FileNotFoundError:  # a kernel without RPS, or the interface went this very moment
        return OFF
    try:
        return os.read(fd, _MASK_BYTES).decode().strip()
    finally:
        os.close(fd)


def _path(name: str) -> str:
    return f"class/net/{name}/queues/rx-0/rps_cpus"
