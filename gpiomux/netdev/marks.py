"""Prepare an interface so that marks pass: with privilege, once, before its datapath gets the descriptors.

A process on a TUN or TAP descriptor neither sees nor sets `skb->mark`. The kernel is asked, once per process, which
way around that it grants; nothing is assumed from its version or from the user's rights.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
from dataclasses import dataclass

from gpiomux.errors import MachineError, UnsupportedError
from gpiomux.netdev.inside import entered
from gpiomux.netdev.port_packet import PACKET_AUXDATA, SOL_PACKET
from gpiomux.netdev.syscalls import Buffer

_SO_RCVMARK = 75  # since 5.19; asm-generic/socket.h
_SO_RCVBUFFORCE = 33
_SO_ATTACH_FILTER = 26
_RECEIVE_BYTES = 4 << 20
_ETH_P_ALL = 3
_PACKET_OUTGOING = 4

_UNSUPPORTED = frozenset((errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EINVAL))
"""What a kernel says that does not know a request or does not allow it; anything else is an error, no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortHandles:
    """What a datapath needs to open the port of an interface; the descriptors belong to whoever holds this."""

    method: str
    """`packet-socket`."""
    kind: str
    """`tap`, `tun` or `tun-pi`."""
    fds: tuple[int, ...]
    """`packet-socket`: the device, the packet socket."""


def limits(method: str) -> str:
    """What a method cannot do, one line for the user; empty if it can do all."""
    if method == "packet-socket":
        return "received packets have mark 0 in the kernel; their mark still chooses the child"
    return ""


def prepare_port(name: str, kind: str, netns: str | None, tun_fd: int) -> PortHandles:
    """Arrange for marks on an interface in the best way the kernel grants.

    Takes over `tun_fd` when it succeeds.

    Raises:
        UnsupportedError: the kernel grants no way to carry marks.
        MachineError: the kernel refused an operation that it had been asked about.
    """
    method = chosen_method()
    try:
        with entered(netns):
            fds = (tun_fd, _packet_socket(name))
    except MachineError:
        raise
    except OSError as err:
        where = "" if netns is None else f" in netns {netns}"
        message = f"cannot prepare interface {name}{where} for marks ({method}): {err.strerror}"
        raise MachineError(message, errno=err.errno or 0) from err
    return PortHandles(method=method, kind=kind, fds=fds)


@functools.cache
def chosen_method() -> str:
    """How marks are carried on this machine, asked of the kernel once per process.

    Raises:
        UnsupportedError: there is no way.
        MachineError: the kernel answered neither yes nor no.
    """
    try:
        os.close(_packet_socket(None))
    except OSError as err:
        if err.errno not in _UNSUPPORTED:
            message = f"cannot ask the kernel how it carries marks: {err.strerror}"
            raise MachineError(message, errno=err.errno or 0) from err
    else:
        return "packet-socket"
    raise UnsupportedError(
        "this kernel lets nobody carry netfilter marks through a TUN or TAP device",
        hint="run as root, or in a user namespace on Linux 5.19 or later (SO_RCVMARK)",
    )


def _packet_socket(name: str | None) -> int:
    """A packet socket that gets what leaves through an interface, with its mark; bound to none without a name."""
    # Protocol 0 receives nothing: the filter stands before the first packet.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVMARK, 1)
        if name is None:
            return sock.detach()
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        _enlarge(sock)
        _only_outgoing(sock)
        sock.bind((name, _ETH_P_ALL))
        return sock.detach()


def _enlarge(sock: socket.socket) -> None:
    """As much room as the device's own queue has (500 packets), if only root may, else what anybody may."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)


def _only_outgoing(sock: socket.socket) -> None:
    """Attach a classic filter: whole packets of type outgoing, nothing else."""
    load_word, jump_equal, give = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
    packet_type = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE
    program = (
        (load_word, 0, 0, packet_type),
        (jump_equal, 0, 1, _PACKET_OUTGOING),
        (give, 0, 0, 0xFFFFFFFF),
        (give, 0, 0, 0),
    )
    code = Buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), code.address))
