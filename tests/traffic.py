"""Traffic for the proofs on real interfaces: echo requests, and packets that tell where they arrived.

Everything is a plain socket of the calling thread's network namespace (see `tests.namespaces.inside`), so the demo
needs neither ping nor nc nor iptables on the machine.
"""

from __future__ import annotations

import os
import random
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

# asm-generic/socket.h, linux/in.h, linux/in6.h; Python's socket module does not name all of them.
SO_MARK = 36
SO_RCVMARK = 75
IP_PKTINFO = 8

ICMP_ECHO, ICMP_ECHO_REPLY = 8, 0
ICMP6_ECHO, ICMP6_ECHO_REPLY = 128, 129
ECHO_HEADER = struct.Struct("!BBHHH")
IPV4_HEADER_BYTES = 20

PATIENCE_S = 20.0
"""How long to wait for one packet before it is lost. Long: the machine may be slow, and a loss is a failed test."""


def payload_of(size: int, salt: int = 0) -> bytes:
    """`size` bytes that look random and are the same every time."""
    return random.Random(size << 16 | salt).randbytes(size)


@dataclass
class Echoes:
    """What came of a series of echo requests."""

    sent: int = 0
    round_trips_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Answers that were lost or changed on the way, one line each."""


def echo(address: str, sizes: Iterable[int], *, outstanding: int = 8, patience_s: float = PATIENCE_S) -> Echoes:
    """Send an echo request with a payload of each size, and compare every answer byte for byte.

    Args:
        address: IPv4 or IPv6.
        sizes: of the payload, in bytes; each at most once.
        outstanding: requests that may be on the way at the same time.
        patience_s: time without any answer after which all that is missing is lost.

    Raises:
        OSError: the kernel does not send, for example because there is no route.
    """
    six = ":" in address
    kind = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    echoes = Echoes()
    waiting: dict[int, float] = {}
    with socket.socket(kind[0], socket.SOCK_RAW, kind[1]) as sock:
        sock.connect((address, 0))  # so that the kernel hands over this peer's answers only
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for size in sizes:
            if len(waiting) >= outstanding:
                _take_answer(sock, six, waiting, echoes, patience_s)
            sock.send(_request(size, six))
            waiting[size] = time.monotonic()
            echoes.sent += 1
        while waiting:
            _take_answer(sock, six, waiting, echoes, patience_s)
    return echoes


def _identity() -> int:
    return os.getpid() & 0xFFFF


def _request(size: int, six: bool) -> bytes:
    kind = ICMP6_ECHO if six else ICMP_ECHO
    message = ECHO_HEADER.pack(kind, 0, 0, _identity(), size) + payload_of(size)
    # The kernel fills in the checksum of ICMPv6, not that of ICMP.
    return message if six else message[:2] + struct.pack("!H", _checksum(message)) + message[4:]


def _take_answer(sock: socket.socket, six: bool, waiting: dict[int, float], echoes: Echoes, patience_s: float) -> None:
    """Wait for one answer; after `patience_s` without any, everything in `waiting` is lost."""
    give_up = time.monotonic() + patience_s
    while (left_s := give_up - time.monotonic()) > 0 and select.select([sock], [], [], left_s)[0]:
        data = sock.recv(65536)
        message = data if six else data[IPV4_HEADER_BYTES:]
        kind, _, _, identity, size = ECHO_HEADER.unpack_from(message)
        if kind != (ICMP6_ECHO_REPLY if six else ICMP_ECHO_REPLY) or identity != _identity() or size not in waiting:
            continue
        echoes.round_trips_s.append(time.monotonic() - waiting.pop(size))
        if message[ECHO_HEADER.size :] != payload_of(size):
            echoes.wrong.append(f"payload of {size} bytes: changed on the way")
        return
    echoes.wrong += [f"payload of {size} bytes: no answer in {patience_s:g} s" for size in waiting]
    waiting.clear()


def _checksum(data: bytes) -> int:
    """The Internet checksum, RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Arrival(NamedTuple):
    """One datagram, and how it came."""

    interface: str
    mark: int
    """As the firewall of this machine sees it; 0: none."""
    data: bytes


class Listener:
    """A UDP socket that tells on which interface a datagram arrived and with which mark.

    *Threads and processes:* one thread; closes its socket on exit of the block.
    """

    def __init__(self, address: str, port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
        self._sock.bind((address, port))

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def take(self, patience_s: float = PATIENCE_S) -> Arrival:
        """The next datagram.

        Raises:
            TimeoutError: none came.
        """
        self._sock.settimeout(patience_s)
        data, control, _, _ = self._sock.recvmsg(65536, 256)
        interface, mark = "", 0
        for level, kind, value in control:
            if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                interface = socket.if_indextoname(struct.unpack_from("i", value)[0])
            elif (level, kind) == (socket.SOL_SOCKET, SO_MARK):
                mark = struct.unpack("I", value)[0]
        return Arrival(interface, mark, data)


def send_datagram(address: str, port: int, data: bytes, *, mark: int = 0) -> None:
    """Send one UDP datagram, with a netfilter mark if one is given.

    Raises:
        OSError: the kernel does not send, or does not let the caller set a mark (EPERM).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if mark:
            # As bytes: the socket module takes a signed int only, and a mark has 32 bits.
            sock.setsockopt(socket.SOL_SOCKET, SO_MARK, struct.pack("I", mark))
        sock.sendto(data, (address, port))
