"""Real lines in a plan: what must be there before anything is done, and the descriptors of what is.

Chips are made by the kernel's gpio-aggregator; the environment variable GPIOMUX_AGGREGATOR chooses its door, `configfs`
or `sysfs`, where the kernel has both.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gpiomux.aggregator import sources
from gpiomux.aggregator.chip import Chips
from gpiomux.aggregator.inventory import read_chips
from gpiomux.aggregator.roots import CONFIGFS, DOOR, SYSFS, Roots
from gpiomux.aggregator.support import require_aggregator, require_gpio
from gpiomux.config.gathered import Gathered, consumer, gathered
from gpiomux.config.model import GpioMedium, Idle
from gpiomux.errors import ConflictError, UnsupportedError
from gpiomux.lines.backends import chip_offsets
from gpiomux.plan.operations import Create, Remove
from gpiomux.plan.state import Chip, Datapath

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gpiomux.aggregator.inventory import Chip as Inventoried
    from gpiomux.aggregator.sources import Place
    from gpiomux.config.model import Lines, Transport
    from gpiomux.plan.diff import Plan
    from gpiomux.plan.state import Resource
    from gpiomux.rundir import RunDir

_SHOWN = "`gpiomux chips` shows what there is"


def chips_of(rundir: RunDir) -> Chips:
    """The chips of this machine, as a run directory knows them.

    Raises:
        UnsupportedError: the environment names a door that does not exist.
    """
    door = os.environ.get(DOOR) or None
    if door not in (None, CONFIGFS, SYSFS):
        raise UnsupportedError(f"{DOOR} is {door!r}", hint=f"expected {CONFIGFS} or {SYSFS}, or nothing")
    return Chips(Roots(run=rundir.chips), door, rundir.owner)


def require_lines(plan: Plan, wanted: Sequence[Resource], rundir: RunDir) -> None:
    """Make sure that the machine has the lines that a plan wants, before it is begun.

    Raises:
        UnsupportedError: no GPIO, no aggregator, or lines that are not there; names them all.
        ConflictError: somebody else uses lines; names them all, and who.
    """
    made = [step.resource for step in plan.operations if isinstance(step, Create)]
    chips = [it for it in made if isinstance(it, Chip)]
    bare = [it for it in made if isinstance(it, Datapath) and _is_bare(it.transport)]
    if not chips and not bare:
        return
    ours = chips_of(rundir)
    require_gpio(ours.roots)
    if chips:
        require_aggregator(ours.roots, ours.door())
        ours.require_devices(chip.device for chip in chips if chip.device is not None)
    removed = [step.resource for step in plan.operations if isinstance(step, Remove)]
    going = {it.link for it in removed if isinstance(it, Chip | Datapath)}
    own = {chip.device for chip in ours.standing() if chip.link in going} | {consumer(link) for link in going}
    needed = [(it.link, it.lines) for it in chips] + [(it.link, _gathered(it)) for it in bare]
    everything = read_chips(ours.roots.dev)
    _require_free(needed, own, everything)
    _refuse_doubles(wanted, everything)


def node_of(link: str, lines: Lines, rundir: RunDir) -> Path:
    """The node of the chip that a link runs on.

    Raises:
        MachineError: it is not there.
        UnsupportedError: without aggregator: the lines are not there.
    """
    ours = chips_of(rundir)
    if lines.aggregate:
        return ours.node(link)
    places, faults = sources.find(gathered(link, lines), read_chips(ours.roots.dev))
    if faults:
        raise UnsupportedError(f"link {link}: {'; '.join(faults)}", hint=_SHOWN)
    return places[0].chip.node


def rest_lines(link: str, transport: Transport, rundir: RunDir) -> None:
    """Make the outputs of a link inputs, if it is configured so and its chip is there.

    Raises:
        MachineError: the kernel refuses.
    """
    lines = transport.lines
    if not isinstance(transport.medium, GpioMedium) or lines is None or lines.idle is not Idle.INPUT:
        return
    from gpiomux.lines.gpio_request import rest

    with suppress(UnsupportedError):  # without its chip, a link has no outputs
        _, outputs = chip_offsets(lines)
        rest(node_of(link, lines, rundir), outputs, consumer(link))


def _is_bare(transport: Transport) -> bool:
    return isinstance(transport.medium, GpioMedium) and transport.lines is not None and not transport.lines.aggregate


def _gathered(datapath: Datapath) -> tuple[Gathered, ...]:
    assert datapath.transport.lines is not None
    return gathered(datapath.link, datapath.transport.lines)


def _require_free(
    needed: Iterable[tuple[str, tuple[Gathered, ...]]], own: set[str], chips: tuple[Inventoried, ...]
) -> None:
    missing: list[str] = []
    occupied: list[str] = []
    for link, lines in needed:
        places, faults = sources.find(lines, chips)
        missing += [f"link {link}: {fault}" for fault in faults]
        occupied += [f"link {link}: {fault}" for fault in sources.busy(places, own)]
    if missing:
        raise UnsupportedError("; ".join(missing), hint=_SHOWN)
    if occupied:
        raise ConflictError("; ".join(occupied), hint="take other lines, or end what uses these")


def _refuse_doubles(wanted: Iterable[Resource], chips: tuple[Inventoried, ...]) -> None:
    taken: list[tuple[str, Place]] = []
    for it in wanted:
        if isinstance(it, Chip):
            taken += [(it.link, place) for place in sources.find(it.lines, chips)[0]]
        elif isinstance(it, Datapath) and _is_bare(it.transport):
            taken += [(it.link, place) for place in sources.find(_gathered(it), chips)[0]]
    if faults := sources.doubles(taken):
        raise ConflictError("; ".join(faults), hint="take each line once")
