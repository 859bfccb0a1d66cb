"""Which chip is whose, where the kernel has no place to say so: a file for each link in the run directory.

A chip made through configfs bears its link in the name of its group. One made through sysfs, or of a bound device,
does not; its record holds the inode of the device, which a later device of the same name does not share. A record is
written before the chip is made, with all devices that were there then, so that a chip whose maker was killed in
between is known all the same.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from gpiomux.config.gathered import Gathered
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a chip."""

    link: str
    lines: tuple[Gathered, ...] = ()
    """As the configuration gathers them; none for a bound device."""
    places: tuple[tuple[str, int], ...] = ()
    """The same as label and offset."""
    before: dict[str, int] = field(default_factory=dict)
    """Devices that were there before, by name and inode."""
    device: str = ""
    """Empty until it is known."""
    inode: int = 0
    bound: bool = False
    """A device that existed, and was bound to the driver; then the following hold."""
    override: str = ""
    """The `driver_override` that it had."""
    driver: str = ""
    """The driver that it had."""


def save(directory: Path, record: Record) -> None:
    """Write the record of a link; it appears whole or not at all.

    Raises:
        MachineError: it cannot be written.
    """
    draft = directory / f".{record.link}.new"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(record)), encoding="utf-8")
        os.replace(draft, directory / f"{record.link}.json")
    except OSError as err:
        raise MachineError(f"cannot write into {directory}: {err.strerror}", errno=err.errno or 0) from err


def load_all(directory: Path) -> list[Record]:
    """All records, sorted.

    Raises:
        MachineError: they cannot be read.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".json")
        texts = {path: path.read_text(encoding="utf-8") for path in paths}
    except FileNotFoundError:
        return []
    except OSError as err:
        raise MachineError(f"cannot read {directory}: {err.strerror}", errno=err.errno or 0) from err
    return [_from_plain(path, text) for path, text in texts.items()]


def forget(directory: Path, link: str) -> None:
    """Remove the record of a link, if there is one, and the directory with the last."""
    (directory / f"{link}.json").unlink(missing_ok=True)
    with suppress(OSError):  # others are in there
        directory.rmdir()


def _from_plain(path: Path, text: str) -> Record:
    try:
        plain = json.loads(text)
        lines = tuple(Gathered(**line) for line in plain.pop("lines"))
        places = tuple((label, offset) for label, offset in plain.pop("places"))
        return Record(lines=lines, places=places, **plain)
    except (ValueError, TypeError, KeyError) as err:
        hint = "remove it if the link is down"
        raise MachineError(f"{path} is not a record of a chip: {err}", errno=0, hint=hint) from err
