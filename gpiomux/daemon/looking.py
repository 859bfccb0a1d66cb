"""From what is wanted to a plan: look at the machine, compare, and make sure that it has what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpiomux.apply.observe import observe
from gpiomux.apply.real_lines import require_lines
from gpiomux.plan.diff import Plan, make_plan
from gpiomux.plan.wanted import wanted_state
from gpiomux.plan.words import resource_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpiomux.apply.datapaths import Datapaths
    from gpiomux.config.model import Config
    from gpiomux.plan.observed import Observed
    from gpiomux.rundir import RunDir


def look(rundir: RunDir, datapaths: Datapaths, *configs: Config, also: Iterable[str] = ()) -> Observed:
    """Look at the machine wherever one of the configurations has something.

    Args:
        rundir: where our wires are.
        datapaths: our processes.
        configs: what is applied, and what shall be.
        also: names of more network namespaces to look at.

    Raises:
        MachineError: something cannot be looked at.
    """
    return observe(rundir, datapaths, {*namespaces(*configs), *also})


def namespaces(*configs: Config) -> set[str]:
    """Names of the network namespaces that configurations use."""
    links = [link for config in configs for link in config.links]
    netdevs = [link.netdev for link in links] + [child.netdev for link in links for child in link.children]
    return {netdev.netns for netdev in netdevs if netdev.netns is not None}


def prepared_plan(wanted: Config, observed: Observed, rundir: RunDir) -> Plan:
    """The plan that leads to a configuration, if the machine has what it takes.

    Raises:
        GpiomuxError: something is in the way, or is not there.
    """
    state = wanted_state(wanted)
    plan = make_plan(state, observed)
    require_lines(plan, state, rundir)
    return plan


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
