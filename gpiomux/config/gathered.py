"""The chip of a link, line by line: where each line comes from, and what it is called there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.config.model import Bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.model import Lines, LineSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """One line of a chip that is gathered from others."""

    key: str
    """Label of the source chip; without an offset, name of the line."""
    offset: int | None
    """On the source chip; None for a line by name."""
    name: str = ""
    """What the line is called on the new chip; empty for a line without a role."""

    @property
    def words(self) -> str:
        """The source as messages name it."""
        return f"line {self.key}" if self.offset is None else f"line {self.offset} of chip {self.key}"


def gathered(link: str, lines: Lines) -> tuple[Gathered, ...]:
    """All lines that a link gathers, in order; none if its lines are those of a device."""
    names = _names(link, lines)
    places = (place for source in lines.sources for place in _places(source))
    return tuple(
        Gathered(key=key, offset=offset, name=names.get(number, "")) for number, (key, offset) in enumerate(places)
    )


def consumer(link: str) -> str:
    """What the kernel shows as the user of the lines of a link; up to 23 characters of the 31 that it keeps."""
    return f"gpiomux-{link}"


def _places(source: LineSource) -> Iterator[tuple[str, int | None]]:
    if source.name is not None:
        yield source.name, None
    elif source.chip is not None:
        yield from ((source.chip, offset) for offset in source.offsets)


def _names(link: str, lines: Lines) -> dict[int, str]:
    """Offset to name. Line names are one space for all chips of a machine, hence the link's name in front; the kernel
    shows 31 characters, and a link's name has up to 15."""
    names: dict[int, str] = {}
    for side, bundle in (("out", lines.out), ("in", lines.into)):
        for part, offsets in bundle.parts().items():
            numbered = part == "data" and isinstance(bundle, Bundle)
            names |= {
                offset: f"{link}-{side}-{part}{number if numbered else ''}" for number, offset in enumerate(offsets)
            }
    return names
