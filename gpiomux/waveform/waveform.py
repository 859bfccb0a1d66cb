"""Levels of the lines of a link over time, put together from the samples that its datapath has noted."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.config.model import Bundle, PulseLines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpiomux.config.model import Lines

SAMPLE = struct.Struct("<QII")
"""As `gpiomux.lines.noted.SAMPLE`: time in nanoseconds since 1970, lines that are told of, their levels."""
OUT, IN = "out", "in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a link."""

    direction: str
    """`out` or `in`, as in the configuration: the `ack` of `out` is driven by the peer."""
    role: str
    """`d0` to `d7`, `req`, `ack`; of pulses `ctl` and `data`."""
    bit: int
    """Of the levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """What the lines did."""

    lines: tuple[Line, ...]
    """In the order of their bits."""
    changes: tuple[tuple[int, int], ...]
    """Time in nanoseconds since 1970, and all levels from then on; ascending, no two alike in a row."""
    gaps_ns: tuple[int, ...] = ()
    """Times of the first change after something that is missing, ascending."""

    def follows_gap(self, before_ns: int, time_ns: int) -> bool:
        """Whether something is missing between two changes."""
        return any(before_ns < gap_ns <= time_ns for gap_ns in self.gaps_ns)

    def bit(self, direction: str, role: str) -> int:
        """Mask of a line in the levels.

        Raises:
            KeyError: there is no such line.
        """
        for line in self.lines:
            if (line.direction, line.role) == (direction, role):
                return 1 << line.bit
        raise KeyError(f"{direction}.{role}")

    def from_top(self, direction: str) -> list[Line]:
        """The lines of a direction as they are drawn: what moves words first, then the data."""
        order = {"req": -2, "ack": -1}
        lines = [line for line in self.lines if line.direction == direction]
        return sorted(lines, key=lambda line: order.get(line.role, line.bit))

    def data(self, direction: str) -> tuple[int, int]:
        """Lowest bit and number of the data lines of a direction, which are next to each other."""
        bits = [line.bit for line in self.lines if line.direction == direction and line.role[0] == "d"]
        return min(bits), len(bits)


def lines_of(lines: Lines) -> tuple[Line, ...]:
    """The lines of a link in the order of their request, see `gpiomux.lines.backends.chip_offsets`."""
    inputs = [*_forward(IN, lines.into), *_backward(OUT, lines.out)]
    named = [*inputs, *_forward(OUT, lines.out), *_backward(IN, lines.into)]
    return tuple(Line(direction=direction, role=role, bit=bit) for bit, (direction, role) in enumerate(named))


def first_ns(chunk: bytes) -> int:
    """When the first sample of a chunk was taken; the chunk is not empty."""
    time_ns: int = SAMPLE.unpack_from(chunk)[0]
    return time_ns


def waveform(lines: Lines, chunks: Iterable[bytes], gaps_ns: Iterable[int] = ()) -> Waveform:
    """Put samples in the order of time, and together.

    Args:
        lines: of the link.
        chunks: samples, as they were recorded.
        gaps_ns: times of the first samples after those that were lost, ascending.
    """
    whole = (chunk[: len(chunk) // SAMPLE.size * SAMPLE.size] for chunk in chunks)
    samples = sorted(sample for chunk in whole for sample in SAMPLE.iter_unpack(chunk))
    return Waveform(lines=lines_of(lines), changes=tuple(_changes(samples)), gaps_ns=tuple(gaps_ns))


def _changes(samples: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int]]:
    levels: int | None = None
    for time_ns, told, now in samples:
        new = (0 if levels is None else levels) & ~told | now & told
        if new != levels:
            levels = new
            yield time_ns, levels


def _forward(direction: str, side: Bundle | PulseLines) -> list[tuple[str, str]]:
    if isinstance(side, PulseLines):
        return [(direction, "ctl"), (direction, "data")]
    return [*((direction, f"d{number}") for number in range(len(side.data))), (direction, "req")]


def _backward(direction: str, side: Bundle | PulseLines) -> list[tuple[str, str]]:
    return [(direction, "ack")] if isinstance(side, Bundle) else []
