"""Probes: round trips, losses and wrong bits of a line, with or without a carrier.

A probe is answered by a reply of the same length. Both carry what their sender has counted, so that each end knows the
damage in both directions, and a known pattern between two zero bytes. Stuffing begins anew after a zero byte, so the
pattern has the same bytes at the same place on the line whatever the fields before it say: of a damaged frame of the
right length each bit of it can be compared, and wrong bits are counted, not estimated. The pattern is PRBS23 of ITU-T
O.150, which starts with ones and sends the first bit first.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from gpiomux.wire import cobs
from gpiomux.wire.frame import MAX_PATTERN_BYTES, MIN_PATTERN_BYTES, PROBE_FIELDS_BYTES, Probe

if TYPE_CHECKING:
    from gpiomux.wire.counters import Counters
    from gpiomux.wire.timing import Pace

GIVE_WAY_FRAMES = 4
"""Frames of the session that go out before a probe or reply, if so many wait."""
MAX_WAITING = 16
"""Replies that wait to go out: as many probes as may come at once after this process was held up for a while."""
MAX_REMEMBERED = 512
"""Probes without a reply, and replies, that are kept for whoever asked for them."""
_MODULUS = 1 << 32
_FITTING = 4
"""Of so many bits one may be wrong, or this is another frame."""
_BEFORE_PATTERN_BYTES = 1 + 1 + PROBE_FIELDS_BYTES
"""On the line: start byte and the code byte of the stuffing."""
_AFTER_PATTERN_BYTES = 1 + 4
"""On the line: the check sequence, stuffed."""
LINE_OVERHEAD_BYTES = _BEFORE_PATTERN_BYTES + 1 + _AFTER_PATTERN_BYTES
"""What a frame has on the line besides its pattern, which the stuffing makes longer by one; without the end."""


def _prbs23(length: int) -> bytes:
    state, found = (1 << 23) - 1, bytearray(length)
    for place in range(8 * length):
        bit = (state >> 22 ^ state >> 17) & 1
        state = (state << 1 | bit) & (1 << 23) - 1
        found[place // 8] |= bit << place % 8
    return bytes(found)


PATTERN = _prbs23(MAX_PATTERN_BYTES)
"""Shorter patterns are its beginning. Nowhere are there 254 bytes without a zero: stuffing always adds one byte."""


def wrong_bits(line: bytes) -> int | None:
    """How many bits of a pattern are wrong; None if this is no probe and no reply, or not recognisable as one.

    Args:
        line: a damaged frame as it came: start byte and stuffed bytes, without the end.
    """
    pattern_bytes = len(line) - LINE_OVERHEAD_BYTES
    if not MIN_PATTERN_BYTES <= pattern_bytes <= MAX_PATTERN_BYTES:
        return None
    sent = cobs.encode(PATTERN[:pattern_bytes])
    came = line[_BEFORE_PATTERN_BYTES:-_AFTER_PATTERN_BYTES]
    wrong = (int.from_bytes(sent, "big") ^ int.from_bytes(came, "big")).bit_count()
    return wrong if wrong * _FITTING <= 8 * len(sent) else None


def compared_bits(pattern_bytes: int) -> int:
    """Bits of a pattern that are compared: the stuffing adds a byte."""
    return 8 * (pattern_bytes + 1)


class Figures(NamedTuple):
    """What an end has counted of what it received, modulo 2^32.

    Attributes:
        received: right frames of any kind.
        damaged: frames of any kind that were none any more.
        pattern_bits: bits of patterns that were compared, those of right frames among them.
        wrong_bits: those of them that were wrong.
    """

    received: int = 0
    damaged: int = 0
    pattern_bits: int = 0
    wrong_bits: int = 0


class Reply(NamedTuple):
    """A reply that has come.

    Attributes:
        number: of its probe.
        took_ns: from the first word of the probe to the last of the reply.
        peer: what the peer says it has counted.
    """

    number: int
    took_ns: int
    peer: Figures


class Probing:
    """Both sides of it: sends probes for whoever asks, and replies to the peer.

    One probe and a few replies wait to go out at most: the newest. A reply is never longer than its probe.

    Attributes:
        replies: those that have come last, in order.
    """

    def __init__(self, counters: Counters, pace: Pace) -> None:
        """Begin; what is counted is taken from `counters`, and `pace` tells how long a frame may be."""
        self.replies: deque[Reply] = deque(maxlen=MAX_REMEMBERED)
        self._counters = counters
        self._pace = pace
        self._pattern_bits = self._wrong_bits = 0
        self._number = 0
        self._asked: tuple[int, int] | None = None
        """Number and bytes of the pattern of the probe that waits."""
        self._due: deque[tuple[int, int]] = deque(maxlen=MAX_WAITING)
        """The same of the replies."""
        self._sent_ns: dict[int, int] = {}
        """Of probes without a reply, oldest first."""
        self._gave_way = 0

    # For who asks.

    def ask(self, pattern_bytes: int) -> int:
        """Have a probe sent, with a pattern of so many bytes (fewer on a slow line); its number.

        One that has not gone out yet never will.
        """
        self._number = self._number % (_MODULUS - 1) + 1
        self._asked = (self._number, pattern_bytes)
        return self._number

    @property
    def waiting(self) -> int:
        """Number of the probe that has not gone out yet; 0: none."""
        return 0 if self._asked is None else self._asked[0]

    @property
    def own(self) -> Figures:
        """What this end has counted."""
        counted = self._counters
        damaged = counted.rx_crc_errors + counted.rx_framing_errors + counted.rx_length_errors
        figures = (counted.rx_frames, damaged, self._pattern_bits, self._wrong_bits)
        return Figures._make(number % _MODULUS for number in figures)

    # Frames in.

    def on_probe(self, probe: Probe, now_ns: int) -> None:
        """Take a probe or a reply of the peer."""
        pattern_bytes = len(probe.body) - 2
        self._pattern_bits += compared_bits(pattern_bytes)
        if not probe.reply:
            self._due.append((probe.number, pattern_bytes))
            return
        sent_ns = self._sent_ns.pop(probe.number, None)
        if sent_ns is not None:  # else it answers nobody
            peer = Figures(probe.received, probe.damaged, probe.pattern_bits, probe.wrong_bits)
            self.replies.append(Reply(probe.number, now_ns - sent_ns, peer))

    def on_damaged(self, line: bytes) -> None:
        """Look at a frame that is damaged, as it came over the line."""
        wrong = wrong_bits(line)
        if wrong is not None:
            self._pattern_bits += compared_bits(len(line) - LINE_OVERHEAD_BYTES)
            self._wrong_bits += wrong

    # Frames out.

    @property
    def waits(self) -> bool:
        """True if a probe or a reply waits to go out."""
        return self._asked is not None or bool(self._due)

    @property
    def first(self) -> bool:
        """True if one has given way to the session for long enough."""
        return self._gave_way >= GIVE_WAY_FRAMES and self.waits

    def give_way(self) -> None:
        """A frame of the session goes out."""
        self._gave_way += 1

    def next_frame(self, now_ns: int) -> Probe | None:
        """The probe or the reply that goes out now, if one waits.

        Probes come first: a peer that never stops probing cannot keep us from it.
        """
        self._gave_way = 0
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._sent_ns[asked[0]] = now_ns
            if len(self._sent_ns) > MAX_REMEMBERED:
                del self._sent_ns[next(iter(self._sent_ns))]
            return self._probe(*asked)
        return self._probe(*self._due.popleft(), reply=True) if self._due else None

    def _probe(self, number: int, pattern_bytes: int, *, reply: bool = False) -> Probe:
        body = b"\0%b\0" % PATTERN[: min(pattern_bytes, self._pace.data_bytes())]
        return Probe(number, *self.own, body, reply)
