"""Sequence numbers, acknowledgement and resend of data frames.

The wire keeps order, so there is no doubt about a loss: when a frame that was sent later has arrived, one that was
sent earlier and has not is lost, and goes out again at once. Only the loss of the last frames needs a timer; it
follows the measured round trip as in RFC 6298.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

from gpiomux.wire.frame import SEQUENCE_MODULUS, Ack, Data
from gpiomux.wire.schedule import MAX_FRAGMENT_BYTES

if TYPE_CHECKING:
    from gpiomux.wire.schedule import Fragment

WINDOW = 64
"""Frames that may be on their way; also the width of an acknowledgement's `received`, plus one."""
INITIAL_TIMEOUT_NS = 1_000_000_000
MIN_TIMEOUT_NS = 30_000_000
"""More than the receiver may wait with its acknowledgement, and than a scheduler is usually late."""
MAX_TIMEOUT_NS = 8_000_000_000
OVERHEAD_BYTES = 14
"""Of a data frame: header 5, check sequence 4, start 1, stuffing 2 or so, end 2."""
MIN_FRAGMENT_BYTES = 32
LOSS_MEMORY_BYTES = 32 * 1024
"""After so many bytes, earlier losses count half."""


class RoundTrip:
    """Smoothed round trip and the timeout derived from it (RFC 6298, section 2)."""

    def __init__(self) -> None:
        self.timeout_ns = INITIAL_TIMEOUT_NS
        self._smoothed_ns = 0
        self._variation_ns = 0

    def sample(self, measured_ns: int) -> None:
        """Take one measurement, of a frame that was sent once only."""
        if self._smoothed_ns == 0:
            self._smoothed_ns, self._variation_ns = measured_ns, measured_ns // 2
        else:
            self._variation_ns += (abs(self._smoothed_ns - measured_ns) - self._variation_ns) // 4
            self._smoothed_ns += (measured_ns - self._smoothed_ns) // 8
        self.timeout_ns = min(max(self._smoothed_ns + 4 * self._variation_ns, MIN_TIMEOUT_NS), MAX_TIMEOUT_NS)

    def back_off(self) -> None:
        """A timeout has passed: wait twice as long for the next."""
        self.timeout_ns = min(self.timeout_ns * 2, MAX_TIMEOUT_NS)


class LossRate:
    """How often frames are lost, and the fragment length that wastes least.

    A frame costs OVERHEAD_BYTES besides its fragment and is lost with a probability that grows with its length. With
    a loss for each `b` bytes, fragments of sqrt(OVERHEAD_BYTES * b) bytes carry most (the overhead shrinks as the
    fragment grows, the loss grows with it; the minimum of the sum lies where both are equal).
    """

    def __init__(self) -> None:
        self._bytes = 0
        self._losses = 0

    def sent(self, length_bytes: int) -> None:
        """Count a frame that goes out."""
        self._bytes += length_bytes + OVERHEAD_BYTES
        if self._bytes > LOSS_MEMORY_BYTES:
            self._bytes //= 2
            self._losses //= 2

    def lost(self) -> None:
        """Count a frame that was lost."""
        self._losses += 1

    def fragment_bytes(self) -> int:
        """The length to cut fragments to."""
        if not self._losses:
            return MAX_FRAGMENT_BYTES
        best = isqrt(OVERHEAD_BYTES * self._bytes // self._losses)
        return min(max(best, MIN_FRAGMENT_BYTES), MAX_FRAGMENT_BYTES)


@dataclass(slots=True)
class _Sent:
    fragment: Fragment
    order: int
    """Number of its latest transmission."""
    sent_ns: int | None = None
    """When its last word went out; None while it is going out."""
    resent: bool = False
    lost: bool = False


class SendWindow:
    """Frames on their way to the peer."""

    def __init__(self) -> None:
        self._flight: dict[int, _Sent] = {}
        """By sequence number, oldest first."""
        self._next = 0
        self._base = 0
        self._order = 0
        self._going: _Sent | None = None
        """The frame whose words are going out."""
        self._lost = 0
        self.round_trip = RoundTrip()
        self.loss_rate = LossRate()

    @property
    def open(self) -> bool:
        """True if a new frame may be sent."""
        return (self._next - self._base) % SEQUENCE_MODULUS < WINDOW

    def take(self, fragment: Fragment) -> tuple[int, Fragment]:
        """Number a new fragment and remember it until it is acknowledged."""
        sequence = self._next
        self._next = (sequence + 1) % SEQUENCE_MODULUS
        self._order += 1
        self._going = self._flight[sequence] = _Sent(fragment, self._order)
        self.loss_rate.sent(len(fragment.data))
        return sequence, fragment

    def resend(self) -> tuple[int, Fragment] | None:
        """The oldest frame known to be lost, or None."""
        if not self._lost:
            return None
        sequence, sent = next(item for item in self._flight.items() if item[1].lost)
        self._lost -= 1
        self._order += 1
        sent.lost, sent.resent, sent.order, sent.sent_ns = False, True, self._order, None
        self._going = sent
        self.loss_rate.sent(len(sent.fragment.data))
        return sequence, sent.fragment

    def gone_out(self, now_ns: int) -> None:
        """The last word of the frame from `take` or `resend` has gone out: its timer starts."""
        if self._going is not None:
            self._going.sent_ns = now_ns
            self._going = None

    def acknowledged(self, ack: Ack, now_ns: int) -> list[Fragment] | None:
        """Forget what has arrived and find what is lost.

        Returns:
            The fragments that have arrived for the first time, or None if `ack` makes no sense.
        """
        advance = (ack.acknowledgement - self._base) % SEQUENCE_MODULUS
        if advance > (self._next - self._base) % SEQUENCE_MODULUS:
            return [] if advance > SEQUENCE_MODULUS - WINDOW else None
        arrived = [(self._base + step) % SEQUENCE_MODULUS for step in range(advance)]
        self._base = ack.acknowledgement
        received, sequence = ack.received, ack.acknowledgement
        while received:
            sequence = (sequence + 1) % SEQUENCE_MODULUS
            if received & 1:
                arrived.append(sequence)
            received >>= 1
        fragments, newest = [], 0
        for sequence in arrived:
            sent = self._flight.pop(sequence, None)
            if sent is not None:
                fragments.append(sent.fragment)
                newest = max(newest, sent.order)
                self._lost -= sent.lost
                if not sent.resent and sent.sent_ns is not None:
                    self.round_trip.sample(now_ns - sent.sent_ns)
        for sent in self._flight.values():
            if sent.order < newest and not sent.lost:
                self._lose(sent)
        return fragments

    def _lose(self, sent: _Sent) -> None:
        sent.lost = True
        self._lost += 1
        self.loss_rate.lost()

    def packets(self) -> int:
        """Packets whose last fragment is on its way."""
        return sum(1 for sent in self._flight.values() if sent.fragment.packet_bytes)

    def deadline_ns(self) -> int | None:
        """When the oldest frame that has gone out must be taken for lost; None if none has."""
        if self._lost:
            return None  # there is something to send at once
        times = [sent.sent_ns for sent in self._flight.values() if sent.sent_ns is not None]
        return min(times) + self.round_trip.timeout_ns if times else None

    def on_deadline(self, now_ns: int) -> None:
        """Take the oldest frame for lost if its time is over; its acknowledgement tells about the others."""
        deadline_ns = self.deadline_ns()
        if deadline_ns is None or now_ns < deadline_ns:
            return
        oldest = next(sent for sent in self._flight.values() if sent.sent_ns is not None)
        self._lose(oldest)
        self.round_trip.back_off()


class ReceiveWindow:
    """Frames from the peer, put in order."""

    def __init__(self) -> None:
        self._expected = 0
        self._early: dict[int, Data] = {}
        """Frames that came before one that is missing."""

    @property
    def expected(self) -> int:
        """Sequence number that comes next; all before it have arrived."""
        return self._expected

    @property
    def has_gap(self) -> bool:
        """True if a frame is missing before one that has arrived."""
        return bool(self._early)

    def accept(self, data: Data) -> list[Data] | None:
        """Take one frame; returns those that are now in order, or None for one that had arrived before.

        Raises:
            LookupError: the sequence number is outside the window.
        """
        ahead = (data.sequence - self._expected) % SEQUENCE_MODULUS
        if ahead >= WINDOW:
            if ahead >= SEQUENCE_MODULUS - WINDOW:
                return None
            raise LookupError(data.sequence)
        if data.sequence in self._early:
            return None
        self._early[data.sequence] = data
        in_order = []
        while (following := self._early.pop(self._expected, None)) is not None:
            in_order.append(following)
            self._expected = (self._expected + 1) % SEQUENCE_MODULUS
        return in_order

    def ack(self) -> Ack:
        """What has arrived so far."""
        received = 0
        for sequence in self._early:
            received |= 1 << (sequence - self._expected - 1) % SEQUENCE_MODULUS
        return Ack(self._expected, received)
