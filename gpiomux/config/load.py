"""The one door: a configuration file, or its text, becomes a checked model or all of its faults."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from gpiomux.config import plain, rules, schema, source
from gpiomux.config.text import LIMIT_BYTES, decode
from gpiomux.config.xdp import with_absolute_programs
from gpiomux.errors import ConfigError, Fault, UsageError

if TYPE_CHECKING:
    from gpiomux.config.model import Config


def load_file(path: str | os.PathLike[str]) -> Config:
    """The configuration in a file.

    Raises:
        ConfigError: the configuration has faults; it carries all of them.
        UsageError: the file cannot be read.
        UnsupportedError: PyYAML has no libyaml here, or the schema is not installed.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as err:
        raise UsageError(
            f"cannot read {path}: {err.strerror}", hint="name a configuration file that this user may read"
        ) from err
    return load_text(decode(data, str(path)), str(path), os.path.abspath(path))


def load_text(text: str, file: str, path: str = "") -> Config:
    """The configuration in a text.

    Args:
        text: the configuration.
        file: the name that faults give it.
        path: the absolute path of the file, in whose directory its relative paths begin; empty if it is none.

    Raises:
        ConfigError: the configuration has faults; it carries all of them.
        UnsupportedError: PyYAML has no libyaml here, or the schema is not installed.
    """
    document = source.read(text, file)
    found, broken = schema.schema_faults(document)
    faults = _in_file_order([*document.faults, *found, *rules.rule_faults(document, broken, has_directory=bool(path))])
    if faults:
        raise ConfigError(faults)
    return with_absolute_programs(plain.config_from_plain(cast("plain.Plain", document.data)), os.path.dirname(path))


def _in_file_order(faults: list[Fault]) -> tuple[Fault, ...]:
    """The faults sorted by place; what is said twice of one place, because an alias repeats it, is said once."""
    distinct = {(fault.line, fault.column, fault.message): fault for fault in reversed(faults)}
    return tuple(sorted(distinct.values(), key=lambda fault: (fault.line, fault.column, fault.path, fault.message)))
