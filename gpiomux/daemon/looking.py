"""From what is wanted to a plan: look at the machine, compare, and make sure that it has what it takes."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpiomux.apply.observe import look_at, observe
from gpiomux.apply.real_lines import require_lines
from gpiomux.apply.xdp_programs import require_xdp
from gpiomux.daemon.whereabouts import strayed
from gpiomux.errors import MachineError
from gpiomux.plan.diff import Plan, make_plan
from gpiomux.plan.marks import changed_marks, plan_of_marks
from gpiomux.plan.scope import scope_of
from gpiomux.plan.state import Datapath, Held, Interface, Xdp
from gpiomux.plan.wanted import wanted_state
from gpiomux.plan.words import resource_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpiomux.apply.datapaths import Datapaths
    from gpiomux.config.model import Config
    from gpiomux.plan.observed import Observed
    from gpiomux.plan.state import Resource
    from gpiomux.rundir import RunDir


def look(
    rundir: RunDir, datapaths: Datapaths, applied: Config, wanted: Config, *, also: Iterable[str] = ()
) -> Observed:
    """Look at the machine wherever one of the configurations has something.

    Args:
        rundir: where our wires are.
        datapaths: our processes.
        applied: what those run that do not answer.
        wanted: what shall be.
        also: names of more network namespaces to look at.

    Raises:
        MachineError: something cannot be looked at.
    """
    places = {*namespaces(applied, wanted), *also}
    observed = observe(rundir, datapaths, places)
    strays = strayed(rundir, datapaths, applied, observed).state
    if elsewhere := {it.netns for it in strays if isinstance(it, Interface) and it.netns is not None}:
        observed = observe(rundir, datapaths, places | elsewhere)
    return with_silent(observed, wanted_state(applied), wanted_state(wanted)) if observed.silent else observed


def with_silent(observed: Observed, applied: Iterable[Resource], wanted: Iterable[Resource]) -> Observed:
    """What was observed, with what datapaths that do not answer are taken to run.

    One that stays as it is is taken to run what was applied, so that a change of another link need not wait for it.
    One that goes, or is made anew, is not asked to let go of its children first.

    Raises:
        MachineError: ETIMEDOUT, nothing is known of one.
    """
    held = {it.link: it for it in applied if isinstance(it, Datapath)}
    staying = {it.link for it in wanted if isinstance(it, Datapath) and it == held.get(it.link)}
    for link in sorted(observed.silent - set(held)):
        raise MachineError(
            f"datapath of {link} does not answer, and no record says what it runs",
            errno=errno.ETIMEDOUT,
            hint=f"end the process gpiomux:{link} (kill -KILL), then apply the configuration again",
        )
    believed = {
        it
        for it in applied
        if isinstance(it, Datapath | Held)
        and it.link in observed.silent
        and (isinstance(it, Datapath) or it.link in staying)
    }
    return replace(observed, state=observed.state | believed)


def namespaces(*configs: Config) -> set[str]:
    """Names of the network namespaces that configurations use."""
    netdevs = [netdev for config in configs for link in config.links for netdev in link.netdevs.values()]
    return {netdev.netns for netdev in netdevs if netdev.netns is not None}


def prepared_plan(wanted: Config, observed: Observed, rundir: RunDir) -> Plan:
    """The plan that leads to a configuration, if the machine has what it takes.

    Raises:
        GpiomuxError: something is in the way, or is not there.
    """
    state = wanted_state(wanted)
    plan = make_plan(state, observed)
    require_lines(plan, state, rundir)
    require_xdp(plan)
    notes = _mode_notes(plan)
    notes += [f"datapath of {link} does not answer: taken to run what was applied" for link in sorted(observed.silent)]
    return replace(plan, notes=(*plan.notes, *notes))


def _mode_notes(plan: Plan) -> list[str]:
    """In which mode XDP programs will run, and why, where nobody has asked for one."""
    made = [it.resource for it in plan.operations if isinstance(it.resource, Xdp)]
    return [f"xdp on {it.interface} runs {it.mode}: {it.why}" for it in made if it.why]


def short_plan(rundir: RunDir, datapaths: Datapaths, applied: Config, wanted: Config) -> tuple[Plan, Observed] | None:
    """The plan of a change that concerns marks alone, and what was seen: only their datapaths are asked.

    Returns:
        None if it concerns more, or a datapath does not run as it should: then the whole machine has to be looked at.
    """
    new, gone = changed_marks(applied, wanted)
    if not new and not gone:
        return None
    try:
        observed = look_at(scope_of(new | gone), rundir, datapaths)
    except MachineError:  # the other look finds it again, and knows what to do about it
        return None
    plan = plan_of_marks(new, gone, observed)
    return None if plan is None else (plan, observed)


def plan_to_plain(plan: Plan) -> dict[str, Any]:
    """A plan as clients get it."""
    return {
        "operations": [
            {
                "sign": operation.sign,
                "kind": operation.resource.key[0],
                "name": resource_name(operation.resource),
                "text": operation.describe(),
            }
            for operation in plan.operations
        ],
        "notes": list(plan.notes),
    }
