"""Which packet arrives where, what leaves with which mark, and interfaces that go away."""

from __future__ import annotations

import errno
import select
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.config.model import Mode
from gpiomux.datapath.interfaces import Interfaces, Member
from gpiomux.datapath.recorder import PACKET, Recorder
from gpiomux.errors import UsageError
from gpiomux.wire.packet import Packet
from tests.datapath.memory_port import MemoryPort

if TYPE_CHECKING:
    from collections.abc import Iterator

IPV4, IPV6 = b"\x45" + bytes(19), b"\x60" + bytes(39)


class Link:
    """A link with two children, `one` (marks 7 and 9) and `two` (no mark)."""

    def __init__(self, mode: Mode = Mode.NET_HDR, *, rx_ring: int | None = None, datagram: bool = False) -> None:
        self.poller = select.poll()
        self.ports = {name: MemoryPort() for name in ("main", "one", "two")}
        self.main = Member("main", self.ports["main"])
        self.interfaces = Interfaces(self.poller, mode, self.main, rx_ring=rx_ring, datagram=datagram)
        for name in ("one", "two"):
            self.interfaces.attach(Member(name, self.ports[name]))
        for mark in (9, 7):
            self.interfaces.bind("one", mark)

    def member(self, name: str) -> Member:
        return next(member for member in self.interfaces if member.name == name)

    def ready(self) -> list[str]:
        """Names of the interfaces whose descriptor is looked at and readable."""
        members = [self.interfaces.member_of(fd) for fd, _ in self.poller.poll(0)]
        return sorted(member.name for member in members if member is not None)

    def arrived(self) -> dict[str, list[tuple[int, bytes]]]:
        return {name: port.arrived for name, port in self.ports.items() if port.arrived}


@pytest.fixture
def link() -> Iterator[Link]:
    one = Link()
    yield one
    one.interfaces.close()
    for port in one.ports.values():
        port.close()


# What arrives.


@pytest.mark.parametrize(("mark", "name"), [(0, "main"), (7, "one"), (9, "one"), (8, "main"), (2**32 - 1, "main")])
def test_a_packet_arrives_where_its_mark_is_bound(link: Link, mark: int, name: str) -> None:
    link.interfaces.deliver(Packet(mark, IPV4))
    assert link.arrived() == {name: [(mark, IPV4)]}
    counters = link.member(name).counters
    assert (counters.rx_packets, counters.rx_bytes, counters.rx_dropped) == (1, len(IPV4), 0)


def test_the_child_is_chosen_anew_for_each_packet(link: Link) -> None:
    for mark in (7, 0, 9, 0):
        link.interfaces.deliver(Packet(mark, IPV6))
    assert link.arrived() == {"one": [(7, IPV6), (9, IPV6)], "main": [(0, IPV6), (0, IPV6)]}


def test_marks_can_be_moved(link: Link) -> None:
    link.interfaces.unbind(7)
    link.interfaces.deliver(Packet(7, IPV4))
    link.interfaces.bind("two", 7)
    link.interfaces.deliver(Packet(7, IPV4))
    assert sorted(link.arrived()) == ["main", "two"]
    assert [child.marks for child in link.interfaces.children()] == [[9], [7]]


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EBADFD, errno.EAGAIN])
def test_what_the_kernel_does_not_take_is_counted(link: Link, number: int) -> None:
    link.ports["one"].write_errno = number
    link.interfaces.deliver(Packet(7, IPV4))
    assert link.member("one").counters.rx_dropped == 1
    assert link.arrived() == {}


def test_what_is_written_and_does_not_reach_the_stack_is_counted(link: Link) -> None:
    one = link.member("one")
    for _ in range(5):
        link.interfaces.deliver(Packet(7, IPV4))
    assert one.counted().rx_xdp == 0  # nobody counts what reaches it
    link.ports["one"].passed = 3
    assert (one.counted().rx_packets, one.counted().rx_xdp) == (5, 2)


# Who watches.


def test_whoever_watches_sees_each_packet_where_it_goes(link: Link) -> None:
    tapped: dict[str, Recorder | None] = {}
    recorder = Recorder(tapped.__setitem__)
    seen: list[tuple[Any, ...]] = []
    recorder.watch((PACKET,), lambda record: seen.append(record[2:]))
    link.interfaces.tap = tapped[PACKET]
    link.interfaces.deliver(Packet(7, IPV4))
    link.interfaces.deliver(Packet(8, IPV6))
    for name in ("one", "main"):
        link.ports[name].send(0, IPV4)
        link.interfaces.take(link.member(name))
    assert seen == [
        ("in", "one", 7, 20, IPV4),
        ("in", "main", 8, 40, IPV6),
        ("out", "one", 7, 20, IPV4),
        ("out", "main", 0, 20, IPV4),
    ]


# What has to wait.


@pytest.fixture(params=[False, True], ids=["reliable", "datagram"])
def patient(request: pytest.FixtureRequest) -> Iterator[Link]:
    """A link with an rx_ring of 3."""
    one = Link(rx_ring=3, datagram=request.param)
    yield one
    one.interfaces.close()


def numbered(number: int) -> bytes:
    return IPV4 + bytes([number])


def test_what_an_interface_does_not_take_waits(patient: Link) -> None:
    port, interfaces = patient.ports["one"], patient.interfaces
    port.write_errno = errno.EAGAIN
    filling = []
    for number in range(3):
        interfaces.deliver(Packet(7, numbered(number)))
        filling.append(interfaces.full)
    assert filling == [False, False, True]
    interfaces.deliver(Packet(0, IPV6))
    assert patient.arrived() == {"main": [(0, IPV6)]}, "another interface is not held up"
    interfaces.offer_again()
    assert interfaces.waiting == 3
    port.write_errno = 0
    interfaces.deliver(Packet(9, numbered(3)))
    interfaces.offer_again()
    arrived = [packet for _, packet in port.arrived]
    dropped = patient.member("one").counters.rx_ring_full
    assert arrived == [numbered(number) for number in range(4 - dropped)]
    assert (interfaces.waiting, interfaces.full) == (0, False)
    assert patient.member("one").counters.rx_packets == len(arrived)


def test_a_full_ring_drops_datagrams_and_lets_a_reliable_peer_wait(patient: Link) -> None:
    patient.ports["main"].write_errno = errno.EAGAIN
    for number in range(5):
        patient.interfaces.deliver(Packet(0, numbered(number)))
    dropped = patient.main.counters.rx_ring_full
    assert (patient.interfaces.waiting, dropped) in ((5, 0), (3, 2))
    patient.ports["main"].write_errno = errno.EIO
    patient.interfaces.offer_again()
    assert patient.main.counters.rx_dropped == 5 - dropped
    assert patient.interfaces.waiting == 0


@pytest.mark.parametrize("verb", ["detach", "lose"])
def test_what_waits_goes_with_its_interface(patient: Link, verb: str) -> None:
    member = patient.member("one")
    patient.ports["one"].write_errno = errno.EAGAIN
    patient.interfaces.deliver(Packet(7, IPV4))
    if verb == "detach":
        patient.interfaces.detach("one")
    else:
        patient.interfaces.lose(member)
    assert (patient.interfaces.waiting, member.counters.rx_dropped) == (0, 1)


# What leaves.


def test_packets_leave_with_their_mark(link: Link) -> None:
    for mark, packet in ((0, IPV4), (5, IPV6)):
        link.ports["main"].send(mark, packet)
    assert [link.interfaces.take(link.main) for _ in range(3)] == [(0, IPV4), (5, IPV6), None]
    assert (link.main.counters.tx_packets, link.main.counters.tx_bytes) == (2, 60)


def test_without_a_mark_a_child_gives_its_lowest(link: Link) -> None:
    for name in ("one", "two"):
        link.ports[name].send(0, IPV4)
        link.ports[name].send(9, IPV4)
    one, two = link.member("one"), link.member("two")
    assert [link.interfaces.take(one), link.interfaces.take(one)] == [(7, IPV4), (9, IPV4)]
    assert [link.interfaces.take(two), link.interfaces.take(two)] == [(0, IPV4), (9, IPV4)]


def test_only_ip_leaves_where_the_mode_says_so(link: Link) -> None:
    for packet in (b"", b"\x00", b"\x50" + bytes(30), IPV4):
        link.ports["main"].send(0, packet)
    assert link.interfaces.take(link.main) == (0, IPV4)
    assert (link.main.counters.tx_packets, link.main.counters.tx_dropped) == (1, 3)


@pytest.mark.parametrize("mode", [Mode.ETH, Mode.RAW])
def test_anything_leaves_in_the_other_modes(mode: Mode) -> None:
    link = Link(mode)
    link.ports["main"].send(0, b"\0\0")
    assert link.interfaces.take(link.main) == (0, b"\0\0")
    link.interfaces.close()


# What is looked at.


def test_all_interfaces_are_looked_at(link: Link) -> None:
    assert link.ready() == []
    for port in link.ports.values():
        port.send(0, IPV4)
    link.interfaces.attach(Member("late", late := MemoryPort()))
    late.send(0, IPV4)
    assert link.ready() == ["late", "main", "one", "two"]


def test_the_carrier_reaches_every_interface(link: Link) -> None:
    seen = [[port.carrier for port in link.ports.values()]]
    for on in (True, False):
        link.interfaces.set_carrier(on)
        seen.append([port.carrier for port in link.ports.values()])
    assert seen == [[False] * 3, [True] * 3, [False] * 3]
    link.interfaces.set_carrier(True)
    late = MemoryPort()
    link.interfaces.attach(Member("late", late))
    assert late.carrier


# Interfaces that come and go.


def test_detaching_gives_the_marks_back(link: Link) -> None:
    link.interfaces.detach("one")
    assert link.ports["one"].closed
    link.interfaces.deliver(Packet(7, IPV4))
    assert link.arrived() == {"main": [(7, IPV4)]}
    link.interfaces.bind("two", 7)
    assert [child.name for child in link.interfaces.children()] == ["two"]


@pytest.mark.parametrize(
    ("verb", "arguments", "text"),
    [
        ("detach", ("three",), "main: has no child three"),
        ("detach", ("main",), "main: has no child main"),
        ("bind", ("three", 1), "main: has no child three"),
        ("bind", ("two", 7), "main: mark 7 is bound to one already"),
        ("bind", ("one", 7), "main: mark 7 is bound to one already"),
        ("unbind", (8,), "main: mark 8 is not bound"),
    ],
)
def test_requests_that_make_no_sense(link: Link, verb: str, arguments: tuple[object, ...], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        getattr(link.interfaces, verb)(*arguments)
    assert caught.value.message == text
    assert [child.marks for child in link.interfaces.children()] == [[7, 9], []]


@pytest.mark.parametrize("name", ["main", "one"])
def test_a_name_is_attached_once(link: Link, name: str) -> None:
    port = MemoryPort()
    with pytest.raises(UsageError, match=f"main: {name} is attached already"):
        link.interfaces.attach(Member(name, port))
    assert not port.closed, "it stays the caller's"
    port.close()


def test_a_child_that_is_gone_before_it_is_attached(link: Link) -> None:
    port = MemoryPort()
    port.remove()
    with pytest.raises(OSError):
        link.interfaces.attach(Member("late", port))
    assert [child.name for child in link.interfaces.children()] == ["one", "two"]
    assert link.ready() == []
    port.close()


@pytest.mark.parametrize("name", ["main", "one"])
def test_a_removed_interface_is_no_longer_looked_at(link: Link, name: str) -> None:
    port, member = link.ports[name], link.member(name)
    port.send(0, IPV4)
    port.remove()
    assert link.interfaces.take(member) is None
    assert member.gone
    assert link.ready() == []
    link.interfaces.deliver(Packet(7 if name == "one" else 0, IPV4))
    assert member.counters.rx_dropped == 1
    link.interfaces.set_carrier(True)
    link.interfaces.lose(member)


def test_a_removed_interface_shows_by_its_carrier(link: Link) -> None:
    link.ports["one"].remove()
    link.interfaces.set_carrier(True)
    assert [member.name for member in link.interfaces if member.gone] == ["one"]
    assert link.ports["two"].carrier
    link.interfaces.detach("one")
    link.interfaces.attach(Member("one", replacement := MemoryPort()))
    link.interfaces.bind("one", 7)
    link.interfaces.deliver(Packet(7, IPV4))
    assert replacement.arrived == [(7, IPV4)]


def test_an_interface_that_is_only_down_stays(link: Link) -> None:
    link.ports["one"].read_errno = errno.EIO
    member = link.member("one")
    assert link.interfaces.take(member) is None
    assert not member.gone


def test_closing_closes_every_port(link: Link) -> None:
    link.interfaces.close()
    assert all(port.closed for port in link.ports.values())


def test_every_interface_is_limited_but_those_that_are_gone(link: Link) -> None:
    link.ports["two"].remove()
    link.interfaces.set_send_buffer(9000)
    assert {name: port.limit_bytes for name, port in link.ports.items()} == {"main": 9000, "one": 9000, "two": None}
    assert link.member("two").gone


def test_packets_are_counted_by_protocol_on_their_interface(link: Link) -> None:
    udp, tcp = IPV4[:9] + b"\x11" + IPV4[10:], IPV6[:6] + b"\x06" + IPV6[7:]
    link.interfaces.deliver(Packet(7, udp))
    link.ports["one"].send(0, tcp)
    link.interfaces.take(link.member("one"))
    counted = link.member("one").counters.as_dict()["protocols"]
    assert {name for name, packets in counted.items() if packets} == {"rx_ipv4", "rx_udp", "tx_ipv6", "tx_tcp"}
    assert set(link.main.counters.as_dict()["protocols"].values()) == {0}


def test_the_protocol_number_of_a_raw_packet_is_no_part_of_its_bytes() -> None:
    raw = Link(Mode.RAW)
    raw.interfaces.deliver(Packet(0, b"\x88\xb5data"))
    raw.ports["main"].send(0, b"\x88\xb5more data")
    raw.interfaces.take(raw.main)
    counters = raw.main.counters
    assert (counters.rx_bytes, counters.tx_bytes) == (4, 9)
    assert counters.as_dict()["protocols"]["rx_raw"] == counters.as_dict()["protocols"]["tx_raw"] == 1
    raw.interfaces.close()
    for port in raw.ports.values():
        port.close()


# Packets that are too large.


def ipv4(length: int, *, dont_fragment: bool = False) -> bytes:
    """A UDP packet from 10.0.0.1 to 10.0.0.2 without checksums."""
    head = b"\x45\0" + length.to_bytes(2, "big") + b"\0\1" + (b"\x40\0" if dont_fragment else b"\0\0")
    return head + bytes((64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)) + bytes(length - 20)


def test_larger_packets_of_a_mark_leave_in_fragments(link: Link) -> None:
    link.interfaces.pmtus.put(5, 576)
    for mark in (5, 6, 0):
        link.ports["main"].send(mark, ipv4(1000))
    left = list(link.interfaces.leaving(link.main, 32))
    assert [(packet.mark, len(packet.payload)) for packet in left] == [(5, 572), (5, 448), (6, 1000), (0, 1000)]
    counters = link.main.counters
    assert (counters.tx_packets, counters.tx_bytes, counters.tx_fragmented, counters.tx_too_big) == (3, 3000, 1, 0)


def test_the_sender_of_what_must_not_be_cut_is_told_where_it_sent(link: Link) -> None:
    """The mark is the one that would have gone on the wire: here that of the child."""
    link.interfaces.pmtus.put(7, 576)
    link.ports["one"].send(0, ipv4(1000, dont_fragment=True))
    assert list(link.interfaces.leaving(link.member("one"), 32)) == []
    ((mark, answer),) = link.ports["one"].arrived
    assert (mark, answer[9], answer[20:22], answer[26:28]) == (7, 1, b"\3\4", (576).to_bytes(2, "big"))
    counters = link.member("one").counters
    assert (counters.tx_packets, counters.tx_fragmented, counters.tx_too_big, counters.rx_packets) == (1, 0, 1, 1)


def test_an_answer_that_nobody_takes_is_lost(patient: Link) -> None:
    patient.interfaces.pmtus.set_mtu(576)
    patient.ports["main"].write_errno = errno.EAGAIN
    patient.ports["main"].send(0, ipv4(1000, dont_fragment=True))
    assert list(patient.interfaces.leaving(patient.main, 32)) == []
    assert (patient.interfaces.waiting, patient.main.counters.tx_too_big) == (0, 1)


def test_fragments_count_and_the_next_packet_stays_where_it_is(link: Link) -> None:
    link.interfaces.pmtus.put(5, 576)
    for _ in range(3):
        link.ports["main"].send(5, ipv4(1000))
    assert len(list(link.interfaces.leaving(link.main, 3))) == 4
    assert len(list(link.interfaces.leaving(link.main, 3))) == 2


def test_a_flood_of_what_is_too_large_ends_the_turn(link: Link) -> None:
    link.interfaces.pmtus.set_mtu(576)
    for _ in range(5):
        link.ports["main"].send(0, ipv4(1000, dont_fragment=True))
    assert list(link.interfaces.leaving(link.main, 3)) == []
    assert link.main.counters.tx_too_big == 3
