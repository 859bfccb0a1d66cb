"""--persist: a change of the running links that the file which was applied gets as well.

Whatever can fail is tried before the daemon changes anything: the file is compared with what was applied, its new text
is made and lies beside it on disk. What is left then is to put it in place.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gpiomux.cli import ask, change, output
from gpiomux.config import load, persist
from gpiomux.config.overlay import edited
from gpiomux.config.plain import config_from_plain
from gpiomux.errors import ConfigError, ConflictError, MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


def edit_and_persist(verb: str, args: Mapping[str, Any]) -> int:
    """Have the daemon perform an edit, and write it into the file that was applied.

    Args:
        verb: `add-child`, `del-child`, `add-mark` or `del-mark`.
        args: as the verb has them on the control socket.

    Raises:
        ConflictError: the file is not what was applied, or there is none.
        UsageError: the edit makes no sense in the file.
        UnsupportedError: the file is written in a way in which it cannot be changed.
        MachineError: it cannot be written.
        GpiomuxError: the daemon could not do it.
    """
    with ask.keeper(verb) as client:
        running = client.ask("show")
    path = running["path"]
    if not path:
        raise ConflictError(
            f"{verb} --persist: what runs was not applied from a file; nothing was changed",
            hint="'gpiomux show > FILE' writes what runs into a file; apply that first",
        )
    try:
        text, _ = ask.read_text(path)
    except UsageError as err:
        raise ConflictError(
            f"{err.message}; nothing was changed", hint="apply another file, or leave out --persist"
        ) from err
    require_applied(text, path, running)
    try:
        new = persist.edited_text(text, path, verb, args)
    except UsageError as err:
        raise UsageError(f"{path}: {err.message}; nothing was changed", hint=err.hint or "leave out --persist") from err
    edit = {"verb": verb, "args": dict(args)}
    with Replacement(path, text, new) as replacement:
        # What was changed before without --persist is written now, and is no change of the links any more.
        done = edit in running["overlay"]
        answer = {"operations": [], "notes": []} if done else change.perform(ask.keeper(verb), verb, dict(args))
        replacement.put()
    if new != text:
        answer["operations"].append({"text": f"~ file {path}"})
    output.changes(answer, sys.stdout)
    with ask.keeper(verb) as client:
        client.ask("persisted", {"edit": edit})
    return 0


def require_applied(text: str, path: str, running: Mapping[str, Any]) -> None:
    """Make sure that a file still says what was applied: with the changes since, it gives what runs.

    Args:
        text: what the file says.
        path: its name.
        running: the answer to `show`.

    Raises:
        ConflictError: it says something else.
    """
    try:
        config = load.load_text(text, path, path)
        for edit in running["overlay"]:
            config = edited(config, edit["verb"], edit["args"])
    except (ConfigError, UsageError):
        config = None
    if config != config_from_plain(running["config"]):
        raise ConflictError(
            f"{path} was changed since it was applied; nothing was changed now",
            hint=f"'gpiomux plan {path}' shows how it differs from what runs; apply it first, or leave out --persist",
        )


class Replacement:
    """A new text for a file, which lies beside it until it is put in place in one step.

    A symbolic link stays one; owner and permissions stay. Used as a context manager, which leaves nothing behind.
    """

    def __init__(self, path: str, old: str, new: str) -> None:
        """Write the new text, so that it is safe on disk.

        Raises:
            MachineError: it cannot be written.
        """
        self._path = path
        self._old = old
        self._target = os.path.realpath(path)
        self._made = ""
        try:
            self._write(new)
        except OSError as err:
            self._discard()
            raise self._error(err, "nothing was changed") from err

    def put(self) -> None:
        """Put the new text in place.

        Raises:
            ConflictError: somebody has written to the file meanwhile.
            MachineError: it cannot be put there.
        """
        changed, kept = "the links are changed, the file is not", "write it there by hand, or take the change back"
        text, _ = ask.read_text(self._path)
        if text != self._old:
            raise ConflictError(f"{self._path}: somebody has written to it meanwhile; {changed}", hint=kept)
        try:
            os.replace(self._made, self._target)
            self._made = ""
            _sync_directory(os.path.dirname(self._target))
        except OSError as err:
            raise self._error(err, changed) from err

    def __enter__(self) -> Replacement:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()

    def _write(self, new: str) -> None:
        directory, name = os.path.split(self._target)
        before = os.stat(self._target)
        descriptor, self._made = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(new)
            file.flush()
            os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            os.fsync(descriptor)

    def _discard(self) -> None:
        if self._made:
            with suppress(FileNotFoundError):
                os.unlink(self._made)

    def _error(self, err: OSError, outcome: str) -> MachineError:
        return MachineError(
            f"{self._path} cannot be written: {err.strerror}; {outcome}",
            errno=err.errno or 0,
            hint="see that this user may write to it and to its directory, or leave out --persist",
        )


def _sync_directory(path: str) -> None:
    """Have the new name survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
