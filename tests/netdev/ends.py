"""One interface with its port, and what the kernel on the other side of it sends and receives.

The kernel is the peer of a port: a packet that a socket sends is read from the port, one that is written to the port
arrives at a socket.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from gpiomux.netdev import marks
from gpiomux.netdev.inside import entered
from gpiomux.netdev.ports import open_port
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import keep_tun, open_tun

if TYPE_CHECKING:
    from gpiomux.netdev.port import PacketPort

METHODS = ("bpf-tcx", "bpf-clsact", "packet-socket")
MARKS = (0, 1, 7, 0xEFFF, 0xF000, 0xFFFE, 0xFFFF, 0x10000, 0xFFFFFFFF)

OURS = {4: "10.1.0.1", 6: "fd01::1"}
"""Addresses of the interface."""
THEIRS = {4: "10.1.0.2", 6: "fd01::2"}
"""Addresses of the host at the other end of the link."""
PREFIX = {4: 24, 6: 64}
THEIR_MAC = "02:00:00:00:00:02"
UDP_PORT = 4711
RAW_PROTOCOL = 0x88B5
"""EtherType for local experiments, IEEE 802."""
SO_RCVMARK = 75  # asm-generic/socket.h
PATIENCE_S = 10.0
"""How long to wait for what must come; nobody waits so long for what shall not come."""
QUIET_S = 0.1

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
IP_BYTES = {4: 20, 6: 40}
UDP_BYTES = 8


def need(method: str) -> None:
    """Skip a test whose method this kernel does not grant to this user."""
    refusal = marks.refusal_of(method)
    if refusal is not None:
        pytest.skip(f"{method} is not granted here: {refusal}")


def make_tun(name: str, kind: str, netns: str | None) -> None:
    """Make a device that nobody is attached to, and that stays."""
    fd = open_tun(name, kind, netns)
    keep_tun(fd)
    os.close(fd)


class End:
    """An interface of the test's own, up, with carrier and, where it is not raw, with addresses.

    *Threads and processes:* one thread; everything is closed and deleted at the end of the block.
    """

    def __init__(
        self, kind: str, method: str, *, netns: str | None = None, name: str = "end0", mtu: int = 1500
    ) -> None:
        self.kind, self.method, self.netns, self.name, self.mtu = kind, method, netns, name, mtu
        self.mac = ""
        self._closing = ExitStack()
        self._sockets: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        need(self.method)
        with entered(self.netns):
            _silence_new_interfaces()
        fd = open_tun(self.name, self.kind, self.netns)
        keep_tun(fd)
        handles = marks.prepare_port(self.name, self.kind, self.netns, fd, method=self.method)
        self.port: PacketPort = open_port(handles.method, handles.kind, handles.fds)
        self._closing.callback(self._delete)
        self._closing.callback(self.port.close)
        self.port.set_carrier(True)
        with Rtnl(self.netns) as rtnl:
            rtnl.set_mtu(self.name, self.mtu)
            rtnl.set_up(self.name, True)
            if self.kind != "tun-pi":
                for version, address in OURS.items():
                    rtnl.add_address(self.name, f"{address}/{PREFIX[version]}")
            self.mac = next(link.mac for link in rtnl.links() if link.name == self.name) or ""
        if self.kind == "tap":
            with entered(self.netns):
                _know_neighbours(self.name)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets.values():
            sock.close()
        self._closing.close()

    def send(self, version: int, payload: bytes, mark: int = 0) -> None:
        """Let the kernel send a UDP datagram out through the interface."""
        sock = self._socket(version)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("I", mark))
        sock.sendto(payload, (THEIRS[version], UDP_PORT))

    def send_raw(self, payload: bytes, mark: int = 0, protocol: int = RAW_PROTOCOL) -> None:
        """Let a packet socket send any payload out through the interface."""
        if socket.AF_PACKET not in self._sockets:  # kept: closing one takes 10 ms
            with entered(self.netns):
                self._sockets[socket.AF_PACKET] = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        sock = self._sockets[socket.AF_PACKET]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("I", mark))
        sock.sendto(payload, (self.name, protocol))

    def leaving(self, *, patience_s: float = PATIENCE_S) -> tuple[int, bytes]:
        """The next packet at the port that a test can have sent."""
        while select.select([self.port], [], [], patience_s)[0]:
            packet = self.port.read()
            if packet is not None and not _is_noise(self.kind, packet[1]):
                return packet
        raise TimeoutError("nothing came to the port")

    def is_quiet(self) -> bool:
        """Whether nothing waits at the port that a test can have sent."""
        try:
            self.leaving(patience_s=QUIET_S)
        except TimeoutError:
            return True
        return False

    def listen(self, version: int) -> socket.socket:
        """The socket at which a UDP datagram arrives that was written to the port."""
        return self._socket(version)

    def datagram(self, version: int, payload: bytes) -> bytes:
        """A packet as the port takes it: UDP from the host at the other end to this interface."""
        return self._framed(version, udp(version, THEIRS[version], OURS[version], payload))

    def payload(self, version: int, packet: bytes) -> bytes:
        """The payload of a UDP datagram that came out of the port."""
        return packet[{"tap": 14, "tun": 0}[self.kind] + IP_BYTES[version] + UDP_BYTES :]

    def _framed(self, version: int, packet: bytes) -> bytes:
        if self.kind == "tun":
            return packet
        addresses = bytes.fromhex((self.mac + THEIR_MAC).replace(":", ""))
        return addresses + {4: b"\x08\x00", 6: b"\x86\xdd"}[version] + packet

    def _socket(self, version: int) -> socket.socket:
        if version not in self._sockets:
            with entered(self.netns):
                sock = socket.socket(FAMILIES[version], socket.SOCK_DGRAM)
            self._sockets[version] = sock
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
            sock.settimeout(PATIENCE_S)
            _bind_when_ready(sock, OURS[version])
        return self._sockets[version]

    def _delete(self) -> None:
        with Rtnl(self.netns) as rtnl:
            if any(link.name == self.name for link in rtnl.links()):
                rtnl.delete_link(self.name)


def arrival(sock: socket.socket) -> tuple[int, bytes]:
    """The next packet at a socket that asked for marks: its mark and content."""
    content, control, _, _ = sock.recvmsg(70_000, 64)
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SO_MARK):
            return struct.unpack("I", value)[0], content
    raise AssertionError("the kernel told no mark")


def udp(version: int, source: str, target: str, payload: bytes) -> bytes:
    """An IP packet with a UDP datagram, checksums right."""
    length = UDP_BYTES + len(payload)
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    header = struct.pack("!HHHH", UDP_PORT, UDP_PORT, length, 0)
    sum_of_all = checksum(addresses + struct.pack("!II", length, socket.IPPROTO_UDP) + header + payload) or 0xFFFF
    datagram = header[:6] + struct.pack("!H", sum_of_all) + payload
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64) + addresses + datagram
    front = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0)
    return front[:10] + struct.pack("!H", checksum(front + addresses)) + addresses + datagram


def checksum(data: bytes) -> int:
    """The Internet checksum, RFC 1071."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _bind_when_ready(sock: socket.socket, address: str) -> None:
    """The kernel makes a new IPv6 address usable a moment later, by a worker of its own."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            sock.bind((address, UDP_PORT))
        except OSError as err:
            if err.errno != errno.EADDRNOTAVAIL or time.monotonic() > give_up:
                raise
            time.sleep(0.001)
        else:
            return


def _silence_new_interfaces() -> None:
    """No duplicate address detection, which takes a second, and no solicitations; /proc shows this thread's network."""
    for name, value in (("accept_dad", 0), ("router_solicitations", 0), ("addr_gen_mode", 1)):
        Path(f"/proc/sys/net/ipv6/conf/default/{name}").write_text(str(value))


def _know_neighbours(name: str) -> None:
    from pyroute2 import IPRoute  # type: ignore[import-untyped]

    with IPRoute() as route:
        for address in THEIRS.values():
            index = socket.if_nametoindex(name)
            route.neigh("add", dst=address, lladdr=THEIR_MAC, ifindex=index, state="permanent")


def _is_noise(kind: str, packet: bytes) -> bool:
    """What the kernel sends of its own accord: multicast reports and neighbour discovery."""
    if kind == "tun-pi":
        return packet[:2] == b"\x86\xdd" and packet[2 + 6 : 2 + 7] in (b"\0", b"\x3a")
    start = 14 if kind == "tap" else 0
    return packet[start] >> 4 == 6 and packet[start + 6] in (0, 58)
