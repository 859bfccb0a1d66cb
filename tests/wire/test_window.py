"""Sequence numbers that wrap, losses found by order, the timer of the last frame, and acknowledgements of any kind."""

from __future__ import annotations

import copy
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.frame import FIRST, LAST, SEQUENCE_MODULUS, Ack, Data
from gpiomux.wire.schedule import MAX_FRAGMENT_BYTES, Fragment
from gpiomux.wire.window import (
    INITIAL_TIMEOUT_NS,
    MAX_TIMEOUT_NS,
    MIN_FRAGMENT_BYTES,
    MIN_TIMEOUT_NS,
    WINDOW,
    LossRate,
    ReceiveWindow,
    RoundTrip,
    SendWindow,
)

MS = 1_000_000


def fragment(number: int) -> Fragment:
    data = number.to_bytes(4, "big")
    return Fragment(FIRST | LAST, data, len(data))


def fill(window: SendWindow, count: int, now_ns: int = 0) -> list[int]:
    """Send new frames; returns their sequence numbers."""
    taken = []
    for number in range(count):
        taken.append(window.take(fragment(number))[0])
        window.gone_out(now_ns)
    return taken


def resent(window: SendWindow, now_ns: int = 0) -> list[int]:
    """Send all that is known to be lost again; returns sequence numbers in that order."""
    found = []
    while (numbered := window.resend()) is not None:
        window.gone_out(now_ns)
        found.append(numbered[0])
    return found


def advanced(count: int) -> SendWindow:
    """A window after `count` frames have been sent and acknowledged one by one."""
    window = SendWindow()
    for number in range(count):
        window.take(fragment(number))
        window.gone_out(0)
        assert window.acknowledged(Ack((number + 1) % SEQUENCE_MODULUS, 0), 0) == [fragment(number)]
    return window


# The sender.


def test_the_window_is_open_for_so_many_frames() -> None:
    window = SendWindow()
    states = []
    for _ in range(WINDOW):
        states.append(window.open)
        fill(window, 1)
    assert all(states)
    assert [window.open] == [False]
    assert window.packets() == WINDOW
    assert window.acknowledged(Ack(1, 0), 0) == [fragment(0)]
    assert [window.open] == [True]


def test_a_gap_keeps_the_window_closed() -> None:
    """What comes after the oldest missing frame may not run further ahead than the receiver can note."""
    window = SendWindow()
    fill(window, WINDOW)
    arrived = window.acknowledged(Ack(0, (1 << WINDOW - 1) - 1), 0)
    assert arrived is not None
    assert len(arrived) == WINDOW - 1
    assert not window.open


@pytest.mark.parametrize("start", [0, SEQUENCE_MODULUS - WINDOW, SEQUENCE_MODULUS - 1])
def test_sequence_numbers_wrap(start: int) -> None:
    window = advanced(start)
    sequences = fill(window, WINDOW)
    assert sequences == [(start + step) % SEQUENCE_MODULUS for step in range(WINDOW)]
    last = (start + WINDOW) % SEQUENCE_MODULUS
    assert window.acknowledged(Ack(last, 0), 0) == [fragment(number) for number in range(WINDOW)]
    assert window.packets() == 0


@pytest.mark.parametrize("start", [0, SEQUENCE_MODULUS - 3])
def test_a_loss_shows_by_order(start: int) -> None:
    window = advanced(start)
    first, second, _third, fourth = fill(window, 4)
    assert window.acknowledged(Ack(first, 0b10), 0) == [fragment(2)]
    assert resent(window) == [first, second]
    assert window.acknowledged(Ack(second, 0b1), 0) == [fragment(0)]
    # `first` has come by its second transmission, after which only `second` was sent.
    assert resent(window) == [fourth]


def test_a_resent_frame_is_not_lost_again_by_older_news() -> None:
    window = SendWindow()
    fill(window, 3)
    assert window.acknowledged(Ack(0, 0b1), 0) == [fragment(1)]
    assert resent(window) == [0]
    assert window.acknowledged(Ack(0, 0b11), 0) == [fragment(2)]
    assert resent(window) == []


def test_nothing_is_acknowledged_twice() -> None:
    window = SendWindow()
    fill(window, 3)
    assert window.acknowledged(Ack(1, 0b1), 0) == [fragment(0), fragment(2)]
    assert window.acknowledged(Ack(1, 0b1), 0) == []
    assert window.acknowledged(Ack(3, 0), 0) == [fragment(1)]
    assert window.acknowledged(Ack(0, 0), 0) == [], "an old one is no mistake"


@pytest.mark.parametrize("acknowledgement", [4, 100, SEQUENCE_MODULUS // 2, SEQUENCE_MODULUS - WINDOW])
def test_an_acknowledgement_of_what_was_not_sent_makes_no_sense(acknowledgement: int) -> None:
    window = SendWindow()
    fill(window, 3)
    assert window.acknowledged(Ack(acknowledgement, 0), 0) is None
    assert window.packets() == 3


@given(
    st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 0xFFFF), st.integers(0, (1 << 64) - 1))), max_size=80),
    st.integers(0, 300),
)
def test_no_acknowledgement_hurts(steps: list[tuple[int, int] | None], start: int) -> None:
    """None sends a frame, a pair is an acknowledgement, sensible or not."""
    window = advanced(start)
    sent, arrived = 0, 0
    for step in steps:
        if step is not None:
            arrived += len(window.acknowledged(Ack(*step), 0) or ())
        elif window.open:
            sent += len(fill(window, 1))
        for _ in range(WINDOW):
            if window.resend() is None:
                break
            window.gone_out(0)
        assert window.resend() is None
        assert window.packets() == sent - arrived <= WINDOW


# Timers.


def test_the_first_timeout_is_that_of_rfc_6298() -> None:
    window = SendWindow()
    assert window.deadline_ns() is None
    window.take(fragment(0))
    assert window.deadline_ns() is None, "its words are still going out"
    window.gone_out(5)
    assert window.deadline_ns() == 5 + INITIAL_TIMEOUT_NS
    window.on_deadline(4 + INITIAL_TIMEOUT_NS)
    assert window.resend() is None
    window.on_deadline(5 + INITIAL_TIMEOUT_NS)
    assert window.deadline_ns() is None, "there is something to send at once"
    assert resent(window, 7) == [0]
    assert window.deadline_ns() == 7 + 2 * INITIAL_TIMEOUT_NS


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


def test_a_measurement_ends_the_back_off() -> None:
    window = SendWindow()
    fill(window, 1)
    window.on_deadline(INITIAL_TIMEOUT_NS)
    assert resent(window) == [0]
    assert window.round_trip.timeout_ns == 2 * INITIAL_TIMEOUT_NS
    fill(window, 1, now_ns=0)
    window.acknowledged(Ack(2, 0), 20 * MS)
    assert window.round_trip.timeout_ns == 60 * MS


def test_a_frame_that_was_sent_twice_is_not_measured() -> None:
    """Karn's algorithm: nobody knows which of the two the acknowledgement is for."""
    window = SendWindow()
    fill(window, 2)
    window.acknowledged(Ack(0, 1), 100 * MS)
    assert window.round_trip.timeout_ns == 300 * MS
    assert resent(window, 100 * MS) == [0]
    window.acknowledged(Ack(2, 0), 101 * MS)
    assert window.round_trip.timeout_ns == 300 * MS


def test_the_timer_resends_the_oldest_frame_only() -> None:
    window = SendWindow()
    fill(window, 3)
    window.on_deadline(INITIAL_TIMEOUT_NS)
    window.on_deadline(INITIAL_TIMEOUT_NS)
    assert resent(window, INITIAL_TIMEOUT_NS) == [0]
    window.acknowledged(Ack(1, 0), INITIAL_TIMEOUT_NS)
    assert resent(window, INITIAL_TIMEOUT_NS) == [1, 2]


# Fragments by loss.


def test_without_losses_fragments_are_long() -> None:
    rate = LossRate()
    assert rate.fragment_bytes() == MAX_FRAGMENT_BYTES
    for _ in range(10_000):
        rate.sent(MAX_FRAGMENT_BYTES)
    assert rate.fragment_bytes() == MAX_FRAGMENT_BYTES


def test_losses_shorten_fragments_and_are_forgotten() -> None:
    rate = LossRate()
    lengths = []
    for _ in range(100):
        rate.sent(50)
        rate.lost()
        lengths.append(rate.fragment_bytes())
    assert lengths[-1] == MIN_FRAGMENT_BYTES
    for _ in range(5000):
        rate.sent(MIN_FRAGMENT_BYTES)
        lengths.append(rate.fragment_bytes())
    assert lengths[100:] == sorted(lengths[100:]) or min(lengths[100:]) == MIN_FRAGMENT_BYTES
    assert lengths[-1] == MAX_FRAGMENT_BYTES


@given(st.lists(st.one_of(st.none(), st.integers(0, 512)), max_size=300))
def test_the_length_keeps_its_bounds(steps: list[int | None]) -> None:
    rate = LossRate()
    for step in steps:
        if step is None:
            rate.lost()
        else:
            rate.sent(step)
        assert MIN_FRAGMENT_BYTES <= rate.fragment_bytes() <= MAX_FRAGMENT_BYTES


# The receiver.


def data(sequence: int) -> Data:
    return Data(sequence % SEQUENCE_MODULUS, 0, FIRST | LAST, b"")


def receiver_at(expected: int) -> ReceiveWindow:
    window = ReceiveWindow()
    for sequence in range(expected):
        assert window.accept(data(sequence)) == [data(sequence)]
    return window


@pytest.mark.parametrize("start", [0, 1000, SEQUENCE_MODULUS - WINDOW // 2])
def test_frames_are_put_in_order(start: int) -> None:
    fresh = receiver_at(start)
    for seed in range(20):
        window = copy.deepcopy(fresh)
        sequences = list(range(start, start + WINDOW))
        random.Random(seed).shuffle(sequences)
        in_order: list[Data] = []
        for sequence in sequences:
            in_order += window.accept(data(sequence)) or ()
        assert in_order == [data(start + step) for step in range(WINDOW)]
        assert window.expected == (start + WINDOW) % SEQUENCE_MODULUS
        assert not window.has_gap


@pytest.mark.parametrize("start", [0, SEQUENCE_MODULUS - 2])
def test_the_ack_names_what_came_early(start: int) -> None:
    window = receiver_at(start)
    for ahead in (1, 3, WINDOW - 1):
        assert window.accept(data(start + ahead)) == []
    assert window.has_gap
    assert window.ack() == Ack(start, 1 | 1 << 2 | 1 << WINDOW - 2)
    assert window.accept(data(start)) == [data(start), data(start + 1)]
    assert window.ack() == Ack((start + 2) % SEQUENCE_MODULUS, 1 | 1 << WINDOW - 4)


@pytest.mark.parametrize("start", [WINDOW, SEQUENCE_MODULUS - 1])
def test_what_came_before_is_known(start: int) -> None:
    window = receiver_at(start)
    for behind in (1, 2, WINDOW):
        assert window.accept(data(start - behind)) is None
    assert window.accept(data(start + 2)) == []
    assert window.accept(data(start + 2)) is None


@pytest.mark.parametrize("ahead", [WINDOW, WINDOW + 1, SEQUENCE_MODULUS // 2, SEQUENCE_MODULUS - WINDOW - 1])
def test_what_lies_outside_the_window_is_refused(ahead: int) -> None:
    window = receiver_at(5)
    with pytest.raises(LookupError):
        window.accept(data(5 + ahead))
    assert window.ack() == Ack(5, 0)


@given(st.lists(st.integers(0, 200), max_size=300), st.integers(0, 100))
def test_each_frame_is_handed_out_once_and_in_order(offsets: list[int], start: int) -> None:
    window = receiver_at(start)
    handed: list[int] = []
    for offset in offsets:
        try:
            found = window.accept(data(start + offset))
        except LookupError:
            assert offset >= len(handed) + WINDOW
        else:
            handed += [one.sequence for one in found or ()]
        ack = window.ack()
        assert ack.received.bit_length() < WINDOW
        assert not ack.received or window.has_gap
    assert handed == list(range(start, start + len(handed)))
