"""What a sender learns: the timeout of RFC 6298, and the length of frames that wastes least and is over in time."""

from __future__ import annotations

from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.timing import (
    FIRST_BYTES,
    FRAME_NS,
    INITIAL_TIMEOUT_NS,
    LOSS_MEMORY_BYTES,
    MAX_FRAME_DATA_BYTES,
    MAX_TIMEOUT_NS,
    MIN_FRAME_DATA_BYTES,
    MIN_TIMEOUT_NS,
    OVERHEAD_BYTES,
    LossRate,
    Pace,
    RoundTrip,
)

MS = 1_000_000


# Round trips.


def test_the_timeout_grows_up_to_a_limit() -> None:
    round_trip, seen = RoundTrip(), []
    for _ in range(6):
        seen.append(round_trip.timeout_ns)
        round_trip.back_off()
    assert seen == [INITIAL_TIMEOUT_NS * factor for factor in (1, 2, 4, 8, 8, 8)]
    assert seen[-1] == MAX_TIMEOUT_NS


def test_round_trips_are_smoothed_as_in_rfc_6298() -> None:
    """SRTT = R, RTTVAR = R/2; then RTTVAR moves by 1/4 and SRTT by 1/8; RTO = SRTT + 4 RTTVAR."""
    round_trip = RoundTrip()
    round_trip.sample(100 * MS)
    assert round_trip.timeout_ns == 300 * MS
    round_trip.sample(180 * MS)
    # RTTVAR = 3/4 * 50 + 1/4 * 80 = 57.5, SRTT = 7/8 * 100 + 1/8 * 180 = 110
    assert round_trip.timeout_ns == 340 * MS
    for _ in range(200):
        round_trip.sample(1 * MS)
    assert round_trip.timeout_ns == MIN_TIMEOUT_NS
    round_trip.sample(3600 * 1000 * MS)
    assert round_trip.timeout_ns == MAX_TIMEOUT_NS


def test_what_arrives_undoes_a_timeout() -> None:
    """Also without a measurement, but never below what was measured."""
    round_trip = RoundTrip()
    round_trip.sample(100 * MS)
    for _ in range(2):
        round_trip.back_off()
    seen = []
    for _ in range(3):
        round_trip.recover()
        seen.append(round_trip.timeout_ns)
    assert seen == [600 * MS, 300 * MS, 300 * MS]


@given(st.lists(st.one_of(st.sampled_from(("back off", "recover")), st.integers(0, 10**14)), max_size=60))
def test_the_timeout_keeps_its_bounds(steps: list[int | str]) -> None:
    """A number is a measurement."""
    round_trip = RoundTrip()
    for step in steps:
        if step == "back off":
            round_trip.back_off()
        elif isinstance(step, str):
            round_trip.recover()
        else:
            round_trip.sample(step)
        assert MIN_TIMEOUT_NS <= round_trip.timeout_ns <= MAX_TIMEOUT_NS


# The length of frames.


def carried(data_bytes: int, bytes_per_loss: float) -> float:
    """Share of the line that is data, where each byte is hit with the same small probability."""
    whole = (1 - 1 / bytes_per_loss) ** (data_bytes + OVERHEAD_BYTES)
    return whole * data_bytes / (data_bytes + OVERHEAD_BYTES)


def test_without_losses_frames_grow() -> None:
    rate = LossRate()
    assert rate.data_bytes() == isqrt(OVERHEAD_BYTES * FIRST_BYTES) < MAX_FRAME_DATA_BYTES
    sent = 0
    while rate.data_bytes() < MAX_FRAME_DATA_BYTES:
        sent += rate.data_bytes()
        rate.sent(rate.data_bytes())
    assert sent < LOSS_MEMORY_BYTES
    for _ in range(10_000):
        rate.sent(MAX_FRAME_DATA_BYTES)
    assert rate.data_bytes() == MAX_FRAME_DATA_BYTES


def test_losses_shorten_frames_and_are_forgotten() -> None:
    rate = LossRate()
    lengths = []
    for _ in range(200):
        rate.sent(MIN_FRAME_DATA_BYTES)
        rate.lost()
        lengths.append(rate.data_bytes())
    assert lengths[-1] == MIN_FRAME_DATA_BYTES
    for _ in range(5000):
        rate.sent(MIN_FRAME_DATA_BYTES)
        lengths.append(rate.data_bytes())
    assert lengths[-1] == MAX_FRAME_DATA_BYTES


def test_one_loss_is_forgotten_within_the_memory() -> None:
    rate = LossRate()
    rate.sent(MAX_FRAME_DATA_BYTES)
    rate.lost()
    shortened = rate.data_bytes()
    assert shortened < MAX_FRAME_DATA_BYTES
    sent = 0
    while rate.data_bytes() < MAX_FRAME_DATA_BYTES:
        rate.sent(rate.data_bytes())
        sent += rate.data_bytes() + OVERHEAD_BYTES
        assert sent <= LOSS_MEMORY_BYTES


@pytest.mark.parametrize("bytes_per_loss", [150, 400, 1000, 3000, 10_000])
def test_the_length_is_near_the_best(bytes_per_loss: int) -> None:
    """Compared with every other length: no more than a few percent of the line are given away."""
    rate, since = LossRate(), 0
    for _ in range(2000):
        data_bytes = rate.data_bytes()
        rate.sent(data_bytes)
        since += data_bytes + OVERHEAD_BYTES
        if since >= bytes_per_loss:  # evenly, so that the test needs no luck
            since -= bytes_per_loss
            rate.lost()
    best = max(carried(length, bytes_per_loss) for length in range(MIN_FRAME_DATA_BYTES, MAX_FRAME_DATA_BYTES + 1))
    assert carried(rate.data_bytes(), bytes_per_loss) > 0.93 * best


@given(st.lists(st.one_of(st.none(), st.integers(0, 512)), max_size=300))
def test_the_length_keeps_its_bounds(steps: list[int | None]) -> None:
    """None is a loss, a number a frame."""
    rate = LossRate()
    for step in steps:
        if step is None:
            rate.lost()
        else:
            rate.sent(step)
        assert MIN_FRAME_DATA_BYTES <= rate.data_bytes() <= MAX_FRAME_DATA_BYTES


# The pace of the line.

LONGEST_LINE_BYTES = MAX_FRAME_DATA_BYTES + OVERHEAD_BYTES


def test_a_line_that_is_not_known_or_fast_carries_long_frames() -> None:
    pace = Pace()
    assert pace.data_bytes() == MAX_FRAME_DATA_BYTES
    pace.sent(LONGEST_LINE_BYTES, FRAME_NS)
    assert pace.data_bytes() == MAX_FRAME_DATA_BYTES


@pytest.mark.parametrize("byte_ns", [1_000_000, 2_000_000, 5_000_000])
def test_frames_are_as_long_as_the_line_carries_in_time(byte_ns: int) -> None:
    pace = Pace()
    pace.sent(48, 48 * byte_ns)
    taken_ns = (pace.data_bytes() + OVERHEAD_BYTES) * byte_ns
    assert FRAME_NS - byte_ns < taken_ns <= FRAME_NS


def test_a_slower_line_is_believed_at_once_and_a_faster_one_by_half() -> None:
    pace = Pace()
    pace.sent(LONGEST_LINE_BYTES, 1)
    pace.sent(48, 48 * 8 * 1_000_000)
    lengths = [pace.data_bytes()]
    while lengths[-1] < MAX_FRAME_DATA_BYTES:
        pace.sent(48, 48)
        lengths.append(pace.data_bytes())
    assert [length + OVERHEAD_BYTES for length in lengths] == [50, 100, 200, 400, LONGEST_LINE_BYTES]


def test_no_line_is_too_slow_for_the_shortest_frame() -> None:
    pace = Pace()
    pace.sent(13, 3600 * 1_000_000_000)
    assert pace.data_bytes() == MIN_FRAME_DATA_BYTES
    for _ in range(40):
        pace.sent(48, 48)
    assert pace.data_bytes() == MAX_FRAME_DATA_BYTES
