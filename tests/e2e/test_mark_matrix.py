"""Marks in every mode, both ways, with both IP versions: each packet comes out of the right child, with its mark.

One pair of links for each mode, with two children at each end that share the marks of the matrix. A child talks to the
child of its name at the other end: in mode eth each has an Ethernet address of its own.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import ExitStack, nullcontext
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests import namespaces, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

MARKS = (1, 7, 255, 0xEFFF, 0xF000, 0xFFFE, 0xFFFF, 0x1_0000, 0xFFFF_FFFF)
"""Around the bounds of what a VLAN tag can hold (gpiomux/netdev/bpf.py), and the largest."""
OF_CHILD = {"x": MARKS[::2], "y": MARKS[1::2]}
IP_MODES = ("net_hdr", "eth")
MODES = (*IP_MODES, "raw")
CELLS = 2 * len(IP_MODES) * len(MARKS)
"""Of the matrix, for one IP version: directions, modes, marks."""
HIGHEST_PAYLOAD = {4: 1500 - 20 - 8, 6: 1500 - 40 - 8}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
PORT = 9000
BURST = 16
"""Packets under way at the same time: fewer than the queue of an interface holds."""
ETHERTYPE = 0x88B5
IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50
OFFLOADS = ("tx", "sg", "tso", "gso", "gro")


def name_of(child: str, mode: str, end: int) -> str:
    return f"{child}-{mode}{end}"


def address_of(version: int, child: str, mode: str, end: int) -> str:
    network = 10 * (1 + MODES.index(mode)) + "xy".index(child)
    return f"10.50.{network}.{end}" if version == 4 else f"fd00:50:{network}::{end}"


def matrix_file() -> str:
    """Links NAME1 here and NAME2 in `far`, for each mode."""
    text = "links:\n"
    for mode, end in product(MODES, (1, 2)):
        children = []
        for child, marks in OF_CHILD.items():
            addresses = [f"{address_of(it, child, mode, end)}/{24 if it == 4 else 64}" for it in FAMILIES]
            spoken = addresses if mode in IP_MODES else []
            children.append(f"{{name: {name_of(child, mode, end)}, marks: {list(marks)}, addresses: {spoken}}}")
        place = ", netns: far" if end == 2 else ""
        text += (
            f"  - {{name: {mode}{end}, mode: {mode}, medium: sim, wire: cable-{mode}{place}, "
            f"protocol: {{reader: {end}, writer: {3 - end}}}, children: [{', '.join(children)}]}}\n"
        )
    return text


@pytest.fixture
def matrix(host: Host) -> Iterator[Host]:
    """The matrix is applied; nobody waits for the kernel to look for doubled IPv6 addresses."""
    host.run("ip", "netns", "add", "far")
    for netns in (None, "far"):
        host.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", netns=netns)
    host.apply(matrix_file())
    yield host
    host.gpiomux("down")
    host.run("ip", "netns", "del", "far")


def at(end: int) -> AbstractContextManager[None]:
    return namespaces.inside("far") if end == 2 else nullcontext()


class Arrival(NamedTuple):
    """A datagram, and how it came."""

    data: bytes
    interface: str
    mark: int


class Receiver:
    """A UDP socket of one IP version on any address; made in the network namespace in which the thread is."""

    def __init__(self, version: int, port: int = PORT) -> None:
        self.sock = socket.socket(FAMILIES[version], socket.SOCK_DGRAM)
        if version == 4:
            self.sock.setsockopt(socket.IPPROTO_IP, traffic.IP_PKTINFO, 1)
        else:
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, traffic.SO_RCVMARK, 1)
        self.sock.bind(("", port))
        self.sock.settimeout(traffic.PATIENCE_S)

    def take(self) -> Arrival:
        """The next datagram; to be called where the socket was made."""
        data, control, _, _ = self.sock.recvmsg(65536, 256)
        interface, mark = "", 0
        for level, kind, value in control:
            if (level, kind) == (socket.IPPROTO_IP, traffic.IP_PKTINFO):
                interface = socket.if_indextoname(struct.unpack_from("i", value)[0])
            elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
                interface = socket.if_indextoname(struct.unpack_from("i", value, 16)[0])
            elif (level, kind) == (socket.SOL_SOCKET, socket.SO_MARK):
                mark = struct.unpack("I", value)[0]
        return Arrival(data, interface, mark)


def marked(sock: socket.socket, mark: int) -> socket.socket:
    sock.setsockopt(socket.SOL_SOCKET, traffic.SO_MARK, struct.pack("I", mark))
    return sock


def exchange(host: Host, sizes: dict[int, Sequence[int]], modes: Sequence[str] = IP_MODES) -> None:
    """Send a datagram of each size; sizes, of each IP version, are shared out among marks, directions and modes."""
    inwards = host.marks_work_inwards()
    for version, end in product(FAMILIES, (1, 2)):
        with ExitStack() as stack:
            with at(end):
                receiver = Receiver(version)
                stack.callback(receiver.sock.close)
            with at(3 - end):
                sender = stack.enter_context(socket.socket(FAMILIES[version], socket.SOCK_DGRAM))
            cells = list(product(modes, OF_CHILD.items()))
            cases = [(mode, child, mark) for mode, (child, marks) in cells for mark in marks]
            for number, (mode, child, mark) in enumerate(cases):
                mine = sizes[version][number + len(cases) * (end - 1) :: 2 * len(cases)]
                to = (address_of(version, child, mode, end), PORT)
                expected = (name_of(child, mode, end), mark if inwards else 0)
                marked(sender, mark)
                for first in range(0, len(mine), BURST):
                    burst = mine[first : first + BURST]
                    for size in burst:
                        sender.sendto(traffic.payload_of(size), to)
                    with at(end):
                        arrived = {receiver.take() for _ in burst}
                    assert arrived == {Arrival(traffic.payload_of(size), *expected) for size in burst}


def test_every_mark_both_ways(matrix: Host) -> None:
    """Sizes from nothing to the MTU, some in each cell of the matrix.

    All sizes that there are, are sent in tests/netdev/test_ports.py with a mark, and in test_packets.py over a wire.
    """
    exchange(matrix, {version: [*range(0, highest, 11), highest] for version, highest in HIGHEST_PAYLOAD.items()})


def test_without_offloads(matrix: Host) -> None:
    for mode, child, end in product(IP_MODES, OF_CHILD, (1, 2)):
        words = [word for it in OFFLOADS for word in (it, "off")]
        netns = "far" if end == 2 else None
        matrix.run("ethtool", "-K", name_of(child, mode, end), *words, netns=netns)
    exchange(
        matrix,
        {version: range(highest - 2 * CELLS + 1, highest + 1, 2) for version, highest in HIGHEST_PAYLOAD.items()},
    )
    for mode in IP_MODES:
        a_stream_keeps_its_mark(matrix, mode, 0xF000)


def test_every_segment_of_a_stream(matrix: Host) -> None:
    """The kernel hands large packets over in one piece, and cuts them when they leave."""
    for mode, mark in zip(IP_MODES, (7, 0x1_0000), strict=True):
        a_stream_keeps_its_mark(matrix, mode, mark)


def a_stream_keeps_its_mark(host: Host, mode: str, mark: int) -> None:
    """Send a TCP stream from the far end; nft counts here what comes in with the mark and without."""
    if not host.marks_work_inwards():
        pytest.skip("a received packet has no mark where the kernel grants no BPF; status says so")
    child = next(child for child, marks in OF_CHILD.items() if mark in marks)
    rule = f"add rule ip seen in iifname {name_of(child, mode, 1)} tcp dport {PORT}"
    host.run("nft", "add table ip seen; add chain ip seen in { type filter hook input priority 0 ; }")
    host.run("nft", f"{rule} meta mark {mark} counter; {rule} meta mark != {mark} counter")
    data, got = traffic.payload_of(60_000), bytearray()
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((address_of(4, child, mode, 1), PORT)))
        server.settimeout(traffic.PATIENCE_S)
        with at(2):
            client = marked(stack.enter_context(socket.socket()), mark)
        client.settimeout(traffic.PATIENCE_S)
        client.connect((address_of(4, child, mode, 1), PORT))
        connection = stack.enter_context(server.accept()[0])
        connection.settimeout(traffic.PATIENCE_S)

        def send() -> None:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        while part := connection.recv(65536):
            got += part
        sending.join()
    right, wrong = map(int, re.findall(r"counter packets (\d+)", host.run("nft", "list table ip seen")))
    host.run("nft", "delete table ip seen")
    assert got == data
    assert right > 10
    assert wrong == 0


def test_what_is_forwarded_bears_the_mark_of_the_firewall_that_forwards_it(matrix: Host) -> None:
    """A sender in a namespace behind the far end marks nothing; iptables and nft there do, by port."""
    matrix.run("ip", "netns", "add", "behind")
    try:
        matrix.run(*"ip -n far link add hop0 type veth peer name hop1 netns behind".split())
        for netns, device, last in (("far", "hop0", 1), ("behind", "hop1", 2)):
            matrix.run("ip", "-n", netns, "address", "add", f"10.60.0.{last}/24", "dev", device)
            matrix.run("ip", "-n", netns, "link", "set", device, "up")
        matrix.run("ip", "-n", "behind", "route", "add", "default", "via", "10.60.0.1")
        # Nobody here knows the way back, so a strict check of it would drop all (RFC 3704), if the machine has it on.
        matrix.run("sysctl", "-qw", "net.ipv4.ip_forward=1", netns="far")
        near = [f"net.ipv4.conf.{name_of(child, mode, 1)}.rp_filter=0" for mode, child in product(IP_MODES, OF_CHILD)]
        matrix.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", *near)
        forwards_with_marks(matrix)
    finally:
        matrix.run("ip", "netns", "del", "behind")


def forwards_with_marks(host: Host) -> None:
    host.run("nft", "add table ip m; add chain ip m pre { type filter hook prerouting priority mangle ; }", netns="far")
    for number, mark in enumerate(MARKS):
        port = PORT + number
        if number % 2:
            host.run("nft", f"add rule ip m pre udp dport {port} meta mark set {mark}", netns="far")
        else:
            words = f"iptables -t mangle -A PREROUTING -p udp --dport {port} -j MARK --set-mark {mark}"
            host.run(*words.split(), netns="far")
    inwards = host.marks_work_inwards()
    with ExitStack() as stack:
        receivers = [Receiver(4, PORT + number) for number in range(len(MARKS))]
        for receiver in receivers:
            stack.callback(receiver.sock.close)
        with namespaces.inside("behind"):
            sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for mode, (number, mark) in product(IP_MODES, enumerate(MARKS)):
            child = next(child for child, marks in OF_CHILD.items() if mark in marks)
            sender.sendto(b"%d" % number, (address_of(4, child, mode, 1), PORT + number))
            assert receivers[number].take() == Arrival(b"%d" % number, name_of(child, mode, 1), mark if inwards else 0)


def test_raw_packets_of_every_mark_both_ways(matrix: Host) -> None:
    inwards = matrix.marks_work_inwards()
    for end, (child, marks) in product((1, 2), OF_CHILD.items()):
        with ExitStack() as stack:
            with at(3 - end):
                sender = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
            with at(end):
                receiver = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
                receiver.setsockopt(socket.SOL_SOCKET, traffic.SO_RCVMARK, 1)
                receiver.bind((name_of(child, "raw", end), ETHERTYPE))
            receiver.settimeout(traffic.PATIENCE_S)
            for mark, size in product(marks, (1, 13, 1500)):
                marked(sender, mark)
                with at(3 - end):
                    sender.sendto(traffic.payload_of(size), (name_of(child, "raw", 3 - end), ETHERTYPE))
                data, control, _, _ = receiver.recvmsg(65536, 256)
                told = [struct.unpack("I", value)[0] for _, kind, value in control if kind == socket.SO_MARK]
                assert (data, told) == (traffic.payload_of(size), [mark if inwards else 0])
