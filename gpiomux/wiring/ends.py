"""The lines of a link as ends of wires: where each is on the board, what it is for, and whether it drives.

What is out at one end is in at the other, so the ends of a link also tell what its peer must have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.config.gathered import gathered
from gpiomux.config.model import Bundle, GpioMedium
from gpiomux.wiring import header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.model import Config, Lines, Link, PulseLines


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a board has a line."""

    block: str
    """What the line is found on: the label of a chip, or words for lines by name; `HEADER` for a pin of the header."""
    name: str
    """What it is called there: `GPIO17`, `line 5`, or the name of the line."""
    order: int
    """Sorts the places of a block: the pin, the offset, or for lines by name their turn."""
    pin: int | None = None
    """Of the header; None where there is no such header."""

    @property
    def short(self) -> str:
        """The place in few words, for whoever stands at the board."""
        return self.name if self.pin is None else f"pin {self.pin}"

    @property
    def words(self) -> str:
        """The place in full."""
        if self.pin is not None:
            return f"pin {self.pin} ({self.name})"
        return f"{self.block} {self.name}" if self.block not in (BY_NAME, BOARD) else self.name


HEADER = "40-pin header"
BY_NAME = "lines by name"
BOARD = "board"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a wire."""

    side: str
    """`out` or `in`, as in the file."""
    part: str
    """`data`, `req`, `ack` or `ctl`, as in the file."""
    number: int | None
    """Of a data line, from the least significant bit; None where there is one of its kind."""
    drives: bool
    """Whether this end is an output."""
    active_low: bool = False
    place: Place | None = None
    """None where the board is not known."""

    @property
    def role(self) -> str:
        """What the end is for, such as `out.data 0` or `in.req`."""
        return f"{self.side}.{self.part}" + ("" if self.number is None else f" {self.number}")


def wired_links(config: Config) -> tuple[Link, ...]:
    """The links that need wires: simulated lines and channels need none."""
    return tuple(link for link in config.links if isinstance(link.transport.medium, GpioMedium))


def ends_of(link: Link) -> tuple[End, ...]:
    """The ends of a link with real lines: what `out` says, then what `in` says."""
    lines = link.transport.lines
    assert lines is not None, "a link with real lines has them"
    places = _places(link.name, lines)
    return tuple(
        End(
            side=side,
            part=part,
            number=number,
            drives=(side == "out") == (part != "ack"),
            active_low=offset in lines.active_low,
            place=places[offset] if offset in places else _device_place(lines, offset),
        )
        for side, bundle in (("out", lines.out), ("in", lines.into))
        for part, number, offset in _roles(bundle)
    )


def peer_of(end: End) -> End:
    """The other end of the same wire, on a board that is not known."""
    return End(
        side="in" if end.side == "out" else "out",
        part=end.part,
        number=end.number,
        drives=not end.drives,
        active_low=end.active_low,
    )


def ground_on(places: tuple[Place, ...]) -> Place:
    """Where a board with these places has its ground."""
    if any(place.pin is not None for place in places):
        return Place(block=HEADER, name=header.GROUND, order=header.GROUND_PIN, pin=header.GROUND_PIN)
    return Place(block=BOARD, name=header.GROUND, order=0)


def _roles(bundle: Bundle | PulseLines) -> Iterator[tuple[str, int | None, int]]:
    """Part, number and offset of each line of one direction."""
    for part, offsets in bundle.parts().items():
        numbered = part == "data" and isinstance(bundle, Bundle)
        yield from ((part, number if numbered else None, offset) for number, offset in enumerate(offsets))


def _places(link: str, lines: Lines) -> dict[int, Place]:
    """Offset in the chip of the link -> where the line is on the board.

    The names of lines that the kernel gives on a Raspberry Pi are no proof of one. They are taken for pins of the
    header only where another line of the link is given by a chip of the header.
    """
    sources = gathered(link, lines)
    on_header = any(source.key in header.CHIPS and source.offset is not None for source in sources)
    return {
        number: _named_place(source.key, number, on_header)
        if source.offset is None
        else _chip_place(source.key, source.offset)
        for number, source in enumerate(sources)
    }


def _chip_place(chip: str, offset: int) -> Place:
    pin = header.pin_of(offset) if chip in header.CHIPS else None
    return _pin_place(pin) if pin is not None else Place(block=chip, name=f"line {offset}", order=offset)


def _named_place(name: str, number: int, on_header: bool) -> Place:
    offset = header.offset_of(name) if on_header else None
    pin = None if offset is None else header.pin_of(offset)
    return _pin_place(pin) if pin is not None else Place(block=BY_NAME, name=name, order=number)


def _pin_place(pin: int) -> Place:
    return Place(block=HEADER, name=header.LABELS[pin], order=pin, pin=pin)


def _device_place(lines: Lines, offset: int) -> Place:
    return Place(block=f"device {lines.device}", name=f"line {offset}", order=offset)
