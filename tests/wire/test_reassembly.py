"""Packets out of records: lanes that mix, packets that are cut short, and what no lane may keep."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.counters import Counters
from gpiomux.wire.packet import Packet
from gpiomux.wire.reassembly import Reassembly
from gpiomux.wire.record import FIRST, FLAGS, LANE_SHIFT, LANES, LAST, MAX_PIECE_BYTES, Record

if TYPE_CHECKING:
    from random import Random

LONGEST_BYTES = 1500


def records_of(packet: Packet, lane: int, piece_bytes: int) -> list[Record]:
    data = packet.encode()
    pieces = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]
    flags = [lane << LANE_SHIFT for _ in pieces]
    flags[0] |= FIRST
    flags[-1] |= LAST
    return [Record(flag, piece) for flag, piece in zip(flags, pieces, strict=True)]


def feed(reassembly: Reassembly, *records: Record) -> list[Packet]:
    packets = reassembly.feed(b"".join(record.encode() for record in records), LONGEST_BYTES)
    assert packets is not None
    return packets


@given(
    st.lists(st.lists(st.binary(max_size=900), max_size=4), min_size=LANES, max_size=LANES),
    st.integers(1, MAX_PIECE_BYTES),
    st.randoms(use_true_random=False),
)
def test_lanes_may_be_mixed(payloads: list[list[bytes]], piece_bytes: int, draws: Random) -> None:
    lanes = [
        [record for mark, payload in enumerate(lane) for record in records_of(Packet(mark, payload), at, piece_bytes)]
        for at, lane in enumerate(payloads)
    ]
    counters = Counters()
    reassembly = Reassembly(counters)
    found: list[list[Packet]] = [[] for _ in lanes]
    while any(lanes):
        lane = draws.choice([number for number, records in enumerate(lanes) if records])
        found[lane] += feed(reassembly, lanes[lane].pop(0))
    assert found == [[Packet(mark, payload) for mark, payload in enumerate(lane)] for lane in payloads]
    sent = [payload for lane in payloads for payload in lane]
    assert counters == Counters(rx_packets=len(sent), rx_bytes=sum(map(len, sent)))


def test_a_packet_may_be_cut_short_by_another() -> None:
    counters = Counters()
    reassembly = Reassembly(counters)
    begun = records_of(Packet(1, b"never ended"), 2, 5)
    assert feed(reassembly, begun[0], *records_of(Packet(2, b"whole"), 2, 99)) == [Packet(2, b"whole")]
    assert counters.rx_sequence_errors == 1


def test_a_piece_that_continues_nothing_is_dropped() -> None:
    counters = Counters()
    reassembly = Reassembly(counters)
    assert feed(reassembly, *records_of(Packet(1, b"headless"), 0, 5)[1:]) == []
    assert counters == Counters(rx_sequence_errors=3)
    assert feed(reassembly, *records_of(Packet(1, b"whole"), 0, 5)) == [Packet(1, b"whole")]


@pytest.mark.parametrize("change", [-1, 1])
def test_a_packet_of_another_length_than_told_is_dropped(change: int) -> None:
    counters = Counters()
    data = Packet(1, b"payload").encode()
    wrong = data[:-1] if change < 0 else data + b"x"
    assert feed(Reassembly(counters), Record(FIRST | LAST, wrong)) == []
    assert counters == Counters(rx_length_errors=1)


def test_a_packet_that_is_too_long_is_dropped_and_its_lane_goes_on() -> None:
    counters = Counters()
    reassembly = Reassembly(counters)
    assert feed(reassembly, *records_of(Packet(1, bytes(LONGEST_BYTES + 1)), 0, 500)) == []
    assert counters.rx_length_errors == 1
    longest = Packet(1, bytes(LONGEST_BYTES))
    assert feed(reassembly, *records_of(longest, 0, 500)) == [longest]


def test_an_interruption_ends_what_has_begun() -> None:
    """Pieces before and after lost bytes never make one packet."""
    counters = Counters()
    reassembly = Reassembly(counters)
    first, second = records_of(Packet(1, b"one two"), 0, 8), records_of(Packet(2, b"two ten"), 1, 8)
    assert feed(reassembly, first[0], second[0]) == []
    reassembly.interrupt()
    assert counters.rx_sequence_errors == 2
    assert feed(reassembly, first[1], second[1], *records_of(Packet(3, b"three"), 0, 99)) == [Packet(3, b"three")]
    assert counters == Counters(rx_sequence_errors=4, rx_packets=1, rx_bytes=5)


def test_what_is_no_stream_of_records_is_refused() -> None:
    assert Reassembly(Counters()).feed(b"\xff\xff\xff", LONGEST_BYTES) is None


@given(st.lists(st.builds(Record, st.integers(0, FLAGS), st.binary(max_size=MAX_PIECE_BYTES)), max_size=60))
def test_no_records_raise_or_are_kept(records: list[Record]) -> None:
    reassembly = Reassembly(Counters())
    for record in records:
        feed(reassembly, record)
    assert len(pickle.dumps(reassembly)) < LANES * (LONGEST_BYTES + 8) + MAX_PIECE_BYTES + 1000
