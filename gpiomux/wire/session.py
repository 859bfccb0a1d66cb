"""What two ends share while both are up: packets, streams and acknowledgements. Each new epoch begins another.

A session knows nothing of hellos and carriers; `gpiomux.wire.endpoint` makes one when the carrier comes and throws it
away when it goes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from gpiomux.wire.datagram import ReceiveDatagrams, SendDatagrams
from gpiomux.wire.frame import POSITION_MODULUS, Ack, Data
from gpiomux.wire.packet import HEADER as PACKET_HEADER
from gpiomux.wire.reassembly import Reassembly
from gpiomux.wire.record import HEADER as RECORD_HEADER
from gpiomux.wire.schedule import Schedule
from gpiomux.wire.stream import MAX_RANGES, ReceiveStream, SendStream
from gpiomux.wire.timing import OVERHEAD_BYTES

if TYPE_CHECKING:
    from gpiomux.wire.counters import Counters
    from gpiomux.wire.packet import Packet
    from gpiomux.wire.timing import Pace

ACK_EVERY = 8
"""Data frames that may stay unacknowledged while more keep coming."""
ACK_DELAY_NS = 4_000_000
"""How long an acknowledgement waits for data that could carry it."""
KEEPALIVE_NS = 500_000_000
"""After so long without a frame of ours, an acknowledgement tells that we live: a short frame survives much noise."""
ACK_SHARE, CROWDED_ACK_SHARE = 6, 2
"""While data waits, acknowledgements gain one byte for so many bytes of data, and go behind it when they have used them
up: else, with a wide side that is noisy, they would take most of a narrow one. The second holds while there are more
gaps than one acknowledgement tells, because the peer's window would close over those it does not know of."""
MIN_PIECE_BYTES = 16
"""Shorter pieces of packets are not put at the end of a frame: the next frame is worth more."""


def ack_bytes(ack: Ack) -> int:
    """What an acknowledgement takes on the line: 3 bytes and the ranges, check sequence 4, start, stuffing, end 2."""
    return 11 + 4 * len(ack.ranges)


MOST_ACK_BYTES = ack_bytes(Ack(0, ((0, 0),) * MAX_RANGES))


class Session:
    """Both directions of one session."""

    def __init__(self, counters: Counters, pace: Pace, tx_ring: int, now_ns: int, *, datagram: bool) -> None:
        """Begin at position 0 in both directions.

        Args:
            counters: where packets and faults are counted.
            pace: how fast the line is, which is known longer than a session lasts.
            tx_ring: packets that may wait for the wire.
            now_ns: the time.
            datagram: resend nothing.
        """
        self._said_ns = now_ns
        self._counters = counters
        self._pace = pace
        self._datagram = datagram
        self._schedule = Schedule(tx_ring)
        self._sending = SendDatagrams() if datagram else SendStream()
        self._receiving = ReceiveDatagrams() if datagram else ReceiveStream()
        self._reassembly = Reassembly(counters)
        self._leaving: deque[tuple[int, int]] = deque()
        """End position and bytes of each packet that is in the stream and has not arrived."""
        self._unacked = 0
        self._ack_due_ns: int | None = None
        self._ack_credit_bytes = MOST_ACK_BYTES
        """What acknowledgements may take before it is the turn of data that waits."""

    @property
    def full(self) -> bool:
        """True if `put` drops a packet for the one it takes."""
        return self._schedule.full

    def packets(self) -> int:
        """Packets that were put in and are not known to have arrived."""
        return len(self._schedule) + len(self._leaving)

    def waiting(self) -> int:
        """Packets that wait for the wire, the last of them perhaps in part."""
        return len(self._schedule)

    def window_bytes(self) -> int:
        """Bytes of the stream that are on their way or about to go."""
        return self._sending.end - self._sending.base

    def put(self, flow: bytes, packet: Packet) -> None:
        """Queue a packet for the peer; a full ring loses one for it."""
        self._counters.tx_ring_full += self._schedule.put(flow, packet.encode())

    # Frames in.

    def on_data(self, frame: Data, longest_bytes: int, now_ns: int) -> list[Packet] | None:
        """Take a data frame; returns the packets that it completes, or None if the stream is no stream of records."""
        position = frame.position
        if self._datagram:
            position += frame.acknowledgement * POSITION_MODULUS
        else:
            self.on_ack(Ack(frame.acknowledgement), now_ns)
        try:
            arrival = self._receiving.accept(position, frame.data)
        except LookupError:
            self._counters.rx_sequence_errors += 1
            return []
        if arrival.lost:
            self._reassembly.interrupt()
        if arrival.duplicate:
            self._counters.rx_duplicates += 1
        if not self._datagram:
            self._owe_ack(now_ns, urgent=not arrival.data or self._receiving.has_gap)
        return self._reassembly.feed(arrival.data, longest_bytes)

    def _owe_ack(self, now_ns: int, *, urgent: bool) -> None:
        self._unacked += 1
        if urgent or self._unacked >= ACK_EVERY:
            self._ack_due_ns = now_ns
        elif self._ack_due_ns is None:
            self._ack_due_ns = now_ns + ACK_DELAY_NS

    def hold(self, on: bool, now_ns: int) -> None:
        """Acknowledge nothing that arrives from now on, in order; what has been held is acknowledged at the end."""
        self._receiving.hold(on)
        if not on and not self._datagram:
            self._ack_due_ns = now_ns

    def on_ack(self, ack: Ack, now_ns: int) -> None:
        """Take what the peer says has arrived."""
        if not self._sending.acknowledged(ack, now_ns):
            self._counters.rx_sequence_errors += 1
        self._count_arrived()

    def _count_arrived(self) -> None:
        while self._leaving and self._leaving[0][0] <= self._sending.base:
            _, length_bytes = self._leaving.popleft()
            self._counters.tx_packets += 1
            self._counters.tx_bytes += length_bytes

    # Frames out.

    def next_frame(self, now_ns: int) -> Data | Ack | None:
        """What should be sent now, if anything."""
        due_ns = self._said_ns + KEEPALIVE_NS
        if self._ack_due_ns is not None:
            due_ns = min(due_ns, self._ack_due_ns)
        ack = self._receiving.ack() if now_ns >= due_ns else None
        data = self._next_data() if ack is None or ack_bytes(ack) > self._ack_credit_bytes else None
        if data is not None or ack is not None:
            self._said_ns = now_ns
        if data is not None or ack is None:
            return data
        self._ack_due_ns, self._unacked = None, 0
        self._ack_credit_bytes = max(self._ack_credit_bytes - ack_bytes(ack), 0)
        return ack

    def _next_data(self) -> Data | None:
        most = min(self._sending.data_bytes(), self._pace.data_bytes())
        if self._sending.has_lost:
            self._counters.tx_resent += 1
        else:
            self._fill_frame(most)
        taken = self._sending.take(most)
        if taken is None:
            return None
        if not self._receiving.has_gap:  # an acknowledgement with ranges still has to be said
            self._ack_due_ns, self._unacked = None, 0
        position, data = taken
        gained = (len(data) + OVERHEAD_BYTES) // (CROWDED_ACK_SHARE if self._receiving.crowded else ACK_SHARE)
        self._ack_credit_bytes = min(self._ack_credit_bytes + gained, MOST_ACK_BYTES)
        if self._datagram:
            return Data(position % POSITION_MODULUS, position // POSITION_MODULUS, data)
        return Data(position, self._receiving.expected, data)

    def _fill_frame(self, most: int) -> None:
        """Move pieces of packets into the stream until there is enough for a frame of `most` bytes.

        Sparse packets have a frame to themselves: bulk behind them would only make them arrive later.
        """
        sparse = self._schedule.sparse_next()
        while not sparse or self._schedule.sparse_next():
            room = min(most - self._sending.unsent(), self._sending.room()) - RECORD_HEADER.size
            if room < MIN_PIECE_BYTES or (cut := self._schedule.next(room)) is None:
                return
            self._sending.append(cut.record.encode())
            if cut.packet_bytes:
                self._leaving.append((self._sending.end, cut.packet_bytes - PACKET_HEADER.size))

    def gone_out(self, now_ns: int) -> None:
        """The peer has taken the last word of the frame from `next_frame`: its timer starts."""
        self._sending.gone_out(now_ns)
        self._count_arrived()

    # Time.

    def deadline_ns(self) -> int:
        """When `on_deadline` and `next_frame` must be called at the latest."""
        times_ns = (self._said_ns + KEEPALIVE_NS, self._ack_due_ns, self._sending.deadline_ns())
        return min(time_ns for time_ns in times_ns if time_ns is not None)

    def on_deadline(self, now_ns: int) -> None:
        """Look at the timer of the frames on their way; may be called at any time."""
        self._sending.on_deadline(now_ns)
