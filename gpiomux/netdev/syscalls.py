"""System calls that Python 3.11 does not offer: namespaces, mounts, bpf(2). All ctypes of this room, but for libbpf.

Each function raises OSError with the kernel's errno; its callers know the object and make a MachineError of it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SHARED = 1 << 20
MNT_DETACH = 2

# Since Linux 5.2 new system calls have one number on all architectures.
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSCONFIG_CMD_CREATE = 6
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_MOUNT_ATTR_NOSUID_NODEV_NOEXEC = 2 | 4 | 8

# bpf(2) is older and has a number per architecture (asm/unistd.h); the process counts, not the kernel: a 32-bit
# userland on a 64-bit kernel (Raspberry Pi OS) has the numbers of the 32-bit architecture.
_BPF_NUMBERS = {
    ("x86_64", 64): 321,
    ("x86_64", 32): 357,
    ("i686", 32): 357,
    ("aarch64", 64): 280,
    ("aarch64", 32): 386,
    ("armv8l", 32): 386,
    ("armv7l", 32): 386,
    ("armv6l", 32): 386,
    ("riscv64", 64): 280,
    ("loongarch64", 64): 280,
    ("ppc64le", 64): 361,
    ("s390x", 64): 351,
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace behind `fd`, see setns(2).

    Raises:
        OSError: the kernel refused.
    """
    _checked(_libc.setns(fd, kind))


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own, see unshare(2).

    Raises:
        OSError: the kernel refused.
    """
    _checked(_libc.unshare(flags))


def mount(source: str, target: str, flags: int) -> None:
    """Bind a path or change how a mount propagates, see mount(2).

    Raises:
        OSError: the kernel refused.
    """
    _checked(_libc.mount(source.encode(), target.encode(), b"none", ctypes.c_ulong(flags), None))


def unmount(target: str, flags: int) -> None:
    """Take a mount off, see umount2(2).

    Raises:
        OSError: the kernel refused.
    """
    _checked(_libc.umount2(target.encode(), flags))


def open_sysfs() -> int:
    """A directory descriptor of a sysfs that shows the network namespace the calling thread is in.

    /sys shows the namespace of whoever mounted it; this one is mounted nowhere and goes away with the descriptor.

    Raises:
        OSError: the kernel refused, or is older than 5.2 (ENOSYS).
    """
    return _open_unmounted(b"sysfs")


def open_configfs() -> int:
    """A directory descriptor of configfs, of which there is one, whether it is mounted anywhere or not.

    Raises:
        OSError: the kernel refused, has none (ENODEV), or is older than 5.2 (ENOSYS).
    """
    return _open_unmounted(b"configfs")


def _open_unmounted(kind: bytes) -> int:
    context = _checked(_libc.syscall(ctypes.c_long(_FSOPEN), kind, _FSOPEN_CLOEXEC))
    try:
        _checked(_libc.syscall(ctypes.c_long(_FSCONFIG), context, _FSCONFIG_CMD_CREATE, None, None, 0))
        flags = _MOUNT_ATTR_NOSUID_NODEV_NOEXEC
        return _checked(_libc.syscall(ctypes.c_long(_FSMOUNT), context, _FSMOUNT_CLOEXEC, flags))
    finally:
        os.close(context)


def bpf(command: int, attributes: bytes) -> int:
    """Call bpf(2); buffers that the attributes point to must outlive the call.

    Raises:
        OSError: the kernel refused; ENOSYS also where the number of the call is not known for this machine.
    """
    bits = 64 if sys.maxsize > 2**32 else 32
    number = _BPF_NUMBERS.get((platform.machine(), bits))
    if number is None:
        raise OSError(errno.ENOSYS, f"bpf(2) has no known number on {platform.machine()}")
    return _checked(_libc.syscall(ctypes.c_long(number), command, attributes, len(attributes)))


class Buffer:
    """Bytes at an address that does not change, for the pointers inside bpf(2)'s attributes."""

    def __init__(self, content: bytes) -> None:
        self._memory = ctypes.create_string_buffer(content, max(1, len(content)))
        self.address = ctypes.addressof(self._memory)

    def text(self) -> str:
        """The content up to the first zero byte."""
        return self._memory.value.decode(errors="replace")

    def __bytes__(self) -> bytes:
        return self._memory.raw
