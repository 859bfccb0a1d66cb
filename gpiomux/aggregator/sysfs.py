"""The aggregator's door in sysfs, in all kernels: one line of text makes a chip, and nothing tells which or whether.

The new device is the one that was not there before, looked for under the lock; others of that driver cannot come
meanwhile unless somebody makes them by hand, and then the lines tell them apart (`mirror`).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from gpiomux.aggregator import configfs
from gpiomux.aggregator.kernel_files import write_patiently
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from gpiomux.aggregator.roots import Roots

PREFIX = "gpio-aggregator."
MIRROR = "_sysfs."
"""Prefix of the groups in configfs that show what was made here (Linux 6.16)."""

Lines = tuple[tuple[str, int], ...]


def create(roots: Roots, text: str, lines: Lines, before: dict[str, int], lock: int) -> str:
    """Make a chip; return the name of its device, whether or not it has come to life.

    Args:
        roots: of the machine.
        text: from `sources.sysfs_text`.
        lines: the same as label and offset.
        before: `devices` of a moment ago.
        lock: held since then.

    Raises:
        MachineError: the kernel refuses the text, or the new device cannot be told.
    """
    write_patiently(roots.driver / "new_device", text, lock)
    new = fresh(roots, lines, before)
    if len(new) != 1:
        found = ", ".join(new) or "none"
        hint = "another program makes chips as well: try again when it is done"
        raise MachineError(
            f"gpio-aggregator: cannot tell which chip is the new one: {found}", errno=errno.EAGAIN, hint=hint
        )
    return new[0]


def fresh(roots: Roots, lines: Lines, before: dict[str, int]) -> list[str]:
    """Devices that were not there before and, where that can be seen, have these lines."""
    new = [name for name, number in devices(roots).items() if before.get(name) != number]
    seen = mirror(roots)
    return [name for name in new if seen.get(name, lines) == lines]


def remove(roots: Roots, device: str, lock: int) -> None:
    """Remove a chip; one that went by itself is removed already.

    Raises:
        MachineError: the kernel refuses; ETIMEDOUT: it waits for a reader of a line.
    """
    try:
        write_patiently(roots.driver / "delete_device", device, lock)
    except MachineError as err:
        if err.errno != errno.ENOENT:
            raise


def devices(roots: Roots) -> dict[str, int]:
    """All aggregators, each with its inode, which tells a device from a later one of the same name."""
    return {path.name: path.stat().st_ino for path in sorted(roots.devices.glob(f"{PREFIX}*"))}


def mirror(roots: Roots) -> dict[str, Lines]:
    """The lines of all chips made here, by device; empty before Linux 6.16."""
    return {
        group.device: tuple((line.key, -1 if line.offset is None else line.offset) for line in group.lines)
        for group in configfs.groups(roots.groups)
        if group.name.startswith(MIRROR)
    }
