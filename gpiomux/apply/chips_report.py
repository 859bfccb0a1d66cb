"""All GPIO chips of the machine with their lines, and which link uses each: the answer to the verb `chips`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from gpiomux.aggregator.inventory import read_chips
from gpiomux.apply.real_lines import chips_of
from gpiomux.config.gathered import consumer
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpiomux.aggregator.inventory import Chip, Line
    from gpiomux.rundir import RunDir


def report_chips(rundir: RunDir, links: Iterable[str]) -> dict[str, Any]:
    """Look at all chips.

    Args:
        rundir: where chips of ours are recorded.
        links: names of those that run.

    Raises:
        MachineError: a chip may not be looked at.
    """
    ours = chips_of(rundir)
    try:
        users = {chip.device: chip.link for chip in ours.standing() if chip.device}
    except MachineError as err:
        if err.errno != errno.EBUSY:  # whose chip hangs is seen all the same, by who holds its lines
            raise
        users = {}
    users |= {consumer(link): link for link in links}
    return {"chips": [_chip(chip, users) for chip in read_chips(ours.roots.dev)]}


def _chip(chip: Chip, users: Mapping[str, str]) -> dict[str, Any]:
    return {
        "node": str(chip.node),
        "label": chip.label,
        "link": users.get(chip.label),
        "lines": [_line(line, users) for line in chip.lines],
    }


def _line(line: Line, users: Mapping[str, str]) -> dict[str, Any]:
    return {
        "offset": line.offset,
        "name": line.name,
        "direction": "output" if line.output else "input",
        "active_low": line.active_low,
        "used": line.used,
        "consumer": line.consumer,
        "link": users.get(line.consumer),
    }
