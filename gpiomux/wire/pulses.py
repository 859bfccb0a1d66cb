"""gpiosk's pulse code: a frame as the order of pulses on two lines, and pulses as frames again. Pure.

One pulse on `data` is one bit; its value is a mode that both ends keep, 0 at first. One pulse on `ctl` before it
inverts the mode. Three pulses on `ctl`, then one on `data`, is a delimiter: it starts or ends a frame and sets the mode
to 0. A frame is Ethernet without check sequence, 60 to 1500 bytes, each byte with its least significant bit first. Only
rising edges count, and no time (gpiosk.c at 83da639, gpio_tx and the two interrupt handlers).

gpiosk's own receiver takes more for a frame than it should, and some faults wedge it for good. This one takes what has
a whole start, a whole end, and nothing lost between them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

DATA, CTL = 0, 1
"""The line of a pulse."""
DELIMITER = bytes((CTL, CTL, CTL, DATA))
LEAST_FRAME_BYTES = 60
"""ETH_ZLEN; what is shorter is padded with zeros."""
MOST_FRAME_BYTES = 1500
"""MAX_PKTLEN of gpiosk, for the whole frame: a longer one overruns the memory of the board's kernel."""
IDLE_NS = 200_000_000
"""After so long without an edge a frame was given up by its sender. Anything that a sender in user space may be late by
on a busy machine is shorter."""
LATE_NS = 50_000_000
"""How long an edge is waited for that others have overtaken: each line has an interrupt thread of its own."""
MOST_WAITING = 1024
"""Edges that may wait for one before them; the kernel queues no more."""

_HEADER_BYTES = 14
_LEAST_ETHERTYPE = 0x0600
"""Below it the field is the length of an IEEE 802.3 frame."""
_SEQNO_BITS = (1 << 32) - 1
_SEQNO_HALF = 1 << 31


def _pulses_of_byte(byte: int, mode: int) -> tuple[bytes, int]:
    pulses = bytearray()
    for number in range(8):
        bit = byte >> number & 1
        if bit != mode:
            pulses.append(CTL)
            mode = bit
        pulses.append(DATA)
    return bytes(pulses), mode


_PULSES = tuple(tuple(_pulses_of_byte(byte, mode) for byte in range(256)) for mode in (0, 1))
"""By mode and byte: the pulses, and the mode after them."""


def pulses_of(frame: bytes) -> list[bytes]:
    """The pulses of a frame, one line number each: the start, then each byte, then the end.

    Between two of the items the sender may pause for any time, and die without harm to the receiver's state but that
    the frame is lost. Within one it must not.

    Raises:
        ValueError: the frame is longer than MOST_FRAME_BYTES.
    """
    if len(frame) > MOST_FRAME_BYTES:
        raise ValueError(f"a frame of {len(frame)} bytes is longer than {MOST_FRAME_BYTES}")
    pulses, mode = [DELIMITER], 0
    for byte in frame.ljust(LEAST_FRAME_BYTES, b"\0"):
        of_byte, mode = _PULSES[mode][byte]
        pulses.append(of_byte)
    pulses.append(DELIMITER)
    return pulses


class Edge(NamedTuple):
    """One rising edge, as the kernel tells it."""

    timestamp_ns: int
    line: int
    """CTL or DATA."""
    seqno: int
    """Over both lines, from 1 and modulo 2^32; a gap means that edges were merged or dropped."""


@dataclass(slots=True)
class PulseCounters:
    """What one end of a link with this code counts; `tx` is towards the peer, `rx` from it."""

    tx_packets: int = 0
    """Frames that have gone out."""
    tx_bytes: int = 0
    """Bytes of these frames, without what pads short ones."""
    tx_dropped: int = 0
    """Too long for a gpiosk board, or there was no carrier."""
    tx_ring_full: int = 0
    """Frames dropped because too many waited: each was the oldest of the flow that held most."""
    rx_packets: int = 0
    """Frames that have come whole."""
    rx_bytes: int = 0
    """Bytes of these frames."""
    rx_sequence_errors: int = 0
    """Times that edges were lost between the lines and us."""
    rx_framing_errors: int = 0
    """Frames with a gap, a delimiter that is none, a byte that is not whole, or an end that did not come."""
    rx_length_errors: int = 0
    """Frames shorter or longer than they may be."""
    rx_type_errors: int = 0
    """Frames whose length field says more than has come."""
    rx_checksums_completed: int = 0
    """TCP and UDP checksums that the board has left out and we have computed."""
    carrier_changes: int = 0
    """Times that the carrier came or went."""

    def as_dict(self) -> dict[str, int]:
        """Name to value, in the order above."""
        return asdict(self)


class PulseReceiver:
    """Edges in, frames out.

    Attributes:
        in_frame: a frame has begun that has not ended.
    """

    def __init__(self, counters: PulseCounters) -> None:
        """Begin in the middle of anything: what comes before the first delimiter is no frame."""
        self._counters = counters
        self._expected = 1
        self._waiting: list[tuple[int, Edge]] = []
        """Edges that have overtaken the expected one, as a heap by distance from the first number."""
        self._waiting_ns: int | None = None
        """Since when there are such edges."""
        self._turns = 0
        """Numbers passed so far, which do not wrap."""
        self._ctl = 0
        """Edges on `ctl` since the last on `data`."""
        self._mode = 0
        self._bits = bytearray()
        """As digits, in the order of arrival."""
        self._lost = True
        """What comes until the next delimiter is no frame."""
        self._last_ns = 0
        self._frames: list[bytes] = []

    @property
    def in_frame(self) -> bool:
        return bool(self._bits or self._ctl or self._waiting)

    def hear(self, edges: Iterable[Edge], now_ns: int) -> list[bytes]:
        """The frames that end with these edges, which come as the kernel queued them.

        Args:
            edges: may be empty.
            now_ns: the time, by which an edge that is missing is given up.
        """
        for edge in edges:
            ahead = (edge.seqno - self._expected) & _SEQNO_BITS
            if ahead == 0:
                self._take(edge)
                self._take_waiting()
            elif ahead < _SEQNO_HALF:
                heappush(self._waiting, (self._turns + ahead, edge))
            # What comes after it was given up has been counted as a gap.
        if not self._waiting:
            self._waiting_ns = None
        elif self._waiting_ns is None:
            self._waiting_ns = now_ns
        elif now_ns - self._waiting_ns > LATE_NS or len(self._waiting) > MOST_WAITING:
            self._give_up_missing(now_ns)
        frames, self._frames = self._frames, []
        return frames

    def deadline_ns(self) -> int | None:
        """When `hear` must be called again, even without edges; None: no need to."""
        return None if self._waiting_ns is None else self._waiting_ns + LATE_NS + 1

    def _take_waiting(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._turns:
            turn, edge = heappop(self._waiting)
            if turn == self._turns:
                self._take(edge)

    def _give_up_missing(self, now_ns: int) -> None:
        """The edges before the first that waits were lost."""
        self._counters.rx_sequence_errors += 1
        self._lose()
        turn, edge = self._waiting[0]
        self._expected, self._turns = edge.seqno, turn
        self._take_waiting()
        self._waiting_ns = now_ns if self._waiting else None

    def _take(self, edge: Edge) -> None:
        """The next edge, in order."""
        self._expected = (edge.seqno + 1) & _SEQNO_BITS
        self._turns += 1
        if edge.timestamp_ns - self._last_ns > IDLE_NS:
            self._lose()
        self._last_ns = edge.timestamp_ns
        if edge.line == CTL:
            self._ctl += 1
            return
        ctl, self._ctl = self._ctl, 0
        if ctl >= 3:
            self._delimit(whole=ctl == 3)
        elif ctl == 2 or len(self._bits) >= 8 * MOST_FRAME_BYTES:
            self._lose()
        else:
            self._mode ^= ctl
            self._bits.append(48 + self._mode)

    def _lose(self) -> None:
        """What has come of a frame is lost, and what follows up to the next delimiter."""
        if self._bits and not self._lost:
            self._counters.rx_framing_errors += 1
        self._ctl = self._mode = 0
        self._bits.clear()
        self._lost = True

    def _delimit(self, *, whole: bool) -> None:
        """A delimiter, perhaps with edges too many: the end of a frame, or the start of one."""
        if self._bits and not self._lost:
            if whole and len(self._bits) % 8 == 0:
                self._judge(int(self._bits[::-1], 2).to_bytes(len(self._bits) // 8, "little"))
            else:
                self._counters.rx_framing_errors += 1
        self._mode = 0
        self._bits.clear()
        self._lost = False

    def _judge(self, frame: bytes) -> None:
        if not LEAST_FRAME_BYTES <= len(frame) <= MOST_FRAME_BYTES:
            self._counters.rx_length_errors += 1
            return
        kind = int.from_bytes(frame[_HEADER_BYTES - 2 : _HEADER_BYTES], "big")
        if kind < _LEAST_ETHERTYPE and kind > len(frame) - _HEADER_BYTES:
            self._counters.rx_type_errors += 1
            return
        self._frames.append(frame)
