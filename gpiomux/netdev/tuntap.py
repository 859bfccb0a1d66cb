"""TUN and TAP devices: make one or attach to it, switch its carrier.

A device that was kept (`keep_tun`) stays, with addresses and routes, while no datapath is attached to it; the kernel
then takes its carrier away by itself. Kinds are those of `gpiomux.plan.state.Interface`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from gpiomux.errors import MachineError
from gpiomux.netdev.inside import entered

DEVICE = "/dev/net/tun"

BUFFER_BYTES = 4 + 16 + 4 + 14 + 4 + 65535
"""No read is longer: protocol information, escape prefix, mark's tag, Ethernet header, VLAN tag, the largest MTU."""

_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_TUNSETCARRIER = 0x400454E2
_TUNSETSNDBUF = 0x400454D4

PACKET_OVERHEAD_BYTES = 1024
"""What the kernel counts for a packet beside its bytes, at most: struct sk_buff, skb_shared_info, and rounding up."""

_IFF_TUN, _IFF_TAP = 0x0001, 0x0002
_IFF_NO_CARRIER = 0x0040  # ignored by kernels before 6.3, so the carrier is taken away by ioctl as well
_IFF_NO_PI = 0x1000

_FLAGS = {"tap": _IFF_TAP | _IFF_NO_PI, "tun": _IFF_TUN | _IFF_NO_PI, "tun-pi": _IFF_TUN}

_NAME_BYTES = 16  # IFNAMSIZ, with the closing zero

_OPEN_HINTS = {
    errno.ENOENT: f"load the kernel module: modprobe tun; or make the node: mknod {DEVICE} c 10 200",
    errno.ENODEV: "load the kernel module: modprobe tun",
    errno.ENXIO: "load the kernel module: modprobe tun",
    errno.EACCES: f"run as root, or let root open it to you: chmod 0666 {DEVICE} (udev does so by itself)",
    errno.EPERM: f"run as root, or let root open it to you: chmod 0666 {DEVICE} (udev does so by itself)",
}
_ATTACH_HINTS = {
    errno.EBUSY: "end the program that is attached to it; this finds it: grep -l 'iff:.{name}$' /proc/[0-9]*/fdinfo/*",
    errno.EINVAL: "an interface of that name and another kind exists",
    errno.EPERM: "CAP_NET_ADMIN in that network namespace is needed, or to be the owner of the device",
}


def open_tun(name: str, kind: str, netns: str | None) -> int:
    """Make a TUN or TAP device without carrier, or attach to the existing one; give its descriptor.

    One that is made goes with its descriptor until `keep_tun`: who is killed before that leaves nothing.

    To the kernel `tun` and `tun-pi` are one kind: attaching as the other changes the device. Whether an existing
    device is ours has been checked by the caller.

    Returns:
        A descriptor, non-blocking and closed on exec; it belongs to the caller.

    Raises:
        MachineError: the device node cannot be opened (ENOENT, EACCES), the name is no interface name or belongs to
            an interface of another kind (EINVAL), somebody else is attached (EBUSY), or permission lacks (EPERM).
    """
    check_name(name)
    # The namespace of the device is that in which the node is opened.
    with entered(netns):
        try:
            fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as err:
            number = err.errno or 0
            hint = _OPEN_HINTS.get(number, "")
            raise MachineError(f"cannot open {DEVICE}: {err.strerror}", errno=number, hint=hint) from err
        try:
            request = struct.pack("16sH22x", name.encode(), _FLAGS[kind] | _IFF_NO_CARRIER)
            fcntl.ioctl(fd, _TUNSETIFF, request)
            set_carrier(fd, False)
        except OSError as err:
            os.close(fd)
            number = err.errno or 0
            where = "" if netns is None else f" in netns {netns}"
            message = f"cannot make or attach the {kind} interface {name}{where}: {err.strerror}"
            raise MachineError(message, errno=number, hint=_ATTACH_HINTS.get(number, "").format(name=name)) from err
    return fd


def keep_tun(fd: int) -> None:
    """Let the interface of a TUN or TAP descriptor stay when that is closed; to be done when it bears our tag.

    Raises:
        MachineError: EBADFD, the interface is gone.
    """
    try:
        fcntl.ioctl(fd, _TUNSETPERSIST, 1)
    except OSError as err:
        raise MachineError(f"cannot make an interface stay: {err.strerror}", errno=err.errno or 0) from err


def set_carrier(fd: int, on: bool) -> None:
    """Give the interface of a TUN or TAP descriptor a carrier, or take it away.

    Raises:
        OSError: EBADFD when the interface is gone.
    """
    fcntl.ioctl(fd, _TUNSETCARRIER, struct.pack("i", on))


def set_send_buffer(fd: int, limit_bytes: int) -> None:
    """Let writing to a TUN or TAP device fail with EAGAIN while what was written, and has not been passed on, is more.

    The kernel counts a packet until something has taken it over: a socket, the IP layer, or, in a bridge, the driver of
    the port it leaves through. XDP programs of a TAP device run generically from then on.

    Raises:
        OSError: EBADFD when the interface is gone.
    """
    fcntl.ioctl(fd, _TUNSETSNDBUF, struct.pack("i", limit_bytes))


def check_name(name: str) -> None:
    """Refuse what the kernel would cut (16 bytes), expand (`%d`), fill in (the empty name) or reject.

    Raises:
        MachineError: EINVAL, saying which rule the name breaks (dev_valid_name in net/core/dev.c).
    """
    encoded = name.encode(errors="surrogateescape")
    if not encoded:
        problem = "is empty"
    elif len(encoded) >= _NAME_BYTES:
        problem = f"is longer than {_NAME_BYTES - 1} bytes"
    elif name in (".", ".."):
        problem = "is a directory"
    elif any(byte in b"/:%\0" or chr(byte).isspace() for byte in encoded):
        problem = "contains one of / : % or white space"
    else:
        return
    raise MachineError(
        f"{name!r} cannot name an interface: it {problem}", errno=errno.EINVAL, hint="choose another name"
    )
