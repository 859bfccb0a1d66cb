"""One contract for every port: each method and kind against the kernel."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from gpiomux.errors import ProtocolError
from gpiomux.netdev import marks, netns
from gpiomux.netdev.inside import entered
from gpiomux.netdev.ports import open_port
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import open_tun
from tests.netdev.ends import (
    IP_BYTES,
    MARKS,
    METHODS,
    PATIENCE_S,
    RAW_PROTOCOL,
    SO_RCVMARK,
    UDP_BYTES,
    End,
    arrival,
    need,
)

pytestmark = pytest.mark.netns

methods = pytest.mark.parametrize("method", METHODS)
ip_kinds = pytest.mark.parametrize("kind", ["tap", "tun"])

RAW_SIZES = (1, 2, 3, 4, 8, 11, 12, 13, 14, 15, 16, 17, 100, 1499, 1500)
"""Around 12 bytes, where the kernel inserts a mark's tag, and the MTU. No size 0: the kernel sends no such packet."""


def told(method: str, mark: int) -> int:
    """The mark that the kernel shows of a packet written with `mark`."""
    return 0 if method == "packet-socket" else mark


def raw_listener(end: End) -> socket.socket:
    """A packet socket for our protocol number: it gets packets behind the ingress program, with their mark."""
    with entered(end.netns):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
    sock.bind((end.name, RAW_PROTOCOL))
    sock.settimeout(PATIENCE_S)
    return sock


@methods
@ip_kinds
def test_marks_leave(method: str, kind: str) -> None:
    with End(kind, method) as end:
        for version, mark in product((4, 6), MARKS):
            for payload in (b"first of this mark", b"second", b""):
                end.send(version, payload, mark)
                got, packet = end.leaving()
                assert (got, end.payload(version, packet)) == (mark, payload), hex(mark)


@methods
@ip_kinds
def test_marks_arrive(method: str, kind: str) -> None:
    with End(kind, method) as end:
        for version, mark in product((4, 6), MARKS):
            for payload in (b"first of this mark", b"second", b""):
                sock = end.listen(version)
                end.port.write(mark, end.datagram(version, payload))
                assert arrival(sock) == (told(method, mark), payload), hex(mark)


@methods
@ip_kinds
def test_every_size_passes_unchanged(method: str, kind: str) -> None:
    with End(kind, method) as end:
        for version in (4, 6):
            sock = end.listen(version)
            for size in range(end.mtu - IP_BYTES[version] - UDP_BYTES + 1):
                payload, mark = bytes(i % 251 for i in range(size)), MARKS[size % len(MARKS)]
                end.send(version, payload, mark)
                got, packet = end.leaving()
                assert (got, end.payload(version, packet)) == (mark, payload)
                end.port.write(mark, end.datagram(version, payload))
                assert arrival(sock) == (told(method, mark), payload)


@methods
@ip_kinds
def test_a_whole_packet_is_what_the_kernel_sent(method: str, kind: str) -> None:
    """Headers included: the packet that leaves is the one a packet socket of our own sends."""
    with End(kind, method) as end:
        packet = end.datagram(4, b"any")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 9)
            sock.sendto(packet, (end.name, 0x0800))
        assert end.leaving() == (9, packet)


@methods
def test_raw_payloads_leave_unchanged(method: str) -> None:
    with End("tun-pi", method) as end:
        for size in RAW_SIZES:
            payload = bytes((i * 7 + size) % 256 for i in range(size))
            for mark in (0, 7, 0xF000, 0xFFFFFFFF):
                end.send_raw(payload, mark)
                assert end.leaving() == (mark, RAW_PROTOCOL.to_bytes(2, "big") + payload)


@methods
def test_raw_payloads_arrive_unchanged(method: str) -> None:
    with End("tun-pi", method) as end, raw_listener(end) as sock:
        for size in RAW_SIZES:
            payload = bytes((i * 7 + size) % 256 for i in range(size))
            for mark in (0, 7, 0xF000, 0xFFFFFFFF):
                end.port.write(mark, RAW_PROTOCOL.to_bytes(2, "big") + payload)
                assert arrival(sock) == (told(method, mark), payload)


@methods
def test_raw_carries_every_protocol_number(method: str) -> None:
    with End("tun-pi", method) as end:
        for protocol, mark in product((0x0001, 0x0800, 0x86DD, 0x88A8, 0xFFFF), (0, 0x10000)):
            end.send_raw(b"neither IPv4 nor IPv6", mark, protocol)
            assert end.leaving() == (mark, protocol.to_bytes(2, "big") + b"neither IPv4 nor IPv6")


@methods
@pytest.mark.parametrize("kind", ["tap", "tun-pi"])
def test_what_looks_like_our_tag_is_data(method: str, kind: str) -> None:
    """In a frame it is a VLAN tag of the user's, in a raw payload just bytes that happen to be those."""
    with End(kind, method) as end, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        for tag, mark in product(("88a80007", "88a8ffff", "88a8f000", "81000007"), (0, 7, 0xFFFF)):
            packet = b"\2" * 12 + bytes.fromhex(tag) + b"\x08\x00" + b"data" * 10
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            sock.sendto(packet, (end.name, RAW_PROTOCOL))
            assert end.leaving() == (mark, packet if kind == "tap" else RAW_PROTOCOL.to_bytes(2, "big") + packet)


@methods
@ip_kinds
def test_multicast_reports_of_the_kernel_are_unmarked(method: str, kind: str) -> None:
    """Their mark is rubbish (212 on this MTU): see `gpiomux.netdev.strays`."""
    with (
        End(kind, method) as end,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
    ):
        groups = (socket.inet_aton("239.1.2.3"), socket.inet_pton(socket.AF_INET6, "ff02::4711"))
        index = socket.if_nametoindex(end.name)
        four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, groups[0] + socket.inet_aton("10.1.0.1"))
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, groups[1] + struct.pack("I", index))
        missing = set(groups)
        while missing:
            assert select.select([end.port], [], [], PATIENCE_S)[0], missing
            mark, packet = end.port.read() or (0, b"")
            assert mark == 0, packet.hex()
            missing -= {group for group in groups if group in packet}


@methods
@ip_kinds
def test_packets_keep_their_order(method: str, kind: str) -> None:
    with End(kind, method) as end:
        sent = [(MARKS[i % len(MARKS)], b"%d" % i) for i in range(100)]
        for mark, payload in sent:
            end.send(4, payload, mark)
        got = [end.leaving() for _ in sent]
        assert [(mark, end.payload(4, packet)) for mark, packet in got] == sent
        assert end.is_quiet()


@methods
def test_a_port_is_readable_only_while_a_packet_waits(method: str) -> None:
    with End("tun-pi", method) as end:
        while end.port.read() is not None:
            pass
        assert end.is_quiet()
        end.send_raw(b"one")
        assert select.select([end.port], [], [], PATIENCE_S)[0]
        assert end.port.read() is not None
        assert end.port.read() is None


@methods
def test_carrier(method: str) -> None:
    def carrier() -> bool:
        with Rtnl(None) as rtnl:
            return next(link.carrier for link in rtnl.links() if link.name == "end0")

    with End("tun", method) as end:
        assert carrier()
        end.port.set_carrier(False)
        assert not carrier()
        end.port.set_carrier(True)
        assert carrier()
        end.port.close()
        assert not carrier()


@methods
def test_a_port_of_another_namespace(method: str) -> None:
    netns.create("far")
    try:
        with End("tap", method, netns="far") as end:
            sock = end.listen(4)
            for mark in MARKS:
                end.send(4, b"out", mark)
                got, packet = end.leaving()
                assert (got, end.payload(4, packet)) == (mark, b"out")
                end.port.write(mark, end.datagram(4, b"in"))
                assert arrival(sock) == (told(method, mark), b"in")
            assert "end0" not in {name for _, name in socket.if_nameindex()}
    finally:
        netns.remove("far")


@methods
@pytest.mark.parametrize("kind", ["tap", "tun", "tun-pi"])
def test_an_interface_that_is_down(method: str, kind: str) -> None:
    with End(kind, method) as end, Rtnl(None) as rtnl:
        packet = b"\x88\xb5 raw" if kind == "tun-pi" else end.datagram(4, b"any")
        rtnl.set_up(end.name, False)
        assert end.is_quiet()
        with pytest.raises(OSError) as caught:
            end.port.write(7, packet)
        assert caught.value.errno == errno.EIO
        rtnl.set_up(end.name, True)
        assert end.is_quiet()
        end.port.write(7, packet)
        if kind == "tun-pi":
            end.send_raw(b"back", 8)
            assert end.leaving() == (8, RAW_PROTOCOL.to_bytes(2, "big") + b"back")


@pytest.mark.parametrize("method", ["bpf-tcx", "packet-socket"])
@pytest.mark.parametrize("kind", ["tap", "tun", "tun-pi"])
def test_an_interface_that_leaves_its_network_namespace(method: str, kind: str) -> None:
    """Its port goes on, or says that it cannot; a new name is nothing to any of them."""
    netns.create("other")
    try:
        with End(kind, method) as end, Rtnl(None) as here, Rtnl("other") as other:
            own_name, end.name = end.name, "foo"
            here.move(own_name, None, "foo")
            end.send_raw(b"x" * 40, 7) if kind == "tun-pi" else end.send(4, b"x" * 40, 7)
            packet = end.leaving()
            assert packet is not None
            assert packet[0] == 7
            here.move("foo", "other", "foo")
            if method in marks.KEEPS_IN_MOVES:
                assert end.is_quiet()
            else:
                with pytest.raises(OSError) as caught:
                    end.is_quiet()
                assert caught.value.errno == errno.ENODEV
            other.move("foo", None, own_name)
            end.name = own_name
    finally:
        netns.remove("other")


@methods
@pytest.mark.parametrize("kind", ["tap", "tun", "tun-pi"])
@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_an_interface_that_is_gone(method: str, kind: str, up: bool) -> None:
    """The deletion wakes who waits, and then reading, writing and the carrier say so, again and again."""
    with End(kind, method) as end, Rtnl(None) as rtnl:
        rtnl.set_up(end.name, up)
        while end.port.read() is not None:
            pass
        poll = select.poll()
        poll.register(end.port, select.POLLIN)
        rtnl.delete_link(end.name)
        assert poll.poll(PATIENCE_S * 1000)
        for _ in range(2):
            for attempt in (end.port.read, lambda: end.port.write(0, b"any"), lambda: end.port.set_carrier(True)):
                with pytest.raises(OSError) as caught:
                    attempt()
                assert caught.value.errno == errno.EBADFD


@methods
def test_a_packet_that_the_kernel_cannot_tell_the_protocol_of(method: str) -> None:
    with End("tun", method) as end:
        with pytest.raises(OSError) as caught:
            end.port.write(0, b"\xff neither IPv4 nor IPv6")
        assert caught.value.errno == errno.EINVAL


@methods
def test_the_device_stays_when_its_port_closes(method: str) -> None:
    """Addresses stay; a new port on the same device works, also twice."""
    with End("tun", method) as end:
        for round_ in range(2):
            end.port.close()
            end.port.close()  # does nothing
            with Rtnl(None) as rtnl:
                assert {a.address for a in rtnl.addresses() if a.ours} == {"10.1.0.1/24", "fd01::1/64"}
            handles = marks.prepare_port(end.name, "tun", None, open_tun(end.name, "tun", None), method=method)
            end.port = open_port(handles.method, handles.kind, handles.fds)
            end.port.set_carrier(True)
            end.send(4, b"again", 0x10000 + round_)
            mark, packet = end.leaving()
            assert (mark, end.payload(4, packet)) == (0x10000 + round_, b"again")
        end.port.close()


@methods
def test_a_port_works_without_any_privilege(method: str) -> None:
    """Descriptors cross a socket to a process that has no capability; it sends back what it gets, marked one higher."""
    need(method)
    with End("tun-pi", method, name="end1") as end, raw_listener(end) as listener:
        end.port.close()
        fd = open_tun(end.name, "tun-pi", None)
        handles = marks.prepare_port(end.name, "tun-pi", None, fd, method=method)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        no_privilege = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        command = [*no_privilege, sys.executable, "-m", "tests.netdev.unprivileged_echo", str(theirs.fileno())]
        root = Path(__file__).parents[2]
        with ours, subprocess.Popen(command, cwd=root, pass_fds=[theirs.fileno()]) as child:
            theirs.close()
            socket.send_fds(ours, [f"{handles.method} {handles.kind}".encode()], handles.fds)
            for handle in handles.fds:
                os.close(handle)
            assert ours.recv(100) == b"ready, capabilities 0000000000000000"
            for mark in MARKS[:-1]:
                end.send_raw(b"hello", mark)
                assert arrival(listener) == (told(method, mark + 1), b"hello")
            ours.shutdown(socket.SHUT_RDWR)
            assert child.wait(PATIENCE_S) == 0


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ProtocolError, match="pigeon"):
        open_port("pigeon", "tun", ())
