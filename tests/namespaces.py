"""Namespaces for tests, demo and benchmark: everything they make stays inside, and goes away with them.

`enter_private` moves the calling process into a network and a mount namespace of its own; an ordinary user gets a
user namespace around them, in which it is root. From then on the machine's interfaces are out of reach, `/run` is an
empty tmpfs, and `ip netns`, TUN and TAP, iptables and nft work as for root. `fresh_network` gives a test an empty
network of its own inside that.

Python 3.11 has no os.unshare and no os.setns, hence ctypes. Only the standard library is used: the demo runs this on
a machine that has nothing else yet.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/sched.h
CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNET = 0x4000_0000
# linux/mount.h
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
# linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
# linux/sockios.h, linux/if.h
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
IFNAMSIZ = 16
# linux/if_tun.h
TUNSETIFF = 0x4004_54CA
IFF_TUN = 1

TUN_DEVICE = Path("/dev/net/tun")
NETNS_DIRECTORY = Path("/run/netns")

_libc = ctypes.CDLL(None, use_errno=True)


class NamespaceError(OSError):
    """This machine does not let the caller make namespaces; the text says what and why."""


def enter_private() -> None:
    """Move this process into private namespaces: network and mount, and for an ordinary user a user namespace.

    The process must have one thread only (the kernel refuses CLONE_NEWUSER otherwise). There is no way back.

    Raises:
        NamespaceError: the kernel refuses.
    """
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET | CLONE_NEWNS
    if uid != 0:
        flags |= CLONE_NEWUSER
    _call("unshare", _libc.unshare(flags))
    if uid != 0:
        # user_namespaces(7): setgroups must be denied before an unprivileged process may write gid_map.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    # Nothing that is mounted from here on may show on the machine.
    _call("mount --make-rprivate /", _libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    _call("mount tmpfs on /run", _libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=0755"))
    loopback_up()


def has_other_users() -> bool:
    """Whether a file can be given to another user: an ordinary user's private world has one user only."""
    ranges = Path("/proc/self/uid_map").read_text().splitlines()
    return os.geteuid() == 0 and sum(int(line.split()[2]) for line in ranges) > 1


def reap_orphans() -> None:
    """Make this process the parent of every descendant that loses its own, so that a daemon cannot slip away.

    Raises:
        NamespaceError: the kernel refuses.
    """
    _call("prctl", _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


@contextlib.contextmanager
def fresh_network() -> Iterator[None]:
    """Inside the block this thread, and every process it starts, is in a new network namespace with `lo` up.

    Raises:
        NamespaceError: the kernel refuses.
    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", _libc.unshare(CLONE_NEWNET))
        try:
            loopback_up()
            yield
        finally:
            _call("setns", _libc.setns(before, CLONE_NEWNET))
    finally:
        os.close(before)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Inside the block this thread is in the network namespace that `ip netns` calls `name`.

    A socket that is made there stays there, also after the block.

    Raises:
        NamespaceError: the kernel refuses.
        FileNotFoundError: there is no such namespace.
    """
    target = os.open(NETNS_DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", _libc.setns(target, CLONE_NEWNET))
        try:
            yield
        finally:
            _call("setns", _libc.setns(before, CLONE_NEWNET))
    finally:
        os.close(target)
        os.close(before)


def loopback_up() -> None:
    """Bring `lo` of this network namespace up.

    Raises:
        OSError: the caller has no CAP_NET_ADMIN here.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        request = bytearray(struct.pack(f"{IFNAMSIZ}sH14x", b"lo", 0))
        fcntl.ioctl(sock, SIOCGIFFLAGS, request)
        flags = struct.unpack_from("H", request, IFNAMSIZ)[0] | IFF_UP
        struct.pack_into("H", request, IFNAMSIZ, flags)
        fcntl.ioctl(sock, SIOCSIFFLAGS, request)


def tun_refusal() -> str:
    """Why this process cannot make a TUN device, as one sentence that says what to do; empty if it can.

    Ask inside private namespaces: a device that is made for the trial disappears with its descriptor.
    """
    try:
        fd = os.open(TUN_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return f"{TUN_DEVICE} is missing: load the module (modprobe tun), or in a container pass the device in"
    except PermissionError:
        return f"{TUN_DEVICE} is closed to this user: sudo chmod 0666 {TUN_DEVICE} (what udev sets), or run as root"
    except OSError as err:
        return f"{TUN_DEVICE} cannot be opened: {err.strerror}; load the module (modprobe tun)"
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"", IFF_TUN))
    except OSError as err:
        return f"the kernel makes no TUN device here: {err.strerror}"
    finally:
        os.close(fd)
    return ""


def unmount(path: Path) -> None:
    """Detach what is mounted on `path`, if anything is.

    Raises:
        NamespaceError: the kernel refuses.
    """
    result = _libc.umount2(os.fsencode(path), MNT_DETACH)
    if result != 0 and ctypes.get_errno() != errno.EINVAL:  # EINVAL: it is no mount point
        _call(f"umount {path}", result)


def interfaces() -> set[str]:
    """Names of the interfaces in this thread's network namespace."""
    return {name for _, name in socket.if_nameindex()}


def network_names() -> set[str]:
    """Names of the network namespaces that `ip netns` would list."""
    try:
        return set(os.listdir(NETNS_DIRECTORY))
    except FileNotFoundError:
        return set()


def child_processes() -> dict[int, str]:
    """Living children of this process, all its threads taken together: process id and command line."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        words: list[str] = []
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            words = (task / "children").read_text().split()
        for word in words:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state = Path(f"/proc/{word}/stat").read_text().rpartition(")")[2].split()[0]
                command = Path(f"/proc/{word}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if state != "Z":
                    found[int(word)] = command.strip()
    return found


def _call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise NamespaceError(number, f"{what}: {os.strerror(number)}")
