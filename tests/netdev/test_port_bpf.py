"""What only the BPF way does: marks learned in the kernel, segments, several CPUs."""

from __future__ import annotations

import os
import socket
import struct
from itertools import product
from pathlib import Path

import pytest

from gpiomux.netdev import bpf, netns, syscalls
from gpiomux.netdev.inside import entered
from gpiomux.netdev.port_bpf import BpfPort
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.xdp import NO_PROGRAM, open_program
from tests.netdev.ends import UDP_BYTES, End, arrival, need

pytestmark = pytest.mark.netns

methods = pytest.mark.parametrize("method", ["bpf-tcx", "bpf-clsact"])
ip_kinds = pytest.mark.parametrize("kind", ["tap", "tun"])
UDP_SEGMENT = 103  # linux/udp.h
CAPACITY = bpf.MEMORY_BYTES // 4 - bpf.MARKS


@methods
@ip_kinds
def test_the_first_packet_of_a_mark_may_be_large(method: str, kind: str) -> None:
    """The kernel cannot lengthen a packet beyond 16 KB, so it must be learned without a prefix."""
    with End(kind, method, mtu=65517) as end:
        sizes = (16_000, 16_100, 40_000, 65517 - 40 - UDP_BYTES)
        for number, (version, size) in enumerate(product((4, 6), sizes), 0x20000):
            payload = bytes(i % 251 for i in range(size))
            end.send(version, payload, number)
            mark, packet = end.leaving()
            assert mark == number
            assert end.payload(version, packet) == payload


@methods
@ip_kinds
def test_every_segment_of_a_large_packet_has_its_mark(method: str, kind: str) -> None:
    """The program sees one packet of 42,000 bytes; the device gets 30."""
    with End(kind, method) as end, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("I", 0xABCDEF01))
        sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1400)
        sent = b"".join(bytes([i]) * 1400 for i in range(30))
        sock.sendto(sent, ("10.1.0.2", 9))
        got = [end.leaving() for _ in range(30)]
        assert {mark for mark, _ in got} == {0xABCDEF01}
        assert b"".join(end.payload(4, packet) for _, packet in got) == sent


@methods
def test_more_marks_than_can_be_learned(method: str) -> None:
    """Those that find no place take the escape; the others keep their numbers."""
    with End("tun", method) as end:
        for mark in (*range(0x10000, 0x10000 + CAPACITY + 20), 0x10000, 0x10000 + CAPACITY + 5, 7):
            end.send(4, b"x", mark)
            got, packet = end.leaving()
            assert (got, end.payload(4, packet)) == (mark, b"x")


@methods
def test_the_slot_is_empty_after_a_write(method: str) -> None:
    """A mark concerns the packet it was written with, and none that another interface redirects to this one."""
    with End("tun", method) as end:
        assert isinstance(end.port, BpfPort)
        sock = end.listen(4)
        end.port.write(7, end.datagram(4, b"marked"))
        end.port.write(0, end.datagram(4, b"unmarked"))
        with pytest.raises(OSError):
            end.port.write(8, b"\xff refused")
        assert end.port._words[bpf.SLOT] == 0
        end.port.write(0, end.datagram(4, b"unmarked, too"))
        assert [arrival(sock) for _ in range(3)] == [(7, b"marked"), (0, b"unmarked"), (0, b"unmarked, too")]


@methods
@pytest.mark.parametrize(("kind", "mode"), [("tap", "native"), ("tap", "generic"), ("tun", "generic")])
def test_what_xdp_keeps_from_the_stack_is_not_reached(method: str, kind: str, mode: str) -> None:
    need(method)
    program = open_program("drop", None)
    try:
        with End(kind, method) as end, Rtnl(None) as rtnl:
            sock = end.listen(4)
            end.port.write(7, end.datagram(4, b"before"))
            before = end.port.reached()
            assert before is not None
            rtnl.set_xdp(end.name, mode, program.fd)
            for mark in (0, 7, 0xFFFFFFFF):
                end.port.write(mark, end.datagram(4, b"dropped"))
            assert end.port.reached() == before
            rtnl.set_xdp(end.name, mode, NO_PROGRAM, program.fd)
            end.port.write(8, end.datagram(4, b"after"))
            assert end.port.reached() == before + 1
            assert [arrival(sock) for _ in range(2)] == [(7, b"before"), (8, b"after")]
    finally:
        os.close(program.fd)


@methods
def test_what_was_not_written_does_not_count_as_reached(method: str) -> None:
    """A sender of multicast packets gets copies back, which come in through the interface as well."""
    with End("tun", method) as end, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        before = end.port.reached()
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.1.0.1"))
        membership = socket.inet_aton("239.1.1.1") + socket.inet_aton("10.1.0.1")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sock.bind(("", 4242))
        sock.settimeout(5)
        sock.sendto(b"to all", ("239.1.1.1", 4242))
        assert sock.recv(99) == b"to all"
        assert end.port.reached() == before


@methods
def test_packets_are_not_handed_to_another_cpu(method: str) -> None:
    """RPS, which a system can switch on for every new interface, would read the slot too late."""
    mask = Path("/proc/sys/net/core/rps_default_mask")  # of this thread's network namespace
    if not mask.exists():
        pytest.skip("this kernel has no net.core.rps_default_mask (before 6.3)")
    mask.write_text("1")
    with End("tun", method) as end:
        sysfs = syscalls.open_sysfs()
        try:
            fd = os.open(f"class/net/{end.name}/queues/rx-0/rps_cpus", os.O_RDONLY, dir_fd=sysfs)
        finally:
            os.close(sysfs)
        with open(fd) as file:
            assert int(file.read().replace(",", ""), 16) == 0
        sock = end.listen(4)
        for number in range(2000):
            end.port.write(number + 1, end.datagram(4, b""))
            assert arrival(sock)[0] == number + 1


@methods
def test_the_same_index_in_another_namespace_is_another_interface(method: str) -> None:
    netns.create("far")
    try:
        with End("tun", method) as here, End("tun", method, netns="far") as there:
            with entered("far"):
                index = socket.if_nametoindex(there.name)
            assert index == socket.if_nametoindex(here.name)
            for end, mark in ((here, 0x30000), (there, 0x40000)):
                end.send(4, b"through this one", mark)
                got, packet = end.leaving()
                assert (got, end.payload(4, packet)) == (mark, b"through this one")
    finally:
        netns.remove("far")
