"""The packet socket that shows what leaves through an interface, each packet with its mark."""

from __future__ import annotations

import socket
import struct

from gpiomux.netdev.syscalls import Buffer

SOL_PACKET = 263
PACKET_AUXDATA = 8

_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_RCVMARK = 75  # since 5.19; asm-generic/socket.h
_ETH_P_ALL = 3
_PACKET_OUTGOING = 4
_RECEIVE_BYTES = 1 << 20


def open_unbound() -> socket.socket:
    """A packet socket that is told marks and receives nothing yet.

    Raises:
        OSError: EPERM without CAP_NET_RAW, ENOPROTOOPT before Linux 5.19.
    """
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVMARK, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def open_outgoing(name: str) -> int:
    """A packet socket on an interface of the calling thread's network namespace, for outgoing packets only.

    Raises:
        OSError: the kernel refused.
    """
    with open_unbound() as sock:
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        _enlarge(sock)
        # The filter stands before the first packet can come: none does before `bind` names a protocol.
        _only_outgoing(sock)
        sock.bind((name, _ETH_P_ALL))
        return sock.detach()


def _enlarge(sock: socket.socket) -> None:
    """Make room for as many packets as the device itself queues (500); an ordinary user gets less (rmem_max)."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)


def _only_outgoing(sock: socket.socket) -> None:
    """Attach a classic filter: packets of type outgoing in full length, nothing else."""
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
