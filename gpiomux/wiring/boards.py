"""Where the lines of one board lie on the page: its header or its columns of lines, and a terminal for each wire.

A board stands at the left or the right edge, and its terminals stand between it and the middle of the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.wiring import header
from gpiomux.wiring.ends import HEADER
from gpiomux.wiring.shapes import Box, Disc, Label, Line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.wiring.ends import Place
    from gpiomux.wiring.shapes import Shape

WIDTH = 216
"""Of a board."""
GAP = 8
"""From a board to its terminals."""
_HEAD = 80
_ROW = 34
"""From one pin of the header to the next. A wire of the far column passes between two pins of the near one: above its
own row at the left board and below at the right one, so that pins 11 and 12 are in this order at both."""
_COLUMN_ROW = 26
"""From one line of a plain column to the next."""
_PIN_RADIUS = 10
_LINE_WIDTH = 180
"""Of a line in a plain column."""
_MOST_LETTERS = 26
"""What fits into it."""
_PINS_APART = 32
_FOOT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A line that is wired."""

    place: Place
    kind: str
    """Style of its wire: `first` or `second`, the board that drives it, or `ground`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """A board on the page."""

    shapes: tuple[Shape, ...]
    terminals: Mapping[Place, float]
    """Where the terminal of a line is, y."""


def height_of(used: tuple[Used, ...]) -> float:
    """How high a board with these lines is."""
    blocks = _blocks(used)
    rows = header.PINS // 2 * _ROW if HEADER in blocks else 0
    rows += sum(_COLUMN_ROW * (len(lines) + 1) for name, lines in blocks.items() if name != HEADER)
    return _HEAD + rows + _FOOT


def board_view(title: str, used: tuple[Used, ...], *, x: float, y: float, left: bool) -> BoardView:
    """Draw a board.

    Args:
        title: what it is called.
        used: its lines that are wired.
        x: its left edge.
        y: its upper edge.
        left: whether the wires leave it to the right, as they do at the left edge of the page.
    """
    blocks = _blocks(used)
    shapes: list[Shape] = [
        Box(x=x, y=y, width=WIDTH, height=height_of(used), style="board", radius=10),
        Label(x=x + WIDTH / 2, y=y + 24, text=shortened(title), style="name middle"),
        Label(x=x + WIDTH / 2, y=y + 42, text=_subtitle(blocks), style="small middle"),
    ]
    terminals: dict[Place, float] = {}
    top = y + _HEAD
    if HEADER in blocks:
        shapes += _header(blocks[HEADER], terminals, x, top, left=left)
        top += header.PINS // 2 * _ROW
    for name, lines in blocks.items():
        if name != HEADER:
            shapes += _column(name, lines, terminals, x, top, left=left)
            top += _COLUMN_ROW * (len(lines) + 1)
    return BoardView(shapes=tuple(shapes), terminals=terminals)


def _blocks(used: tuple[Used, ...]) -> dict[str, list[Used]]:
    """The lines by what they are found on, each block in its order."""
    blocks: dict[str, list[Used]] = {}
    for line in sorted(used, key=lambda line: line.place.order):
        blocks.setdefault(line.place.block, []).append(line)
    return blocks


def _subtitle(blocks: Mapping[str, list[Used]]) -> str:
    return "from above; pin 1 is nearest the SD card" if HEADER in blocks else "lines by chip and offset"


def shortened(title: str) -> str:
    """A name as it fits on a board."""
    return title if len(title) <= _MOST_LETTERS else f"{title[: _MOST_LETTERS - 1]}…"


def _header(used: list[Used], terminals: dict[Place, float], x: float, top: float, *, left: bool) -> list[Shape]:
    """All pins, and the way of a wire from its pin to the edge of the board."""
    height, half_row = header.PINS // 2 * _ROW, _ROW / 2
    edge = x + WIDTH / 2 - _PINS_APART
    leads: list[Shape] = []
    pins: list[Shape] = []
    wired = {line.place.pin: line for line in used}
    for pin in range(1, header.PINS + 1):
        at = (edge + _PINS_APART * (0.5 if pin % 2 else 1.5), top + (pin - 1) // 2 * _ROW)
        near = (pin % 2 == 1) != left
        line = wired.get(pin)
        if line is not None:
            terminals[line.place] = at[1] if near else at[1] - half_row if left else at[1] + half_row
            leads.append(_lead(at, terminals[line.place], x, left=left, style=line.kind))
        pins += _pin(pin, at, line.kind if line is not None else "", led=line is not None and near)
    box = Box(x=edge, y=top - half_row, width=2 * _PINS_APART, height=height, style="header", radius=4)
    return [box, *leads, *pins]


def _lead(at: tuple[float, float], terminal: float, x: float, *, left: bool, style: str) -> Line:
    """From a pin to its terminal: straight, or into the gap between two rows first."""
    edge = x + WIDTH + GAP if left else x - GAP
    if terminal == at[1]:
        return Line(points=(at, (edge, terminal)), style=f"lead {style}")
    aside = at[0] + (_PINS_APART / 2 if left else -_PINS_APART / 2)
    return Line(points=(at, (aside, terminal), (edge, terminal)), style=f"lead {style}")


def _pin(pin: int, at: tuple[float, float], kind: str, *, led: bool) -> list[Shape]:
    """A pin with its number and name; the name stands above the lead if that is in its place."""
    x, y = at
    style = f"pin {kind or _idle_style(pin)}"
    odd = pin % 2 == 1
    body: Shape = Disc(x=x, y=y, radius=_PIN_RADIUS, style=style)
    if pin == 1:  # as printed on the boards
        body = Box(x=x - 9, y=y - 9, width=18, height=18, style=style, radius=2)
    return [
        body,
        Label(x=x, y=y + 3.5, text=str(pin), style="number " + ("wired" if kind else _idle_style(pin))),
        Label(
            x=x - 24 if odd else x + 24,
            y=y - 4 if led else y + 4,
            text=header.LABELS[pin],
            style=("end " if odd else "start ") + ("label" if kind else f"unused {_idle_style(pin)}"),
        ),
    ]


def _idle_style(pin: int) -> str:
    return "danger" if header.LABELS[pin] == header.FIVE_VOLTS else "idle"


def _column(
    name: str, used: list[Used], terminals: dict[Place, float], x: float, top: float, *, left: bool
) -> list[Shape]:
    """A plain column of lines below the name of what they are on."""
    shapes: list[Shape] = [Label(x=x + WIDTH / 2, y=top + 4, text=shortened(name), style="label middle")]
    for number, line in enumerate(used, start=1):
        y = top + number * _COLUMN_ROW
        at = (x + WIDTH / 2, y)
        terminals[line.place] = y
        shapes += [
            _lead(at, y, x, left=left, style=line.kind),
            Box(x=at[0] - _LINE_WIDTH / 2, y=y - 10, width=_LINE_WIDTH, height=20, style=f"pin {line.kind}", radius=4),
            Label(x=at[0], y=y + 4, text=shortened(line.place.name), style="number wired"),
        ]
    return shapes
