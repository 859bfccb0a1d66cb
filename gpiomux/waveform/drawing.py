"""A waveform as lines of text: a column for each change, not to the scale of time."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from gpiomux.waveform.waveform import IN, OUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpiomux.waveform.decoded import Span, Word
    from gpiomux.waveform.waveform import Line, Waveform

LEFT_COLUMNS = 9
"""For the names of the lines."""
CHANGE_COLUMNS = 2
"""One for the edge, one for the level after it; as wide as a word in hexadecimal."""


MOST_SPANS = 20
"""Frames that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strokes:
    """The characters that lines are drawn with."""

    low: str
    high: str
    rising: str
    falling: str


UNICODE = Strokes(low="▁", high="▔", rising="╱", falling="╲")  # noqa: RUF001 - they are drawn, not read
ASCII = Strokes(low="_", high="-", rising="/", falling="\\")


def drawn(shown: Waveform, words: Sequence[Word], *, columns: int, strokes: Strokes) -> list[str]:
    """The last changes that fit, a row for each line, and one for the words of each direction.

    Args:
        shown: the waveform.
        words: moved on it.
        columns: how wide a row may be.
        strokes: what to draw with.
    """
    room = max((columns - LEFT_COLUMNS) // CHANGE_COLUMNS, 1)
    first = max(len(shown.changes) - room, 0)
    changes = shown.changes[first:]
    if not changes:
        return []
    before = shown.changes[first - 1][1] if first else changes[0][1]
    took_us = (changes[-1][0] - changes[0][0]) / 1000
    rows = [f"{len(changes)} changes in {took_us:.0f} us, not to scale"]
    for way in (OUT, IN):
        rows += [_line_row(line, changes, before, strokes) for line in shown.from_top(way)]
        moved = {word.begin_ns: word for word in words if word.direction == way}
        if moved:
            cells = (f"{moved[time_ns].value:02x}" if time_ns in moved else "  " for time_ns, _ in changes)
            rows.append((f"{way}.word".ljust(LEFT_COLUMNS) + "".join(cells)).rstrip())
    return rows


def span_rows(shown: Waveform, spans: Sequence[Span], *, columns: int) -> list[str]:
    """The last frames one below the other, MOST_SPANS of them, with the time since the first change and the direction.

    Args:
        shown: the waveform.
        spans: its frames.
        columns: how wide a row may be; what is longer goes on below its own text.
    """
    begin_ns = shown.changes[0][0] if shown.changes else 0
    rows: list[str] = []
    for span in spans[-MOST_SPANS:]:
        head = f"{(span.begin_ns - begin_ns) / 1e6:10.3f} ms  {span.direction:3} "
        rows += wrap(head + span.text, max(columns, 2 * len(head)), subsequent_indent=" " * len(head))
    return rows


def _line_row(line: Line, changes: Sequence[tuple[int, int]], before: int, strokes: Strokes) -> str:
    cells, was = [], before >> line.bit & 1
    for _, levels in changes:
        now = levels >> line.bit & 1
        flat = strokes.high if now else strokes.low
        edge = flat if now == was else strokes.rising if now else strokes.falling
        cells.append(edge + flat)
        was = now
    return f"{line.direction}.{line.role}".ljust(LEFT_COLUMNS) + "".join(cells)
