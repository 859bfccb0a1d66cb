"""The order in which packets leave: flows keep theirs, and nobody waits for a packet of somebody else to end."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.record import FIRST, LANES, LAST, MAX_PIECE_BYTES
from gpiomux.wire.schedule import Cut, Schedule


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


def test_a_small_packet_overtakes_a_large_one_of_another_flow() -> None:
    schedule = Schedule(8)
    schedule.put(b"bulk", bytes(60_000))
    cuts = [cut for _ in range(5) if (cut := schedule.next())]
    schedule.put(b"ping", b"small")
    following = [cut.record.piece for _ in range(2) if (cut := schedule.next())]
    assert b"small" in following
    assert len(b"".join(cut.record.piece for cut in cuts)) == 5 * MAX_PIECE_BYTES
    assert drain(schedule)[-1].packet_bytes == 60_000


def test_a_small_packet_waits_for_its_own_flow() -> None:
    schedule = Schedule(8)
    schedule.put(b"bulk", bytes(3000))
    schedule.put(b"bulk", b"small")
    assert packets_of(drain(schedule)) == [bytes(3000), b"small"]


def test_lanes_take_turns() -> None:
    schedule = Schedule(8)
    for flow in (b"a", b"b", b"c"):
        schedule.put(flow, bytes(1000))
    lanes = [cut.record.lane for cut in drain(schedule, 256)]
    assert lanes == [0, 1, 2] * 4


def test_more_flows_than_lanes_are_served_in_order_of_arrival() -> None:
    schedule = Schedule(64)
    flows = [bytes([number]) for number in range(3 * LANES)]
    for flow in flows:
        for _ in range(3):
            schedule.put(flow, flow * 10)
    done = packets_of(drain(schedule))
    # A flow has its second packet sent only after every other has had its first.
    for turn in range(3):
        served = done[turn * len(flows) : (turn + 1) * len(flows)]
        assert sorted(packet[:1] for packet in served) == flows


def test_bulk_flows_share_equally() -> None:
    schedule = Schedule(200)
    for _ in range(40):
        for flow in (b"a", b"b", b"c", b"d"):
            schedule.put(flow, flow * 1000)
    sent: defaultdict[bytes, int] = defaultdict(int)
    for count in range(400):
        cut = schedule.next(256)
        assert cut is not None
        sent[cut.record.piece[:1]] += len(cut.record.piece)
        if count >= LANES:
            assert max(sent.values()) - min(sent.values()) <= 2 * 256


def test_the_ring_is_full_until_a_packet_is_wholly_cut() -> None:
    schedule = Schedule(2)
    filling = []
    for length in (300, 1):
        schedule.put(b"a", bytes(length))
        filling.append(schedule.full)
    emptying = [schedule.full for _ in range(3) if schedule.next(256)]
    assert filling == [False, True]
    assert emptying == [True, False, False]
    assert len(schedule) == 0


@given(
    st.lists(
        st.one_of(st.none(), st.tuples(st.integers(0, 6), st.integers(1, 900))),
        max_size=60,
    )
)
def test_flows_stay_in_order_and_nothing_is_lost(steps: list[tuple[int, int] | None]) -> None:
    """None asks for a piece, a pair puts a packet of a flow."""
    schedule, cuts = Schedule(100), []
    put: defaultdict[int, list[bytes]] = defaultdict(list)
    for number, step in enumerate(steps):
        if step is None:
            if (cut := schedule.next()) is not None:
                cuts.append(cut)
        else:
            flow, length = step
            packet = bytes([flow, number]) + b"." * length
            put[flow].append(packet)
            schedule.put(bytes([flow]), packet)
    cuts += drain(schedule)
    got: defaultdict[int, list[bytes]] = defaultdict(list)
    for packet in packets_of(cuts):
        got[packet[0]].append(packet)
    assert got == put
    assert len(schedule) == 0
    assert schedule._flows == {}, "a flow that is over leaves nothing behind"
