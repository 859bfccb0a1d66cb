"""What the next daemon has to know, on disk: the applied record, those before it, and a change that is under way.

Each file appears whole or not at all, and before anything is done that depends on it.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gpiomux.daemon.record import FORMAT, Record, record_from_plain, record_to_plain
from gpiomux.errors import DaemonError, MachineError

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.rundir import RunDir

HISTORY = 10
"""How many records are kept besides the applied one."""

_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a damaged file may raise."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A change that has begun, and may have left something in these places."""

    namespaces: tuple[str, ...]
    """Names of network namespaces."""
    deadline_s: float | None = None
    """CLOCK_BOOTTIME at which it must be taken back, if it is to be confirmed."""


def save(rundir: RunDir, record: Record) -> None:
    """Make a record the applied one.

    Raises:
        MachineError: it cannot be written; the old one stands.
    """
    _write(rundir.state, record_to_plain(record))


def load(rundir: RunDir) -> Record:
    """What was saved last; a record without links if nothing was.

    Raises:
        MachineError: the file cannot be read.
        DaemonError: it is damaged, or of another version of gpiomux.
    """
    hint = f"remove {rundir.state} and apply the configuration again, or take everything down: gpiomux down --all"
    plain = _read(rundir.state, hint)
    return Record() if plain is None else _record(rundir.state, plain, hint)


def keep(rundir: RunDir, record: Record) -> None:
    """Add a record to the history, and forget the oldest.

    Raises:
        MachineError: it cannot be written.
    """
    _write(rundir.history / f"{record.serial}.json", record_to_plain(record))
    for serial in _serials(rundir)[HISTORY:]:
        (rundir.history / f"{serial}.json").unlink(missing_ok=True)


def history(rundir: RunDir, before: int) -> list[Record]:
    """The records before a serial number, newest first.

    Raises:
        MachineError: a file cannot be read.
        DaemonError: one is damaged.
    """
    records = []
    for serial in _serials(rundir):
        path = rundir.history / f"{serial}.json"
        hint = f"remove {path}"
        if serial < before and (plain := _read(path, hint)) is not None:
            records.append(_record(path, plain, hint))
    return records


def begin(rundir: RunDir, intent: Intent) -> None:
    """Say that a change begins.

    Raises:
        MachineError: it cannot be written.
    """
    _write(rundir.intent, asdict(intent))


def begun(rundir: RunDir) -> Intent | None:
    """The change that has begun and not ended.

    Raises:
        MachineError: the file cannot be read.
        DaemonError: it is damaged.
    """
    hint = f"remove {rundir.intent}"
    plain = _read(rundir.intent, hint)
    if plain is None:
        return None
    try:
        deadline_s = plain["deadline_s"]
        namespaces = tuple(map(str, plain["namespaces"]))
        return Intent(namespaces=namespaces, deadline_s=None if deadline_s is None else float(deadline_s))
    except _DAMAGED as err:
        raise _damage(rundir.intent, err, hint) from err


def end(rundir: RunDir) -> None:
    """Say that no change is under way.

    Raises:
        MachineError: it cannot be written.
    """
    try:
        rundir.intent.unlink(missing_ok=True)
    except OSError as err:
        raise MachineError(f"cannot remove {rundir.intent}: {err.strerror}", errno=err.errno or 0) from err


def forget(rundir: RunDir) -> None:
    """Remove all of it.

    Raises:
        OSError: the first file that cannot be removed.
    """
    for serial in _serials(rundir):
        (rundir.history / f"{serial}.json").unlink()
    if rundir.history.exists():
        rundir.history.rmdir()
    for path in (rundir.intent, rundir.state):
        path.unlink(missing_ok=True)


def _serials(rundir: RunDir) -> list[int]:
    """Serial numbers in the history, newest first; files of others are passed over."""
    try:
        names = [path.stem for path in rundir.history.iterdir() if path.suffix == ".json"]
    except FileNotFoundError:
        return []
    except OSError as err:
        raise MachineError(f"cannot read {rundir.history}: {err.strerror}", errno=err.errno or 0) from err
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def _write(path: Path, plain: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(json.dumps(plain, separators=(",", ":")).encode())
            file.flush()
            os.fsync(fd)
        draft.rename(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as err:
        with suppress(OSError):  # it would take room where there is none, and keep the directory from being removed
            draft.unlink()
        hint = f"make room on the file system of {path.parent}" if err.errno in _NO_ROOM else ""
        raise MachineError(f"cannot write {path}: {err.strerror}", errno=err.errno or 0, hint=hint) from err


def _read(path: Path, hint: str) -> dict[str, Any] | None:
    """The object that a file holds, None if there is no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as err:
        refused = "this needs root" if isinstance(err, PermissionError) else ""
        raise MachineError(f"cannot read {path}: {err.strerror}", errno=err.errno or 0, hint=refused) from err
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise _damage(path, err, hint) from err
    if not isinstance(plain, dict):
        raise DaemonError(f"{path} is damaged: it holds no object", hint=hint)
    return plain


def _record(path: Path, plain: dict[str, Any], hint: str) -> Record:
    try:
        if plain["format"] not in (1, FORMAT):
            raise DaemonError(f"{path} was written by another version of gpiomux", hint=hint)
        return record_from_plain(plain)
    except _DAMAGED as err:
        raise _damage(path, err, hint) from err


def _damage(path: Path, err: BaseException, hint: str) -> DaemonError:
    return DaemonError(f"{path} is damaged: {err}", hint=hint)
