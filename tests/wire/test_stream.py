"""The sending side of `stream.py`: positions that wrap, losses found by order, the timer of the first frame, frames cut
anew, acknowledgements of any kind. The receiving side is in `test_stream_receiving.py`.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire import timing
from gpiomux.wire.frame import POSITION_MODULUS, Ack
from gpiomux.wire.stream import WINDOW_BYTES, SendStream
from gpiomux.wire.timing import INITIAL_TIMEOUT_NS, MIN_FRAME_DATA_BYTES
from tests.wire.long_text import MS, advanced, at, fill, put, resent, text


@pytest.fixture(autouse=True)
def _long_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are as long as they may be from the first one on."""
    monkeypatch.setattr(timing, "FIRST_BYTES", 1 << 16)


def test_the_window_is_so_many_bytes() -> None:
    stream = SendStream()
    assert stream.room() == WINDOW_BYTES
    fill(stream, *[512] * (WINDOW_BYTES // 512))
    assert stream.room() == 0
    assert stream.acknowledged(Ack(100), 0)
    assert (stream.room(), stream.base, stream.end) == (100, 100, WINDOW_BYTES)


def test_a_gap_keeps_the_window_closed() -> None:
    """What comes after the oldest missing byte may not run further ahead than the receiver can keep."""
    stream = SendStream()
    fill(stream, *[512] * (WINDOW_BYTES // 512))
    assert stream.acknowledged(Ack(0, ((512, WINDOW_BYTES - 512),)), 0)
    assert stream.room() == 0


def test_what_is_appended_leaves_in_frames() -> None:
    stream = SendStream()
    assert stream.take() is None
    put(stream, 1000)
    assert stream.unsent() == 1000
    assert stream.take() == (0, text(0, 512))
    assert stream.unsent() == 488
    assert stream.take() == (512, text(512, 488))
    assert stream.take() is None


@pytest.mark.parametrize("start", [0, 30_000, POSITION_MODULUS - 512, POSITION_MODULUS - 1, 3 * POSITION_MODULUS - 700])
def test_positions_wrap(start: int) -> None:
    stream = advanced(start)
    positions = fill(stream, 512, 300, 512)
    assert positions == [at(start), at(start + 512), at(start + 812)]
    assert stream.acknowledged(Ack(at(start + 812)), 0)
    assert stream.base == start + 812
    assert stream.acknowledged(Ack(at(start + 1324)), 0)
    assert stream.base == stream.end == start + 1324


@pytest.mark.parametrize("start", [0, POSITION_MODULUS - 30])
def test_a_loss_shows_by_order(start: int) -> None:
    stream = advanced(start)
    one, two, three, four, five = fill(stream, 10, 10, 10, 10, 10)
    assert stream.acknowledged(Ack(one, ((two, 10), (four, 10))), 0)
    assert resent(stream) == [(one, 10), (three, 10)]
    assert stream.acknowledged(Ack(three, ((four, 10),)), 0)
    # `one` has come by its second transmission, after which only `three` was sent.
    assert resent(stream) == [(five, 10)]


def test_a_resent_frame_is_not_lost_again_by_older_news() -> None:
    stream = SendStream()
    fill(stream, 10, 10, 10)
    assert stream.acknowledged(Ack(0, ((10, 10),)), 0)
    assert resent(stream) == [(0, 10)]
    assert stream.acknowledged(Ack(0, ((10, 20),)), 0)
    assert resent(stream) == []


def test_lost_bytes_go_out_before_new_ones_and_in_order() -> None:
    stream = SendStream()
    fill(stream, 10, 10, 10, 10, 10)
    put(stream, 10)
    assert stream.acknowledged(Ack(0, ((10, 10), (30, 20))), 0)
    assert resent(stream) == [(0, 10), (20, 10)]
    assert stream.take() == (50, text(50, 10))


def test_lost_bytes_are_cut_again() -> None:
    """A line that has become noisy gets shorter frames, also of what was sent before."""
    stream = SendStream()
    fill(stream, *[512] * 4)
    assert stream.acknowledged(Ack(0, ((1536, 512),)), 0)
    position = 0
    while position < 1536:
        most = min(stream.data_bytes(), 1536 - position)
        assert most < 512
        assert stream.take() == (position, text(position, most))
        stream.gone_out(0)
        position += most
    assert not stream.has_lost
    assert stream.acknowledged(Ack(2048), 0)
    assert stream.take() is None


def test_nothing_is_acknowledged_twice() -> None:
    stream = SendStream()
    fill(stream, 10, 10, 10)
    assert stream.acknowledged(Ack(10, ((20, 10),)), 0)
    assert stream.base == 10
    assert stream.acknowledged(Ack(10, ((20, 10),)), 0)
    assert stream.acknowledged(Ack(30), 0)
    assert stream.base == 30
    assert stream.acknowledged(Ack(0), 0), "an old one is no mistake"
    assert stream.base == 30


def test_what_has_arrived_after_all_is_not_sent_again() -> None:
    """The timer was too early; the acknowledgement comes before the second transmission."""
    stream = SendStream()
    fill(stream, 10, 10)
    assert stream.on_deadline(INITIAL_TIMEOUT_NS)
    assert stream.acknowledged(Ack(20), INITIAL_TIMEOUT_NS)
    assert not stream.has_lost
    assert stream.take() is None


def test_half_of_what_is_lost_may_arrive_after_all() -> None:
    stream = SendStream()
    fill(stream, 10, 30, 10)
    assert stream.on_deadline(INITIAL_TIMEOUT_NS)
    assert stream.acknowledged(Ack(4), INITIAL_TIMEOUT_NS)
    assert resent(stream) == [(4, 6)]


@pytest.mark.parametrize("acknowledgement", [31, 100, POSITION_MODULUS // 2, POSITION_MODULUS - WINDOW_BYTES])
def test_an_acknowledgement_of_what_was_not_sent_makes_no_sense(acknowledgement: int) -> None:
    stream = SendStream()
    fill(stream, 10, 10, 10)
    assert not stream.acknowledged(Ack(acknowledgement), 0)
    assert stream.base == 0


@pytest.mark.parametrize(
    "ranges", [((10, 21),), ((31, 1),), ((10, 10), (40, 1)), ((POSITION_MODULUS - 5, 5),), ((0, 10),)]
)
def test_ranges_of_what_was_not_sent_make_no_sense(ranges: tuple[tuple[int, int], ...]) -> None:
    """Nor one that begins with the byte which the same acknowledgement calls missing: it would never be sent again."""
    stream = SendStream()
    fill(stream, 10, 10, 10)
    assert not stream.acknowledged(Ack(0, ranges), 0)
    assert not stream.has_lost
    assert stream.deadline_ns() == INITIAL_TIMEOUT_NS, "nothing is taken for arrived"


RANGES = st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)), max_size=10).map(tuple)
NEAR_RANGES = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 1500)), max_size=10).map(tuple)


@given(
    st.lists(
        st.one_of(
            st.integers(1, 600),
            st.builds(Ack, st.integers(0, 0xFFFF), RANGES),
            st.builds(Ack, st.integers(0, 3000), NEAR_RANGES),
        ),
        max_size=60,
    ),
    st.sampled_from((0, POSITION_MODULUS - 1000)),
)
def test_no_acknowledgement_hurts(steps: list[int | Ack], start: int) -> None:
    """A number appends so many bytes, an acknowledgement is sensible or not."""
    stream = advanced(start)
    for step in steps:
        if isinstance(step, Ack):
            base = stream.base
            shifted = tuple((at(position + start), length) for position, length in step.ranges)
            stream.acknowledged(Ack(at(step.acknowledgement + start), shifted), 0)
            assert base <= stream.base <= stream.end
        elif stream.room() >= step:
            put(stream, step)
        for _ in range(2 * WINDOW_BYTES // MIN_FRAME_DATA_BYTES):
            frame = stream.take()
            if frame is None:
                break
            stream.gone_out(0)
            first = stream.base + at(frame[0] - stream.base)
            assert first + len(frame[1]) <= stream.end
            assert frame[1] == text(first, len(frame[1]))
        assert not stream.has_lost
        assert 0 <= stream.room() <= WINDOW_BYTES


def test_neighbours_that_are_lost_share_a_frame() -> None:
    """Frames that were cut short on a noisy line go out in longer ones when it is better again."""
    stream = SendStream()
    fill(stream, *[MIN_FRAME_DATA_BYTES] * 200)
    assert stream.acknowledged(Ack(0, ((64, 32), (128, 6272))), 0)
    assert stream.data_bytes() > 2 * MIN_FRAME_DATA_BYTES
    assert resent(stream) == [(0, 64), (96, 32)]


# Timers.


def test_the_first_timeout_is_that_of_rfc_6298() -> None:
    stream = SendStream()
    assert stream.deadline_ns() is None
    put(stream, 10)
    assert stream.take() is not None
    assert stream.deadline_ns() is None, "its words are still going out"
    stream.gone_out(5)
    assert stream.deadline_ns() == 5 + INITIAL_TIMEOUT_NS
    assert not stream.on_deadline(4 + INITIAL_TIMEOUT_NS)
    assert not stream.has_lost
    assert stream.on_deadline(5 + INITIAL_TIMEOUT_NS)
    assert stream.deadline_ns() is None, "there is something to send at once"
    assert resent(stream, 7) == [(0, 10)]
    assert stream.deadline_ns() == 7 + 2 * INITIAL_TIMEOUT_NS


def test_a_measurement_ends_the_back_off() -> None:
    stream = SendStream()
    fill(stream, 10)
    assert stream.on_deadline(INITIAL_TIMEOUT_NS)
    assert resent(stream) == [(0, 10)]
    assert stream.round_trip.timeout_ns == 2 * INITIAL_TIMEOUT_NS
    fill(stream, 10)
    assert stream.acknowledged(Ack(20), 20 * MS)
    assert stream.round_trip.timeout_ns == 60 * MS


def test_a_frame_that_was_sent_twice_is_not_measured() -> None:
    """Karn's algorithm: nobody knows which of the two the acknowledgement is for."""
    stream = SendStream()
    fill(stream, 10, 10)
    assert stream.acknowledged(Ack(0, ((10, 10),)), 100 * MS)
    assert stream.round_trip.timeout_ns == 300 * MS
    assert resent(stream, 100 * MS) == [(0, 10)]
    assert stream.acknowledged(Ack(20), 101 * MS)
    assert stream.round_trip.timeout_ns == 300 * MS


def test_the_timer_resends_the_first_frame_only() -> None:
    stream = SendStream()
    fill(stream, 10, 20, 12)
    assert stream.on_deadline(INITIAL_TIMEOUT_NS)
    assert not stream.on_deadline(INITIAL_TIMEOUT_NS)
    assert resent(stream, INITIAL_TIMEOUT_NS) == [(0, 10)]
    assert stream.acknowledged(Ack(10), INITIAL_TIMEOUT_NS)
    assert resent(stream, INITIAL_TIMEOUT_NS) == [(10, 32)]


def test_a_timeout_is_followed_by_the_shortest_frames() -> None:
    """Nothing comes back: perhaps because no long frame gets through. What arrives ends the guessing."""
    stream = SendStream()
    fill(stream, *[512] * 3)
    assert stream.on_deadline(INITIAL_TIMEOUT_NS)
    first = stream.take()
    assert first == (0, text(0, MIN_FRAME_DATA_BYTES))
    stream.gone_out(INITIAL_TIMEOUT_NS)
    assert stream.acknowledged(Ack(MIN_FRAME_DATA_BYTES), INITIAL_TIMEOUT_NS + MS)
    assert stream.data_bytes() > MIN_FRAME_DATA_BYTES


def test_a_timer_that_was_too_early_costs_one_frame() -> None:
    """The answer comes sooner than any before: it is for the first transmission, and nothing else is lost."""
    stream = SendStream()
    fill(stream, 30)
    assert stream.acknowledged(Ack(30), 20 * MS)
    fill(stream, *[30] * 10, now_ns=20 * MS)
    late_ns = 500 * MS
    assert stream.on_deadline(late_ns)
    assert resent(stream, late_ns) == [(30, 30)]
    assert stream.acknowledged(Ack(60), late_ns + 5 * MS)
    assert not stream.has_lost
    assert stream.acknowledged(Ack(330), late_ns + 6 * MS)
    assert stream.take() is None
    assert stream.base == stream.end


def test_the_answer_to_a_second_transmission_tells_of_the_first_ones() -> None:
    stream = SendStream()
    fill(stream, 30)
    assert stream.acknowledged(Ack(30), 20 * MS)
    fill(stream, 30, 30, now_ns=20 * MS)
    assert stream.on_deadline(500 * MS)
    assert resent(stream, 500 * MS) == [(30, 30)]
    assert stream.acknowledged(Ack(60), 520 * MS)
    assert resent(stream, 520 * MS) == [(60, 30)]
