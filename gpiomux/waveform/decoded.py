"""What the levels of a link mean: the words that its handshake moves, and the frames these make up."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from gpiomux.waveform.waveform import IN, OUT
from gpiomux.wire.codec import Decoder
from gpiomux.wire.counters import Counters
from gpiomux.wire.pulses import CTL, DATA, Edge, PulseCounters, PulseReceiver
from gpiomux.wire.summary import summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpiomux.waveform.waveform import Waveform
    from gpiomux.wire.tap import Damage
    from gpiomux.wire.trace import Trace

_AFTER_NS = 1_000_000_000
"""A receiver of pulses that is asked so long after the last edge waits for no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word on the data lines."""

    direction: str
    begin_ns: int
    """Its `req` moved, or was seen to have moved."""
    end_ns: int
    """Its `ack` moved, or was seen to have moved."""
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One frame."""

    direction: str
    begin_ns: int
    end_ns: int
    text: str
    """What it is, in one line."""


def words_of(shown: Waveform) -> list[Word]:
    """The words that were moved, by the handshake; see `gpiomux.lines.handshake`.

    A word of ours stands when our `req` moves; one of the peer's when our `ack` says that it was taken. Half a word at
    either end of the waveform is left out.
    """
    found: list[Word] = []
    begun: dict[str, tuple[int, int]] = {}
    masks = {way: (shown.bit(way, "req"), shown.bit(way, "ack"), *shown.data(way)) for way in (OUT, IN)}
    for (before_ns, before), (time_ns, levels) in pairwise(shown.changes):
        if shown.follows_gap(before_ns, time_ns):
            begun.clear()
            continue
        for way, (req, ack, lowest, width) in masks.items():
            value = levels >> lowest & (1 << width) - 1
            if (before ^ levels) & req:
                begun[way] = time_ns, value
            if (before ^ levels) & ack and way in begun:
                begin_ns, sent = begun.pop(way)
                found.append(
                    Word(direction=way, begin_ns=begin_ns, end_ns=time_ns, value=sent if way == OUT else value)
                )
    return found


def spans_of(words: list[Word], widths: dict[str, int], trace: Trace, gaps_ns: Sequence[int] = ()) -> list[Span]:
    """The frames that words make up, also the damaged ones, but for those of which a part was not seen.

    Args:
        words: in the order of time.
        widths: data lines of each direction.
        trace: words for the frames of this link.
        gaps_ns: of the waveform.
    """
    found: list[Span] = []
    for way in (OUT, IN):
        moved = [word for word in words if word.direction == way]
        cuts = [0, *(bisect_left(moved, gap_ns, key=lambda word: word.begin_ns) for gap_ns in gaps_ns), len(moved)]
        for begin, end in pairwise(cuts):
            found += _spans(moved[begin:end], widths[way], trace)
    return sorted(found, key=lambda span: span.begin_ns)


class _Ends:
    """Keeps what a decoder says of the frame that has just ended."""

    def __init__(self) -> None:
        self.last: tuple[bytes, Damage] | None = None

    def frame(self, outgoing: bool, data: bytes, damage: Damage) -> None:
        """See `gpiomux.wire.tap.FrameTap`; the direction is known without."""
        self.last = data, damage


def _spans(words: list[Word], width: int, trace: Trace) -> Iterator[Span]:
    decoder, ends = Decoder(width, Counters()), _Ends()
    decoder.tap = ends
    begin_ns: int | None = None
    whole = False
    for word in words:
        if begin_ns is None and word.value:
            begin_ns = word.begin_ns
        decoder.decode(bytes((word.value,)))
        if ends.last is None:
            continue
        data, damage = ends.last
        if begin_ns is not None and (whole or not damage):
            text = trace.frame(damage.value, data)
            yield Span(direction=word.direction, begin_ns=begin_ns, end_ns=word.end_ns, text=text)
        ends.last, begin_ns, whole = None, None, True


def pulse_spans_of(shown: Waveform) -> list[Span]:
    """The frames that pulses make up (code gpiosk): whole ones only."""
    found = [span for way in (OUT, IN) for span in _pulse_spans(shown, way)]
    return sorted(found, key=lambda span: span.begin_ns)


def _pulse_spans(shown: Waveform, way: str) -> Iterator[Span]:
    receiver = PulseReceiver(PulseCounters())
    edges = [
        (time_ns, line)
        for (_, before), (time_ns, levels) in pairwise(shown.changes)
        for line, role in ((CTL, "ctl"), (DATA, "data"))
        if levels & ~before & shown.bit(way, role)
    ]
    begin_ns = edges[0][0] if edges else 0
    for number, (time_ns, line) in enumerate(edges, 1):
        for frame in receiver.hear([Edge(time_ns, line, number)], time_ns):
            yield Span(direction=way, begin_ns=begin_ns, end_ns=time_ns, text=summary("eth", frame, len(frame)))
            begin_ns = time_ns
    for frame in receiver.hear([], edges[-1][0] + _AFTER_NS) if edges else ():
        yield Span(direction=way, begin_ns=begin_ns, end_ns=edges[-1][0], text=summary("eth", frame, len(frame)))
