"""What the daemon does to the machine, one thing after another: every change walks wanted -> plan -> run.

All of this blocks; the daemon calls it in its one worker thread.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from gpiomux.apply.datapaths import Datapaths, Process
from gpiomux.apply.machine import KernelMachine
from gpiomux.apply.observe import observe
from gpiomux.apply.real_lines import require_lines
from gpiomux.apply.run import OnStep, run
from gpiomux.config import edit
from gpiomux.config.model import Config
from gpiomux.daemon import state_file
from gpiomux.errors import UnsupportedError
from gpiomux.plan.diff import Plan, make_plan
from gpiomux.plan.wanted import wanted_state
from gpiomux.plan.words import resource_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.control.messages import Request
    from gpiomux.plan.observed import Observed
    from gpiomux.rundir import RunDir

_log = logging.getLogger(__name__)


class Manager:
    """The machine and the configuration that is applied to it.

    *Threads and processes:* one thread calls `change`, `recover`, `revive` and `processes`. `applied` may be read by
    any: it is replaced as a whole when a change has succeeded.
    """

    def __init__(self, rundir: RunDir) -> None:
        """Take over what the last daemon left.

        Raises:
            GpiomuxError: the state file cannot be used.
        """
        self._rundir = rundir
        self.datapaths = Datapaths(rundir)
        self.applied = state_file.load(rundir)

    def change(self, request: Request, on_step: OnStep | None = None) -> dict[str, Any]:
        """Perform a request that changes something: all of it, or nothing.

        Raises:
            GpiomuxError: the request makes no sense, something is in the way, or an operation failed.
        """
        wanted = edited(self.applied, request)
        observed = look(self._rundir, self.datapaths, self.applied, wanted)
        plan = prepared_plan(wanted, observed, self._rundir)
        self._perform(plan, observed, on_step, wanted)
        return plan_to_plain(plan)

    def recover(self) -> None:
        """Finish or undo what a daemon that was killed has left half-way: lead the machine to the state on disk.

        Raises:
            GpiomuxError: it cannot be done.
        """
        if not self.applied.links:  # nothing is known of what is there, so nothing of it is touched
            return
        observed = look(self._rundir, self.datapaths, self.applied, self.applied)
        self._perform(make_plan(wanted_state(self.applied), observed), observed, None, self.applied)

    def revive(self, link: str) -> bool:
        """Start the datapath of a link again if it has ended; whether there was anything to do.

        The interface, its addresses and routes are left as they are.

        Raises:
            GpiomuxError: it cannot be started.
        """
        if all(it.name != link for it in self.applied.links):
            return False
        observed = look(self._rundir, self.datapaths, self.applied, self.applied)
        state = wanted_state(self.applied)
        plan = make_plan(state, observed).of_datapath(link)
        require_lines(plan, state, self._rundir)
        with KernelMachine(self._rundir, self.datapaths, observed) as machine:
            run(plan, machine)
        return bool(plan.operations)

    def processes(self) -> dict[str, Process | None]:
        """The process of each link of the applied configuration; the caller closes their descriptors.

        Raises:
            MachineError: a datapath does not answer.
        """
        return {link.name: self.datapaths.find(link.name) for link in self.applied.links}

    def _perform(self, plan: Plan, observed: Observed, on_step: OnStep | None, wanted: Config) -> None:
        for note in plan.notes:
            _log.info("%s", note)
        with KernelMachine(self._rundir, self.datapaths, observed) as machine:
            run(plan, machine, on_step=on_step, commit=lambda: state_file.save(self._rundir, wanted))
        self.applied = wanted


def edited(config: Config, request: Request) -> Config:
    """The configuration that a request makes of the applied one.

    Raises:
        ConfigError: of `apply`: every fault of the text.
        UsageError: of the others: the link, child or mark is not there, or is there already.
    """
    args: Mapping[str, Any] = request.args
    match request.verb:
        case "apply" | "plan":
            from gpiomux.config.load import load_text  # late: a daemon that takes over needs no YAML and no schema

            return load_text(args["text"], args["file"])
        case "add-child":
            return edit.add_child(config, args["link"], args["child"])
        case "del-child":
            return edit.del_child(config, args["child"])
        case "add-mark":
            return edit.add_mark(config, args["child"], args["mark"])
        case "del-mark":
            return edit.del_mark(config, args["child"], args["mark"])
        case "down":
            return edit.without_links(config, args["links"]) if args["links"] else Config()
        case _:
            raise UnsupportedError(f"this gpiomuxd cannot {request.verb} yet")


def look(rundir: RunDir, datapaths: Datapaths, *configs: Config) -> Observed:
    """Look at the machine wherever one of the configurations has something.

    Raises:
        MachineError: something cannot be looked at.
    """
    links = [link for config in configs for link in config.links]
    netdevs = [link.netdev for link in links] + [child.netdev for link in links for child in link.children]
    return observe(rundir, datapaths, {netdev.netns for netdev in netdevs if netdev.netns is not None})


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
