"""A waveform as a picture: lines, words and frames of both directions over time, whose idle parts are cut short."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from gpiomux.waveform.waveform import IN, OUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpiomux.waveform.decoded import Span, Word
    from gpiomux.waveform.waveform import Waveform

LEFT, TOP, ROW, HIGH = 90, 56, 26, 16
"""Pixels: for the names, above the first row, from row to row, from low to high."""
LEAST_STEP, MOST_STEP, USUAL_STEP = 20, 44, 24
"""Pixels from one change to the next: at least, at most, and for the usual time between two."""
MOST_CHANGES = 90
"""More would make a picture that nobody can look at."""
PAPER, INK, FAINT = "#ffffff", "#1a1a1a", "#c8c8c8"
COLOURS = {OUT: "#0072b2", IN: "#d55e00"}
"""Blue and vermilion of Okabe and Ito: told apart by everybody."""
FILLS = {OUT: "#d6e9f5", IN: "#fbe3d3"}


def picture(link: str, shown: Waveform, words: Sequence[Word], spans: Sequence[Span]) -> Image.Image:
    """Draw the last changes of a waveform, MOST_CHANGES of them.

    Args:
        link: name of the link.
        shown: the waveform, with one change at least.
        words: moved on it.
        spans: its frames.
    """
    changes = shown.changes[-MOST_CHANGES:]
    places = _places([time_ns for time_ns, _ in changes])
    rows = [*_rows(shown, OUT), *_rows(shown, IN)]
    right = LEFT + places[changes[-1][0]] + MOST_STEP
    made = Image.new("RGB", (right + 20, TOP + ROW * len(rows) + 24), PAPER)
    draw = ImageDraw.Draw(made)
    _scale(draw, link, changes, places)
    bits = {(line.direction, line.role): line.bit for line in shown.lines}
    for number, (way, role) in enumerate(rows):
        base = TOP + ROW * number + ROW - 6
        draw.text((10, base - HIGH + 1), f"{way}.{role}", fill=COLOURS[way], font=_font(13))
        if role == "word":
            boxes = [(word.begin_ns, word.end_ns, f"{word.value:02x}") for word in words if word.direction == way]
        elif role == "frame":
            boxes = [(span.begin_ns, span.end_ns, span.text) for span in spans if span.direction == way]
        else:
            _level(draw, changes, places, bits[way, role], base, COLOURS[way], right)
            continue
        _boxes(draw, boxes, places, base, way)
    return made


def _rows(shown: Waveform, way: str) -> list[tuple[str, str]]:
    """The rows of a direction: frames and words above the lines."""
    roles = [line.role for line in shown.from_top(way)]
    return [(way, role) for role in ("frame", *(("word",) if "req" in roles else ()), *roles)]


def _places(times_ns: list[int]) -> dict[int, int]:
    """Where each change stands: apart as far as the time between, as far as that can be shown."""
    steps = sorted(after - before for before, after in pairwise(times_ns))
    usual_ns = max(steps[len(steps) // 2], 1) if steps else 1
    places, at = {times_ns[0]: 0}, 0
    for before, after in pairwise(times_ns):
        at += min(max((after - before) * USUAL_STEP // usual_ns, LEAST_STEP), MOST_STEP)
        places[after] = at
    return places


def _scale(draw: ImageDraw.ImageDraw, link: str, changes: Sequence[tuple[int, int]], places: dict[int, int]) -> None:
    begin_ns = changes[0][0]
    took_us = (changes[-1][0] - begin_ns) / 1000
    title = f"{link}: {len(changes)} changes of levels in {took_us:.0f} us; where nothing moves, time is cut short"
    draw.text((10, 8), title, fill=INK, font=_font(14))
    free = 0
    for time_ns, _ in changes:
        at = places[time_ns]
        if at >= free:
            draw.line((LEFT + at, TOP - 12, LEFT + at, TOP - 4), fill=FAINT)
            draw.text((LEFT + at + 3, TOP - 22), f"{(time_ns - begin_ns) / 1000:.0f} us", fill=INK, font=_font(11))
            free = at + 120


def _level(
    draw: ImageDraw.ImageDraw,
    changes: Sequence[tuple[int, int]],
    places: dict[int, int],
    bit: int,
    base: int,
    colour: str,
    right: int,
) -> None:
    points: list[tuple[int, int]] = []
    for time_ns, levels in changes:
        at, height = LEFT + places[time_ns], base - HIGH * (levels >> bit & 1)
        if points:
            points.append((at, points[-1][1]))
        points.append((at, height))
    points.append((right, points[-1][1]))
    draw.line((LEFT, base, right, base), fill=FAINT)
    draw.line(points, fill=colour, width=2)


def _boxes(
    draw: ImageDraw.ImageDraw, boxes: Sequence[tuple[int, int, str]], places: dict[int, int], base: int, way: str
) -> None:
    """Boxes with text; where there is no room for the text, without."""
    first, last = min(places), max(places)
    for begin_ns, end_ns, text in boxes:
        if end_ns < first:
            continue
        left = LEFT + places.get(max(begin_ns, first), 0)
        right = LEFT + places.get(min(end_ns, last), places[last])
        draw.rectangle((left, base - HIGH, max(right - 1, left + 2), base), fill=FILLS[way], outline=COLOURS[way])
        font = _font(11)
        shown = text
        while shown and draw.textlength(shown, font=font) > right - left - 6:
            shown = shown[:-1]
        if shown == text or len(shown) > 3:
            draw.text((left + 4, base - HIGH + 1), shown, fill=INK, font=font)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
