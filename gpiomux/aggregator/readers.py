"""Processes that hold lines of GPIO chips, from /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def of_chips(proc: Path) -> list[str]:
    """Each process that holds a request of lines without O_NONBLOCK, which a reader can sleep on, in words."""
    found = []
    for process in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        with suppress(OSError):  # it has ended, or is not ours to look at
            if any(_can_sleep(process, fd) for fd in os.listdir(process / "fd")):
                found.append(f"{(process / 'comm').read_text().strip()} (process {process.name})")
    return found


def _can_sleep(process: Path, fd: str) -> bool:
    if os.readlink(process / "fd" / fd) not in ("anon_inode:gpio-line", "anon_inode:gpio-event"):
        return False
    flags = next(
        (line.split()[1] for line in (process / "fdinfo" / fd).read_text().splitlines() if line.startswith("flags:")),
        "0",
    )
    return not int(flags, 8) & os.O_NONBLOCK
