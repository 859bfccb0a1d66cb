"""The aggregator's door in configfs, from Linux 6.16 on: a group for each chip, a group in it for each line.

The order of lines is exact, going live tells whether it worked, and the device's name is known before.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.aggregator.kernel_files import write, write_patiently
from gpiomux.config.gathered import Gathered
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as it stands."""

    name: str
    device: str
    live: bool
    lines: tuple[Gathered, ...]


def create(root: Path, name: str, lines: Sequence[Gathered], lock: int) -> str:
    """Make a group and its chip; return the name of the platform device.

    Raises:
        MachineError: the kernel refuses, and does not say why (ENXIO: the lines cannot be had). Nothing is left.
    """
    place = root / name
    try:
        place.mkdir()
    except OSError as err:  # what bears that name already is not ours to remove
        raise MachineError(f"cannot make {place}: {err.strerror}", errno=err.errno or 0) from err
    try:
        for number, line in enumerate(lines):
            below = place / f"line{number}"
            below.mkdir()
            write(below / "key", line.key)
            if line.offset is not None:
                write(below / "offset", str(line.offset))
            if line.name:
                write(below / "name", line.name)
        write_patiently(place / "live", "1", lock)
        return _text(place / "dev_name")
    except OSError as err:
        with suppress(MachineError):
            remove(root, name, lock)
        if isinstance(err, MachineError):
            raise
        raise MachineError(f"cannot make {place}: {err.strerror}", errno=err.errno or 0) from err


def remove(root: Path, name: str, lock: int) -> None:
    """Remove a group and its chip.

    Raises:
        MachineError: the kernel refuses; ETIMEDOUT: it waits for a reader of a line.
    """
    place = root / name
    try:
        if _text(place / "live") != "0":
            write_patiently(place / "live", "0", lock)
        for below in _line_groups(place):
            below.rmdir()
        place.rmdir()
    except MachineError:
        raise
    except OSError as err:
        raise MachineError(f"cannot remove {place}: {err.strerror}", errno=err.errno or 0) from err


def groups(root: Path) -> list[Group]:
    """All groups, sorted, those that mirror chips of the other door included.

    Raises:
        MachineError: they cannot be read.
    """
    try:
        found = (_group(place) for place in sorted(root.iterdir()))
        return [group for group in found if group is not None]
    except FileNotFoundError:
        return []
    except OSError as err:
        raise MachineError(f"cannot read {root}: {err.strerror}", errno=err.errno or 0) from err


def _group(place: Path) -> Group | None:
    try:
        return Group(
            name=place.name,
            device=_text(place / "dev_name"),
            live=_text(place / "live") == "1",
            lines=tuple(_line(below) for below in _line_groups(place)),
        )
    except OSError as err:
        if err.errno in (errno.ENOENT, errno.ENODEV):
            return None
        raise


def _line_groups(place: Path) -> list[Path]:
    return sorted(place.glob("line*"), key=lambda below: int(below.name.removeprefix("line")))


def _line(below: Path) -> Gathered:
    offset = int(_text(below / "offset"))
    return Gathered(key=_text(below / "key"), offset=offset if offset >= 0 else None, name=_text(below / "name"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
