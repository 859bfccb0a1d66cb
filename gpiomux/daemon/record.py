"""What the daemon remembers of a configuration that it has applied, and the same as plain data. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gpiomux.config.model import Config
from gpiomux.config.overlay import Edit, overlay
from gpiomux.config.plain import config_from_plain, config_to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 2
"""Version of a record on disk. Version 1 held a configuration and nothing else."""

NO_LINKS = Config()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A configuration that is taken back unless somebody confirms it in time."""

    token: str
    deadline_s: float
    """CLOCK_BOOTTIME."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One applied configuration."""

    serial: int = 0
    """Counts what was applied on this run directory; 0: nothing ever was."""
    base: Config = NO_LINKS
    """As it was applied."""
    config: Config = NO_LINKS
    """As it runs: with what was changed since."""
    cause: str = ""
    """The verb it came by, or `revert` if nobody confirmed its successor."""
    file: str = ""
    """The file's name as its user wrote it."""
    path: str = ""
    """The same as absolute path; empty if it came through a pipe."""
    applied_at_s: float = 0.0
    """Seconds since the epoch."""
    applied_by: str = ""
    """Name of the user, or number if there is no name."""
    pending: Pending | None = None

    @property
    def overlay(self) -> tuple[Edit, ...]:
        """What was changed at run time."""
        return () if self.base == self.config else overlay(self.base, self.config)


def record_to_plain(record: Record) -> dict[str, Any]:
    """A record as it is saved."""
    return {
        "format": FORMAT,
        "serial": record.serial,
        "base": None if record.base == record.config else config_to_plain(record.base),
        "config": config_to_plain(record.config),
        "cause": record.cause,
        "file": record.file,
        "path": record.path,
        "applied_at_s": record.applied_at_s,
        "applied_by": record.applied_by,
        "pending": None if record.pending is None else asdict(record.pending),
    }


def record_from_plain(plain: Mapping[str, Any]) -> Record:
    """A record as it was saved.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is none.
    """
    config = config_from_plain(plain["config"])
    if plain["format"] == 1:
        return Record(serial=1, base=config, config=config, cause="apply")
    pending = plain["pending"]
    return Record(
        serial=int(plain["serial"]),
        base=config if plain["base"] is None else config_from_plain(plain["base"]),
        config=config,
        cause=str(plain["cause"]),
        file=str(plain["file"]),
        path=str(plain["path"]),
        applied_at_s=float(plain["applied_at_s"]),
        applied_by=str(plain["applied_by"]),
        pending=None
        if pending is None
        else Pending(token=str(pending["token"]), deadline_s=float(pending["deadline_s"])),
    )
