"""The wiring as a drawing: two boards, the wires between them, a legend and the notes. Pure: the same always."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.wiring.boards import GAP, WIDTH, Used, board_view, height_of, shortened
from gpiomux.wiring.shapes import Arrow, Box, Curve, Drawing, Label, Line

if TYPE_CHECKING:
    from gpiomux.wiring.ends import End, Place
    from gpiomux.wiring.joining import Cable, Wiring
    from gpiomux.wiring.shapes import Point, Shape

_MARGIN = 24
_TOP = 66
"""Where the boards begin."""
_LETTER = 6.65
"""Width of a letter of the terminals, whose font is monospaced."""
_TERMINAL_HEIGHT = 15
_MIDDLE = 340
"""Between the terminals of the two boards."""
_STRAIGHT = 44
"""Of a wire, before and after it bends: room for a resistor or the head of an arrow."""
_PEER_ROW = 28
"""From one terminal of a board that is not known to the next."""
_PEER_HEAD = 56
_NOTE_LINE = 19
_BULLET = 14
_NOTE_LETTER = 6.7
"""Width of a letter of the notes, rather too much than too little: fonts differ."""
_LEGEND_LETTER = 6.3
_STRANDS_APART = 9
"""Between wires that run side by side, where they are steepest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strand:
    """One wire as it is drawn, ground included."""

    first: Place
    second: Place | None
    """None where the board is not known."""
    first_text: str
    """What the terminal at the first board says."""
    second_text: str
    driver: str
    """The board that drives it, `first` or `second`; `ground`."""
    part: str
    """`data`, `req`, `ack`, `ctl` or `ground`: how it is dashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What must be known before anything is drawn."""

    terminal: float
    """Width of the terminals."""
    first_height: float
    second_height: float

    @property
    def start(self) -> float:
        """Where wires begin, x."""
        return _MARGIN + WIDTH + GAP + self.terminal

    @property
    def end(self) -> float:
        """Where wires end, x."""
        return self.start + _MIDDLE

    @property
    def width(self) -> float:
        """Of all."""
        return self.end + self.start

    @property
    def height(self) -> float:
        """Of the higher board."""
        return max(self.first_height, self.second_height)


def draw(wiring: Wiring) -> Drawing:
    """Lay the wiring out on a page."""
    strands = [*(strand for cable in wiring.cables for strand in _strands(cable, wiring)), _ground(wiring)]
    page = _page(strands)
    left, starts = _first_board(wiring, strands, page)
    right, ends = _second_board(wiring, strands, starts, page)
    shapes = [*_heading(wiring, page), *left, *right]
    for strand, start, end, shift in zip(strands, starts, ends, _shifts(starts, ends), strict=True):
        shapes += _wire(strand, (page.start, start), (page.end, end), shift)
    for strand, start, end in zip(strands, starts, ends, strict=True):
        shapes += _terminal(strand.first_text, strand.driver, page.start - page.terminal, start, page.terminal)
        shapes += _terminal(strand.second_text, strand.driver, page.end, end, page.terminal)
    below = _TOP + page.height + 36
    notes = _notes(wiring.notes, below + 34, int((page.width - 2 * _MARGIN - _BULLET) / _NOTE_LETTER))
    shapes += [*_legend(strands, wiring, below), *notes]
    height = notes[-1].y + _NOTE_LINE
    return Drawing(width=page.width, height=height, title=_title(wiring), shapes=tuple(shapes))


def _strands(cable: Cable, wiring: Wiring) -> list[_Strand]:
    prefixes = (f"{cable.first} ", f"{cable.second} ") if len(wiring.cables) > 1 else ("", "")
    strands = []
    for wire in cable.wires:
        place = wire.first.place
        assert place is not None, "the first board is known"
        strands.append(
            _Strand(
                first=place,
                second=wire.second.place,
                first_text=_with_way(prefixes[0], wire.first, wire.second, first=True),
                second_text=_with_way(prefixes[1], wire.second, wire.first, first=False),
                driver="first" if wire.first.drives else "second",
                part=wire.first.part,
            )
        )
    return strands


def _with_way(prefix: str, end: End, other: End, *, first: bool) -> str:
    """What an end is for, and where its wire goes to or comes from: legible without the wire and its colour."""
    role = prefix + end.role
    if end.place is None or other.place is None:
        return role
    if first:
        return f"{role} {'→' if end.drives else '←'} {other.place.short}"
    return f"{other.place.short} {'←' if end.drives else '→'} {role}"


def _ground(wiring: Wiring) -> _Strand:
    first, second = wiring.first_ground, wiring.second_ground
    return _Strand(
        first=first,
        second=second,
        first_text=f"ground — {second.short}" if second is not None else "ground",
        second_text=f"{first.short} — ground" if second is not None else "ground",
        driver="ground",
        part="ground",
    )


def _page(strands: list[_Strand]) -> _Page:
    longest = max(len(text) for strand in strands for text in (strand.first_text, strand.second_text))
    second = _used_at_second(strands)
    return _Page(
        terminal=longest * _LETTER + 14,
        first_height=height_of(tuple(Used(place=strand.first, kind=strand.driver) for strand in strands)),
        second_height=height_of(second) if second else _PEER_HEAD + _PEER_ROW * len(strands),
    )


def _used_at_second(strands: list[_Strand]) -> tuple[Used, ...]:
    return tuple(Used(place=strand.second, kind=strand.driver) for strand in strands if strand.second is not None)


def _first_board(wiring: Wiring, strands: list[_Strand], page: _Page) -> tuple[tuple[Shape, ...], list[float]]:
    """The first board, and where the terminal of each strand is."""
    used = tuple(Used(place=strand.first, kind=strand.driver) for strand in strands)
    top = _TOP + (page.height - page.first_height) / 2
    view = board_view(wiring.first, used, x=_MARGIN, y=top, left=True)
    return view.shapes, [view.terminals[strand.first] for strand in strands]


def _second_board(
    wiring: Wiring, strands: list[_Strand], starts: list[float], page: _Page
) -> tuple[tuple[Shape, ...], list[float]]:
    """The second board; one that is not known has its terminals in the order of the first, so that no wires cross."""
    x, top = page.end + page.terminal + GAP, _TOP + (page.height - page.second_height) / 2
    used = _used_at_second(strands)
    if used:
        view = board_view(wiring.second, used, x=x, y=top, left=False)
        return view.shapes, [view.terminals[strand.second] for strand in strands if strand.second is not None]
    order = sorted(range(len(strands)), key=lambda number: starts[number])
    ends = [0.0] * len(strands)
    for turn, number in enumerate(order):
        ends[number] = top + _PEER_HEAD + _PEER_ROW * turn
    unknown = Box(x=x, y=top, width=WIDTH, height=page.second_height, style="board unknown", radius=10)
    leads = [
        Line(points=((x - GAP, end), (x + 14, end)), style=f"lead {s.driver}")
        for s, end in zip(strands, ends, strict=True)
    ]
    name = Label(x=x + WIDTH / 2, y=top + page.second_height / 2, text="the other board", style="name middle")
    return (unknown, *leads, name), ends


def _heading(wiring: Wiring, page: _Page) -> list[Shape]:
    names = ", ".join(_cable_words(cable) for cable in wiring.cables)
    return [
        Label(x=page.width / 2, y=30, text=_title(wiring), style="title middle"),
        Label(x=page.width / 2, y=50, text=f"{names} and ground", style="small middle"),
    ]


def _title(wiring: Wiring) -> str:
    return f"Wiring of {shortened(wiring.first)}" + (f" and {shortened(wiring.second)}" if wiring.second else "")


def _cable_words(cable: Cable) -> str:
    ends = cable.first if cable.second in ("", cable.first) else f"{cable.first} to {cable.second}"
    return f"{ends}: {len(cable.wires)} wires"


def _shifts(starts: list[float], ends: list[float]) -> list[float]:
    """How far each wire bends to the right of the centre, so that those that climb, or fall, together stay apart."""
    shifts = [0.0] * len(starts)
    for falls in (True, False):
        group = [number for number in range(len(starts)) if (ends[number] > starts[number]) == falls]
        group.sort(key=lambda number: starts[number], reverse=falls)
        for turn, number in enumerate(group):
            shifts[number] = (turn - (len(group) - 1) / 2) * _STRANDS_APART
    return shifts


def _wire(strand: _Strand, start: Point, end: Point, shift: float) -> list[Shape]:
    """From terminal to terminal, with a resistor near the output and an arrow at the input."""
    shapes: list[Shape] = [
        Curve(start=start, end=end, straight=_STRAIGHT, centre=(start[0] + end[0]) / 2 + shift, style=style)
        for style in ("halo", f"wire {strand.driver} {strand.part}")
    ]
    if strand.driver == "ground":
        return shapes
    rightwards = strand.driver == "first"
    resistor = start[0] + 12 if rightwards else end[0] - 34
    shapes += [
        Box(x=resistor, y=(start if rightwards else end)[1] - 4, width=22, height=8, style=f"resistor {strand.driver}"),
        Arrow(tip=end if rightwards else start, rightwards=rightwards, style=f"head {strand.driver}"),
    ]
    return shapes


def _terminal(text: str, driver: str, x: float, y: float, width: float) -> list[Shape]:
    return [
        Box(
            x=x, y=y - _TERMINAL_HEIGHT / 2, width=width, height=_TERMINAL_HEIGHT, style=f"terminal {driver}", radius=3
        ),
        Label(x=x + width / 2, y=y + 4, text=text, style="role middle"),
    ]


def _legend(strands: list[_Strand], wiring: Wiring, y: float) -> list[Shape]:
    """One sample of each kind of wire."""
    boards = {"first": wiring.first, "second": wiring.second or "the other board"}
    samples = [(f"wire {driver} data", f"driven by {shortened(board)}") for driver, board in boards.items()]
    parts = {strand.part for strand in strands}
    samples += [(f"wire plain {part}", part) for part in ("data", "req", "ack", "ctl", "ground") if part in parts]
    shapes: list[Shape] = []
    x: float = _MARGIN
    for style, text in samples:
        shapes += [Line(points=((x, y), (x + 34, y)), style=style), Label(x=x + 42, y=y + 4, text=text, style="legend")]
        x += 42 + _LEGEND_LETTER * len(text) + 18
    shapes.append(Box(x=x, y=y - 4, width=22, height=8, style="resistor plain"))
    shapes.append(Label(x=x + 30, y=y + 4, text="220 to 470 Ω", style="legend"))
    return shapes


def _notes(notes: tuple[str, ...], y: float, letters: int) -> list[Label]:
    """The notes, each in lines of so many letters."""
    labels: list[Label] = []
    for note in notes:
        labels.append(Label(x=_MARGIN, y=y, text="•", style="note"))
        for line in textwrap.wrap(note, width=letters):
            labels.append(Label(x=_MARGIN + _BULLET, y=y, text=line, style="note"))
            y += _NOTE_LINE
    return labels
