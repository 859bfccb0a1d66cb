"""All GPIO chips of the machine with their lines, as gpioinfo(1) shows them."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.aggregator.bindings import bindings
from gpiomux.errors import MachineError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

    import gpiod

_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, at the moment of looking."""

    offset: int
    name: str = ""
    used: bool = False
    consumer: str = ""
    """Who holds it, in its own words; empty if it did not say."""
    output: bool = False
    active_low: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One chip."""

    node: Path
    label: str
    lines: tuple[Line, ...]


def read_chips(dev: Path) -> tuple[Chip, ...]:
    """Look at all chips, in the order of their numbers; one that goes meanwhile is left out.

    Raises:
        MachineError: a chip may not be opened.
        UnsupportedError: there are chips, and the package gpiod is missing or another one.
    """
    nodes = sorted(dev.glob("gpiochip*"), key=lambda node: (len(node.name), node.name))
    if nodes and (package := bindings()).fault:
        raise UnsupportedError(package.fault, hint=package.remedy)
    return tuple(chip for chip in map(_read_chip, nodes) if chip is not None)


def _read_chip(node: Path) -> Chip | None:
    import gpiod  # late: a machine without real lines needs none of it

    try:
        with gpiod.Chip(str(node)) as chip:
            info = chip.get_info()
            return Chip(
                node=node,
                label=info.label,
                lines=tuple(_line(chip.get_line_info(offset)) for offset in range(info.num_lines)),
            )
    except OSError as err:
        if err.errno in _GONE:
            return None
        hint = f"become root, or a member of its group: ls -l {node}" if err.errno == errno.EACCES else ""
        raise MachineError(f"cannot look at {node}: {err.strerror}", errno=err.errno or 0, hint=hint) from err


def _line(info: gpiod.LineInfo) -> Line:
    from gpiod.line import Direction

    return Line(
        offset=info.offset,
        name=info.name,
        used=info.used,
        consumer=info.consumer,
        output=info.direction is Direction.OUTPUT,
        active_low=info.active_low,
    )
