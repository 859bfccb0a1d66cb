"""The running configuration on disk, for the next daemon. It appears whole or not at all."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from gpiomux.config.model import Config
from gpiomux.config.plain import config_from_plain, config_to_plain
from gpiomux.errors import DaemonError, MachineError

if TYPE_CHECKING:
    from gpiomux.rundir import RunDir

FORMAT = 1
"""Version of the file; a daemon refuses any other."""


def save(rundir: RunDir, config: Config) -> None:
    """Replace the file by one that says `config`.

    Raises:
        MachineError: it cannot be written; the old one stands.
    """
    data = json.dumps({"format": FORMAT, "config": config_to_plain(config)}, indent=1).encode()
    draft = rundir.state.with_suffix(".new")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        draft.rename(rundir.state)
        directory = os.open(rundir.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as err:
        raise MachineError(f"cannot write {rundir.state}: {err.strerror}", errno=err.errno or 0) from err


def load(rundir: RunDir) -> Config:
    """What was saved last; a configuration without links if nothing was.

    Raises:
        MachineError: the file cannot be read.
        DaemonError: it is damaged, or of another version of gpiomux.
    """
    try:
        data = rundir.state.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as err:
        hint = "this needs root" if isinstance(err, PermissionError) else ""
        raise MachineError(f"cannot read {rundir.state}: {err.strerror}", errno=err.errno or 0, hint=hint) from err
    hint = f"remove {rundir.state} and apply the configuration again"
    try:
        plain = json.loads(data)
        if plain["format"] != FORMAT:
            raise DaemonError(f"{rundir.state} was written by another version of gpiomux", hint=hint)
        return config_from_plain(plain["config"])
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise DaemonError(f"{rundir.state} is damaged: {err}", hint=hint) from err
