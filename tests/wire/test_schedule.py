"""The order in which packets leave: flows keep theirs, and nobody waits for a packet of somebody else to end."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.record import FIRST, LANES, LAST, MAX_PIECE_BYTES
from gpiomux.wire.schedule import QUANTUM_BYTES, SPARSE_BYTES, Cut, Schedule


def drain(schedule: Schedule, most_bytes: int = MAX_PIECE_BYTES) -> list[Cut]:
    found = []
    while (cut := schedule.next(most_bytes)) is not None:
        found.append(cut)
    return found


def packets_of(cuts: list[Cut]) -> list[bytes]:
    """Packets in the order in which they are complete, put together as a receiver does."""
    lanes: dict[int, bytes] = {}
    found = []
    for cut in cuts:
        lane = cut.record.lane
        assert bool(cut.record.flags & FIRST) == (lane not in lanes)
        lanes[lane] = lanes.get(lane, b"") + cut.record.piece
        if cut.record.flags & LAST:
            found.append(lanes.pop(lane))
            assert cut.packet_bytes == len(found[-1])
        else:
            assert cut.packet_bytes == 0
    assert not lanes
    return found


def test_an_empty_ring_has_nothing() -> None:
    schedule = Schedule(4)
    assert schedule.next() is None
    assert len(schedule) == 0
    assert not schedule.full


@pytest.mark.parametrize(
    ("length", "pieces"), [(1, [1]), (256, [256]), (257, [256, 1]), (512, [256, 256]), (1508, [256] * 5 + [228])]
)
def test_a_packet_is_cut_into_pieces(length: int, pieces: list[int]) -> None:
    schedule = Schedule(4)
    packet = bytes(index % 251 for index in range(length))
    schedule.put(b"flow", packet)
    cuts = drain(schedule, 256)
    assert [len(cut.record.piece) for cut in cuts] == pieces
    assert packets_of(cuts) == [packet]


def test_the_length_of_pieces_may_change_at_any_time() -> None:
    schedule = Schedule(4)
    schedule.put(b"flow", b"0123456789")
    assert [cut.record.piece for most in (1, 4, 2, 99) if (cut := schedule.next(most))] == [
        b"0",
        b"1234",
        b"56",
        b"789",
    ]
    assert schedule.next() is None


def test_a_sparse_packet_is_the_next() -> None:
    """However many flows have taken every other lane."""
    schedule = Schedule(64)
    for flow in range(3 * LANES):
        schedule.put(bytes([flow]), bytes(60_000))
    for _ in range(5):
        schedule.next()
    schedule.put(b"ping", b"small")
    assert schedule.sparse_next()
    cut = schedule.next()
    assert cut is not None
    assert cut.record.piece == b"small"
    assert not schedule.sparse_next()


def test_what_follows_a_sparse_packet_is_bulk() -> None:
    """A flow goes first with one packet, not with all of them."""
    schedule = Schedule(64)
    schedule.put(b"bulk", bytes(3000))
    for number in range(3):
        schedule.put(b"talk", bytes([number]))
    first, second = schedule.next(), schedule.next()
    assert first is not None
    assert second is not None
    assert (first.record.piece, second.packet_bytes, second.record.flags & FIRST) == (b"\0", 0, FIRST)


def test_a_long_packet_is_not_sparse() -> None:
    schedule = Schedule(8)
    schedule.put(b"one", bytes(SPARSE_BYTES + 1))
    assert not schedule.sparse_next()
    schedule.put(b"two", bytes(SPARSE_BYTES))
    assert schedule.sparse_next()


def test_no_number_of_sparse_packets_stops_bulk() -> None:
    schedule = Schedule(10_000)
    schedule.put(b"bulk", bytes(50_000))
    sent = {True: 0, False: 0}
    for number in range(2000):
        for part in range(4):
            schedule.put(f"{number} {part}".encode(), bytes(100))
        cut = schedule.next()
        assert cut is not None
        sent[cut.packet_bytes == 100] += len(cut.record.piece)
        if cut.packet_bytes == 50_000:
            break
    assert sent[False] == 50_000
    assert 0.9 < sent[True] / sent[False] < 1.3


def test_a_small_packet_waits_for_its_own_flow() -> None:
    schedule = Schedule(8)
    schedule.put(b"bulk", bytes(3000))
    schedule.put(b"bulk", b"small")
    assert packets_of(drain(schedule)) == [bytes(3000), b"small"]


def test_lanes_take_turns() -> None:
    schedule = Schedule(8)
    for flow in (b"a", b"b", b"c"):
        schedule.put(flow, bytes(2 * MAX_PIECE_BYTES))
    assert [cut.record.lane for cut in drain(schedule)] == [1, 2, 3] * 2


def test_more_flows_than_lanes_are_served_in_order_of_arrival() -> None:
    schedule = Schedule(64)
    flows = [bytes([number]) for number in range(3 * LANES)]
    for flow in flows:
        for _ in range(3):
            schedule.put(flow, flow * QUANTUM_BYTES)
    done = packets_of(drain(schedule))
    # A flow has its second packet sent only after every other has had its first.
    for turn in range(3):
        served = done[turn * len(flows) : (turn + 1) * len(flows)]
        assert sorted(packet[:1] for packet in served) == flows


@pytest.mark.parametrize(
    "lengths", [(1000, 1000, 1000), (100, 1500, 600), (60, 9000, 60_000), (100, 1500, 40, 700, 90)]
)
@pytest.mark.parametrize("most_bytes", [32, 256, MAX_PIECE_BYTES])
def test_bulk_flows_share_equally(lengths: tuple[int, ...], most_bytes: int) -> None:
    """By bytes, whatever the lengths of their packets are, and whether each has a lane or not."""
    schedule = Schedule(100_000)
    total = 1_000_000
    for flow, length in enumerate(lengths):
        for _ in range(total // length):
            schedule.put(bytes([flow]), bytes([flow]) * length)
    sent: defaultdict[int, int] = defaultdict(int)
    while sum(sent.values()) < total // 2 * len(lengths):
        cut = schedule.next(most_bytes)
        assert cut is not None
        sent[cut.record.piece[0]] += len(cut.record.piece)
    assert max(sent.values()) < 1.1 * min(sent.values()) + max(lengths)


# Too many.


def test_the_flow_that_holds_most_loses_its_oldest() -> None:
    schedule = Schedule(6)
    for number in range(4):
        schedule.put(b"flood", bytes([1, number]) * 100)
    schedule.put(b"other", b"\2" * 250)
    filling = [schedule.full, schedule.put(b"other", b"\3" * 250), schedule.full]
    assert filling == [False, False, True]
    assert schedule.put(b"third", b"\4")
    assert schedule.put(b"third", b"\5")
    assert len(schedule) == 6
    left = packets_of(drain(schedule))
    assert sorted(left) == sorted([bytes([1, 2]) * 100, bytes([1, 3]) * 100, b"\2" * 250, b"\3" * 250, b"\4", b"\5"])


def test_a_packet_that_has_begun_to_leave_is_not_dropped() -> None:
    schedule = Schedule(1)
    schedule.put(b"a", b"\1" * 1000)
    cuts = [schedule.next(256)]
    assert schedule.put(b"a", b"\2" * 1000), "it goes itself"
    assert schedule.put(b"b", b"\3" * 10)
    cuts += drain(schedule)
    assert packets_of([cut for cut in cuts if cut is not None]) == [b"\1" * 1000]
    assert schedule._flows == {}


def test_a_flow_that_came_with_a_dropped_packet_waits_like_others() -> None:
    """Its place among the sparse was that of the short packet."""
    schedule = Schedule(2)
    schedule.put(b"a", b"short")
    schedule.put(b"a", bytes(1000))
    assert schedule.put(b"a", bytes(1001))
    assert not schedule.sparse_next()
    assert packets_of(drain(schedule)) == [bytes(1000), bytes(1001)]


def test_a_flood_costs_nobody_else() -> None:
    """A ping among a hundred packets of a flood for each that leaves."""
    schedule, arrived = Schedule(32), []
    for number in range(2000):
        for _ in range(100):
            schedule.put(b"flood", bytes(1000))
        schedule.put(b"ping", number.to_bytes(2, "big"))
        cuts = [schedule.next() for _ in range(2)]
        arrived += [cut.record.piece for cut in cuts if cut is not None and cut.packet_bytes == 2]
        assert len(schedule) <= 32
    assert arrived == [number.to_bytes(2, "big") for number in range(2000)]


@given(
    st.lists(
        st.one_of(st.none(), st.tuples(st.integers(0, 6), st.integers(1, 900))),
        max_size=60,
    ),
    st.sampled_from((1, 2, 5, 100)),
)
def test_flows_stay_in_order_and_only_what_is_told_is_lost(steps: list[tuple[int, int] | None], ring: int) -> None:
    """None asks for a piece, a pair puts a packet of a flow."""
    schedule, cuts, dropped = Schedule(ring), [], 0
    put: defaultdict[int, list[bytes]] = defaultdict(list)
    for number, step in enumerate(steps):
        if step is None:
            if (cut := schedule.next()) is not None:
                cuts.append(cut)
        else:
            flow, length = step
            packet = bytes([flow, number]) + b"." * length
            put[flow].append(packet)
            dropped += schedule.put(bytes([flow]), packet)
        assert len(schedule) <= ring
    cuts += drain(schedule)
    got = packets_of(cuts)
    for flow, packets in put.items():
        left = iter(packets)
        assert all(packet in left for packet in got if packet[0] == flow), "in order"
    assert len(got) == len(set(got)) == sum(map(len, put.values())) - dropped
    assert len(schedule) == 0
    assert schedule._flows == {}, "a flow that is over leaves nothing behind"
    assert not schedule._sparse
    assert not schedule._waiting
