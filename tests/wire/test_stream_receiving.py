"""The receiving side of `stream.py`, and both sides over a wire that loses frames, against what went in."""

from __future__ import annotations

import copy
import pickle
import random
from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire import timing
from gpiomux.wire.frame import POSITION_MODULUS, Ack
from gpiomux.wire.stream import MAX_HELD_RANGES, MAX_RANGES, WINDOW_BYTES, Arrival, ReceiveStream
from gpiomux.wire.timing import INITIAL_TIMEOUT_NS
from tests.wire.long_text import MS, advanced, at, put, receiver_at, text


@pytest.fixture(autouse=True)
def _long_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are as long as they may be from the first one on."""
    monkeypatch.setattr(timing, "FIRST_BYTES", 1 << 16)


@pytest.mark.parametrize("start", [0, 1000, POSITION_MODULUS - WINDOW_BYTES // 2, 2 * POSITION_MODULUS - 1])
def test_frames_are_put_in_order(start: int) -> None:
    fresh = receiver_at(start)
    for seed in range(10):
        stream, draws = copy.deepcopy(fresh), random.Random(seed)
        cuts = sorted({0, WINDOW_BYTES, *(draws.randrange(WINDOW_BYTES) for _ in range(60))})
        frames = list(pairwise(cuts))
        draws.shuffle(frames)
        in_order = b"".join(stream.accept(at(start + a), text(start + a, b - a)).data for a, b in frames)
        assert in_order == text(start, WINDOW_BYTES)
        assert stream.expected == at(start + WINDOW_BYTES)
        assert not stream.has_gap


@pytest.mark.parametrize("start", [0, POSITION_MODULUS - 15])
def test_the_ack_names_what_came_early(start: int) -> None:
    stream = receiver_at(start)
    for ahead in (10, 30, WINDOW_BYTES - 10):
        assert stream.accept(at(start + ahead), text(start + ahead, 10)) == Arrival()
    assert stream.has_gap
    late = (at(start + WINDOW_BYTES - 10), 10)
    assert stream.ack() == Ack(at(start), ((at(start + 10), 10), (at(start + 30), 10), late))
    assert stream.accept(at(start), text(start, 10)) == Arrival(text(start, 20))
    assert stream.ack() == Ack(at(start + 20), ((at(start + 30), 10), late))


def test_the_ack_names_the_ranges_that_have_changed_last() -> None:
    """The others have been told before; and what has just come is what the sender waits for."""
    stream = ReceiveStream()
    for number in range(1, 3 * MAX_RANGES):
        assert stream.accept(20 * number, text(20 * number, 10)) == Arrival()
    last = 3 * MAX_RANGES - 1
    assert stream.ack() == Ack(0, tuple((20 * number, 10) for number in range(last - MAX_RANGES + 1, last + 1)))
    stream.accept(30, text(30, 5))
    assert stream.ack() == Ack(0, ((20, 15), *((20 * number, 10) for number in range(last - MAX_RANGES + 2, last + 1))))


def test_pieces_that_touch_or_overlap_are_one_range() -> None:
    stream = ReceiveStream()
    for start, length in ((10, 10), (30, 10), (20, 5), (24, 8), (12, 3)):
        stream.accept(start, text(start, length))
    assert stream.ack() == Ack(0, ((10, 30),))
    assert stream.accept(0, text(0, 15)) == Arrival(text(0, 40))


@pytest.mark.parametrize("start", [WINDOW_BYTES, POSITION_MODULUS - 1, POSITION_MODULUS + 100])
def test_what_came_before_is_known(start: int) -> None:
    stream = receiver_at(start)
    for behind in (1, 10, 511, WINDOW_BYTES):
        length = min(behind, 512)
        assert stream.accept(at(start - behind), text(start - behind, length)).duplicate
    assert stream.accept(at(start + 20), text(start + 20, 10)) == Arrival()
    assert stream.accept(at(start + 22), text(start + 22, 5)) == Arrival(duplicate=True)
    assert stream.accept(at(start - 10), text(start - 10, 15)) == Arrival(text(start, 5)), "the end of it is new"


@pytest.mark.parametrize(
    "ahead", [WINDOW_BYTES, WINDOW_BYTES - 9, POSITION_MODULUS // 2, POSITION_MODULUS - WINDOW_BYTES - 1]
)
def test_what_lies_outside_the_window_is_refused(ahead: int) -> None:
    stream = receiver_at(5)
    with pytest.raises(LookupError):
        stream.accept(5 + ahead, bytes(10))
    assert stream.ack() == Ack(5)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 600)), max_size=60), st.sampled_from((0, 65_000)))
def test_each_byte_is_handed_out_once_and_in_order(frames: list[tuple[int, int]], start: int) -> None:
    """Against a receiver that notes each byte."""
    stream, arrived, handed = receiver_at(start), set[int](), start
    for offset, length in frames:
        position = start + offset
        arrival = stream.accept(at(position), text(position, length))
        new = set(range(position, position + length)) - arrived - set(range(handed))
        assert arrival.duplicate == (not new)
        arrived |= new
        first = handed
        while handed in arrived:
            handed += 1
        assert arrival.data == text(first, handed - first)
        assert stream.expected == at(handed)
        beyond = {at(byte) for byte in arrived if byte >= handed}
        told = stream.ack().ranges
        named = [at(first + step) for first, length in told for step in range(length)]
        assert len(named) == len(set(named))
        assert set(named) == beyond or (len(told) == MAX_RANGES and set(named) < beyond)


@pytest.mark.parametrize("length", [1, 100])
def test_frames_behind_a_gap_cost_bounded_memory(length: int) -> None:
    """The worst that a peer can do is a byte here and there: there is an end to what is kept of it."""
    stream, refused = ReceiveStream(), 0
    for position in range(length + 1, WINDOW_BYTES - length, 2 * length + 1):
        try:
            stream.accept(position, bytes(length))
        except LookupError:
            refused += 1
    assert len(pickle.dumps(stream)) < WINDOW_BYTES + 30 * MAX_HELD_RANGES + 500
    assert len(stream.ack().ranges) == MAX_RANGES
    assert bool(refused) == (WINDOW_BYTES // (2 * length + 1) > MAX_HELD_RANGES)
    assert stream.accept(0, bytes(length + 1)).data, "what closes a gap is always taken"


# Both sides.


class Wire:
    """Frames and acknowledgements in order, some lost, with timers that are too early now and then."""

    def __init__(self, seed: int, start: int) -> None:
        self.draws = random.Random(seed)
        self.sender, self.receiver = advanced(start), receiver_at(start)
        self.loss = 0.0
        self.now_ns = 0
        self.out: deque[tuple[int, bytes]] = deque()
        self.back: deque[Ack] = deque()
        self.handed = start

    def step(self) -> None:
        """One thing happens at one of the ends."""
        self.now_ns += self.draws.randrange(3 * MS)
        match self.draws.randrange(4):
            case 0 if (frame := self.sender.take()) is not None:
                self.sender.gone_out(self.now_ns)
                if self.draws.random() >= self.loss:
                    self.out.append(frame)
            case 1 if self.out:
                arrival = self.receiver.accept(*self.out.popleft())
                assert arrival.data == text(self.handed, len(arrival.data))
                self.handed += len(arrival.data)
                if self.draws.random() >= self.loss:
                    self.back.append(self.receiver.ack())
            case 2 if self.back:
                assert self.sender.acknowledged(self.back.popleft(), self.now_ns)
                assert self.sender.base <= self.handed
            case 3 if self.draws.random() < 0.01:
                # Half of the timers fire too early: what they take for lost is still on its way.
                self.now_ns += self.draws.choice((0, INITIAL_TIMEOUT_NS))
                self.sender.on_deadline(self.now_ns)

    def finish(self) -> None:
        """Without further losses, and with timers, all arrives."""
        self.loss = 0.0
        for _ in range(20_000):
            if self.sender.base == self.sender.end:
                return
            self.step()
            deadline_ns = self.sender.deadline_ns()
            if not self.out and not self.back and deadline_ns is not None:
                self.now_ns = max(self.now_ns, deadline_ns)
                self.sender.on_deadline(self.now_ns)
        raise AssertionError("the stream stands still")


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.2, 0.6])
@pytest.mark.parametrize("start", [0, POSITION_MODULUS - 5000])
def test_a_stream_over_a_wire_that_loses_frames(loss: float, start: int) -> None:
    for seed in range(12):
        wire = Wire(seed, start)
        wire.loss = loss
        for _ in range(1500):
            if (length := wire.draws.randrange(700)) <= wire.sender.room():
                put(wire.sender, length)
            wire.step()
        wire.finish()
        assert wire.handed == wire.sender.end, f"seed {seed}"
        assert not wire.receiver.has_gap


def test_positions_go_round_many_times() -> None:
    wire = Wire(1, 0)
    wire.loss = 0.01
    while wire.handed < 5 * POSITION_MODULUS:
        put(wire.sender, wire.sender.room())
        wire.step()
        if wire.draws.random() < 1e-3:
            wire.finish()
    wire.finish()
    assert wire.handed == wire.sender.end > 5 * POSITION_MODULUS


# Nobody takes what arrives.


def test_a_held_stream_tells_of_nothing_new_and_takes_one_window() -> None:
    stream = ReceiveStream()
    stream.accept(0, bytes(100))
    stream.hold(True)
    taken = 100
    while taken < 100 + WINDOW_BYTES:
        length = min(512, 100 + WINDOW_BYTES - taken)
        assert stream.accept(taken, bytes(length)) == Arrival(bytes(length))
        taken += length
    assert stream.ack() == Ack(100)
    with pytest.raises(LookupError):
        stream.accept(taken % POSITION_MODULUS, b"x")
    assert stream.accept(100, b"again").duplicate
    stream.hold(True)
    assert stream.expected == 100, "still the first hold"
    stream.hold(False)
    assert stream.ack() == Ack(taken % POSITION_MODULUS)
    assert stream.accept(taken % POSITION_MODULUS, b"x").data == b"x"


def test_a_held_stream_goes_on_filling_gaps() -> None:
    stream = ReceiveStream()
    stream.accept(0, b"0123")
    stream.hold(True)
    assert stream.accept(6, b"67") == Arrival()
    assert stream.ack() == Ack(4, ((6, 2),))
    assert stream.accept(4, b"45").data == b"4567"
    assert stream.ack() == Ack(4)


def test_a_stream_that_is_held_from_its_beginning_takes_nothing() -> None:
    stream = ReceiveStream()
    stream.hold(True)
    with pytest.raises(LookupError):
        stream.accept(0, b"x")
    stream.hold(False)
    assert stream.accept(0, b"x").data == b"x"
