"""A stream of bytes that arrives whole and in order, over a wire that loses frames but never reorders them.

Every byte has a position, counted from 0 in each session; frames say it modulo 2^16. What was lost is sent again in
frames of whatever length the line then carries best, which is why bytes are numbered and not frames.

The wire keeps order, so there is no doubt about a loss: when a frame that was sent later has arrived, one that was sent
earlier and has not is lost, and goes out again at once. Only the loss of the last frames needs a timer.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import NamedTuple

from gpiomux.wire.frame import POSITION_MODULUS, Ack
from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES, MIN_FRAME_DATA_BYTES, LossRate, RoundTrip

WINDOW_BYTES = 24 * 1024
"""Bytes that may be on their way; less than half of POSITION_MODULUS, so that old and new positions differ."""
MAX_RANGES = 8
"""Ranges in an acknowledgement at most: those that have changed last, as the sender cannot know of them yet."""
MAX_HELD_RANGES = 1024
"""Ranges that a receiver keeps; more are not worth their memory, and the sender sends them again."""


class Arrival(NamedTuple):
    """What a frame has brought.

    Attributes:
        data: bytes that are now in order.
        duplicate: all of it had arrived before.
        lost: bytes before `data` will never come (datagrams only).
    """

    data: bytes = b""
    duplicate: bool = False
    lost: bool = False


@dataclass(slots=True)
class _Segment:
    """Bytes of one frame on its way: from `start` to before `end`."""

    start: int
    end: int
    order: int
    """Number of the transmission."""
    first_time: bool
    sent_ns: int | None = None
    """When its last word went out; None while it is going out."""


class SendStream:
    """The sending side.

    Attributes:
        round_trip: gives the time after which the last frames are taken for lost.
    """

    def __init__(self) -> None:
        self.round_trip = RoundTrip()
        self._loss_rate = LossRate()
        self._base = 0
        """Position of the first byte that is not acknowledged."""
        self._sent = 0
        """Position of the first byte that was never sent."""
        self._bytes = bytearray()
        """From `_base` on."""
        self._flight: deque[_Segment] = deque()
        """In the order of their transmission."""
        self._lost: list[tuple[int, int]] = []
        """Ranges to be sent again, ascending."""
        self._order = 0
        self._going: _Segment | None = None
        """The frame whose words are going out."""
        self._silent = False
        """A timeout has passed and nothing has arrived since: perhaps only short frames come through."""

    def data_bytes(self) -> int:
        """The data that the next frame should carry at most."""
        return MIN_FRAME_DATA_BYTES if self._silent else self._loss_rate.data_bytes()

    def room(self) -> int:
        """Bytes that `append` takes."""
        return WINDOW_BYTES - len(self._bytes)

    def unsent(self) -> int:
        """Bytes that were appended and never sent."""
        return self._base + len(self._bytes) - self._sent

    @property
    def base(self) -> int:
        """All bytes before this position have arrived; counted from 0 without end."""
        return self._base

    @property
    def end(self) -> int:
        """Position after the last byte that was appended."""
        return self._base + len(self._bytes)

    @property
    def has_lost(self) -> bool:
        """True if bytes wait to be sent again."""
        return bool(self._lost)

    def append(self, data: bytes) -> None:
        """Add bytes at the end; at most `room`."""
        self._bytes += data

    def take(self, most_bytes: int = MAX_FRAME_DATA_BYTES) -> tuple[int, bytes] | None:
        """Position (modulo POSITION_MODULUS) and data of the next frame: what is lost first, then what is new.

        Args:
            most_bytes: length of the data at most, even if `data_bytes` is more.
        """
        most = min(self.data_bytes(), most_bytes)
        first_time = not self._lost
        if first_time:
            start, end = self._sent, self.end
            if start == end:
                return None
        else:
            start, end = self._lost.pop(0)
            while self._lost and self._lost[0][0] == end and end - start < most:
                end = self._lost.pop(0)[1]  # what was cut short on a noisy line may go out whole on a better one
        if end - start > most:
            if not first_time:
                self._lost.insert(0, (start + most, end))
            end = start + most
        self._order += 1
        self._going = _Segment(start, end, self._order, first_time)
        self._flight.append(self._going)
        self._sent = max(self._sent, end)
        self._loss_rate.sent(end - start)
        return start % POSITION_MODULUS, bytes(self._bytes[start - self._base : end - self._base])

    def gone_out(self, now_ns: int) -> None:
        """The last word of the frame from `take` has gone out: its timer starts."""
        if self._going is not None:
            self._going.sent_ns = now_ns
            self._going = None

    def acknowledged(self, ack: Ack, now_ns: int) -> bool:
        """Forget what has arrived and find what is lost. Returns False if `ack` makes no sense."""
        base = self._base + (ack.acknowledgement - self._base) % POSITION_MODULUS
        if base > self._sent:
            # An old acknowledgement that a newer one has overtaken tells nothing; any other is an error.
            return base - POSITION_MODULUS > self._base - WINDOW_BYTES
        ranges = []
        for offset, length in ack.ranges:
            start = base + (offset - base) % POSITION_MODULUS
            if start == base or start + length > self._sent:
                return False
            ranges.append((start, start + length))
        if base == self._base and not ranges:
            return True
        del self._bytes[: base - self._base]
        self._base = base
        self._lost = [(max(start, base), end) for start, end in self._lost if end > base]
        self._settle(ranges, now_ns)
        return True

    def _settle(self, ranges: list[tuple[int, int]], now_ns: int) -> None:
        """Sort the frames on their way into arrived, lost and unknown."""
        newest, flight = 0, []
        for segment in self._flight:
            if segment.end <= self._base or any(start <= segment.start and segment.end <= end for start, end in ranges):
                if self._has_answered(segment, now_ns):
                    newest = max(newest, segment.order)
            else:
                flight.append(segment)
        if newest:
            self.round_trip.recover()
            self._silent = False
        self._flight.clear()
        for segment in flight:
            if segment.order < newest:
                self._lose(segment)
            else:
                self._flight.append(segment)

    def _has_answered(self, segment: _Segment, now_ns: int) -> bool:
        """Whether what has arrived has arrived by this transmission: then all before it have arrived or are lost."""
        age_ns = 0 if segment.sent_ns is None else now_ns - segment.sent_ns
        if segment.first_time:
            if segment.sent_ns is not None:
                self.round_trip.sample(age_ns)
            return True
        # Too early to be the answer to a second transmission: the timer was wrong, the first one has arrived after all.
        return age_ns >= self.round_trip.least_ns

    def _lose(self, segment: _Segment) -> None:
        insort(self._lost, (max(segment.start, self._base), segment.end))
        self._loss_rate.lost()

    def deadline_ns(self) -> int | None:
        """When the frame that went out first must be taken for lost; None if there is none."""
        if not self._flight or self._lost:
            return None  # nothing is on its way, or there is something to be sent at once
        sent_ns = self._flight[0].sent_ns
        return None if sent_ns is None else sent_ns + self.round_trip.timeout_ns

    def on_deadline(self, now_ns: int) -> bool:
        """Take the frame that went out first for lost if its time is over; its acknowledgement tells of the others.

        Returns:
            True if it was.
        """
        deadline_ns = self.deadline_ns()
        if deadline_ns is None or now_ns < deadline_ns:
            return False
        self._lose(self._flight.popleft())
        self.round_trip.back_off()
        self._silent = True
        return True


class ReceiveStream:
    """The receiving side."""

    def __init__(self) -> None:
        self._expected = 0
        self._ahead = bytearray()
        """Bytes from `_expected` on; only those in `_ranges` have arrived."""
        self._ranges: list[tuple[int, int, int]] = []
        """What has arrived beyond a gap: start, end, and when it changed last; ascending, apart from each other.

        Offsets into `_ahead`; changes are counted.
        """
        self._changes = 0
        self._held_from: int | None = None
        """The position that `expected` stands still at."""

    @property
    def expected(self) -> int:
        """Position, modulo POSITION_MODULUS, of the first byte that has not arrived, or that is not to be told of."""
        return (self._expected if self._held_from is None else self._held_from) % POSITION_MODULUS

    def hold(self, on: bool) -> None:
        """Tell of nothing that arrives from now on, in order; the window of the peer then closes.

        A stream that is held from its beginning takes nothing, so that a peer cannot fill our memory by beginning anew.
        """
        if not on:
            self._held_from = None
        elif self._held_from is None:
            self._held_from = self._expected

    @property
    def has_gap(self) -> bool:
        """True if bytes are missing before others that have arrived."""
        return bool(self._ranges)

    @property
    def crowded(self) -> bool:
        """True if one acknowledgement cannot tell all that has arrived beyond gaps."""
        return len(self._ranges) > MAX_RANGES

    def accept(self, position: int, data: bytes) -> Arrival:
        """Take the data of one frame.

        Raises:
            LookupError: the data does not lie in the window, or there are too many gaps already.
        """
        offset = (position - self._expected) % POSITION_MODULUS
        if offset >= POSITION_MODULUS - WINDOW_BYTES:  # begins before what is expected
            skip = POSITION_MODULUS - offset
            if skip >= len(data):
                return Arrival(duplicate=True)
            offset, data = 0, data[skip:]
        if self._held_from == 0:
            raise LookupError(position)
        held_bytes = 0 if self._held_from is None else self._expected - self._held_from
        if offset + len(data) > WINDOW_BYTES - held_bytes:
            raise LookupError(position)
        if offset == 0 and not self._ranges:
            self._expected += len(data)
            return Arrival(data)
        end = offset + len(data)
        if any(start <= offset and end <= stop for start, stop, _ in self._ranges):
            return Arrival(duplicate=True)
        if offset and len(self._ranges) >= MAX_HELD_RANGES:
            raise LookupError(position)
        return Arrival(self._fill(offset, data))

    def _fill(self, offset: int, data: bytes) -> bytes:
        """Put data beyond or into a gap; returns what is in order then."""
        end = offset + len(data)
        if len(self._ahead) < end:
            self._ahead += bytes(end - len(self._ahead))
        self._ahead[offset:end] = data
        for held in [held for held in self._ranges if held[0] <= end and offset <= held[1]]:
            self._ranges.remove(held)
            offset, end = min(offset, held[0]), max(end, held[1])
        self._changes += 1
        insort(self._ranges, (offset, end, self._changes))
        if offset:
            return b""
        in_order = bytes(self._ahead[:end])
        del self._ahead[:end]
        self._expected += end
        self._ranges = [(start - end, stop - end, change) for start, stop, change in self._ranges[1:]]
        return in_order

    def ack(self) -> Ack:
        """What has arrived so far."""
        latest = sorted(nlargest(MAX_RANGES, self._ranges, key=itemgetter(2)))
        return Ack(
            self.expected,
            tuple(((self._expected + start) % POSITION_MODULUS, stop - start) for start, stop, _ in latest),
        )
