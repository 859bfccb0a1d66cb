"""What the daemon does to the machine, one thing after another: every change walks wanted -> plan -> run.

All of this blocks; the daemon calls it in its one worker thread.
"""

from __future__ import annotations

import logging
import pwd
import secrets
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpiomux.apply.datapaths import Datapaths, Process
from gpiomux.apply.machine import KernelMachine
from gpiomux.apply.observe import all_namespaces
from gpiomux.apply.real_lines import require_lines
from gpiomux.apply.run import OnStep, run
from gpiomux.apply.xdp_programs import require_objects
from gpiomux.config.edit import require_link
from gpiomux.config.overlay import edited
from gpiomux.control.messages import EDIT_VERBS
from gpiomux.daemon import guard, state_file
from gpiomux.daemon.boottime import now_s
from gpiomux.daemon.looking import look, namespaces, plan_to_plain, prepared_plan, short_plan
from gpiomux.daemon.record import Pending, Record
from gpiomux.daemon.state_file import Intent
from gpiomux.daemon.successor import before, earlier, require_confirm_time, require_settled, successor
from gpiomux.errors import DaemonError, GpiomuxError, MachineError, UsageError
from gpiomux.plan.diff import Plan, make_plan
from gpiomux.plan.state import Held
from gpiomux.plan.wanted import wanted_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpiomux.config.model import Config
    from gpiomux.control.messages import Request
    from gpiomux.plan.observed import Observed
    from gpiomux.rundir import RunDir

TOKEN_BYTES = 4
"""Enough that nobody confirms another's change by mistake; it is no secret."""

FIND_S = 1.0
"""How long to wait for a place in the queue of a datapath, to learn its process id, for which it needs not answer; or
for an answer without which there is another way."""

_log = logging.getLogger(__name__)


class Manager:
    """The machine and the configuration that is applied to it.

    *Threads and processes:* one thread calls what changes or looks. `record` and `damage` may be read by any: each is
    replaced as a whole when a change has succeeded.
    """

    def __init__(self, rundir: RunDir) -> None:
        """Take over what the last daemon left.

        Raises:
            MachineError: the state file cannot be read.
        """
        self._rundir = rundir
        self.datapaths = Datapaths(rundir)
        self._finder = Datapaths(rundir, answer_s=FIND_S)
        self.record = Record()
        self.damage: DaemonError | None = None
        """What is wrong with the state file; then nothing can be done but to take everything down."""
        try:
            self.record = state_file.load(rundir)
        except DaemonError as err:
            self.damage = err

    def require_record(self) -> None:
        """Make sure that it is known what is applied.

        Raises:
            DaemonError: the state file is damaged.
        """
        if self.damage is not None:
            raise DaemonError(self.damage.message, hint=self.damage.hint)

    @property
    def applied(self) -> Config:
        """The configuration that runs."""
        return self.record.config

    @property
    def idle(self) -> bool:
        """Whether nothing of ours is left, as far as is known."""
        record = self.record
        return not (record.config.links or record.pending or self.damage or self._rundir.intent.exists())

    def change(self, request: Request, on_step: OnStep | None = None, uid: int = 0) -> dict[str, Any]:
        """Perform a request that changes something: all of it, or nothing.

        Args:
            request: what to do.
            on_step: told of each step before it begins.
            uid: who wants it.

        Raises:
            GpiomuxError: the request makes no sense, something is in the way, or an operation failed.
        """
        everything = request.verb == "down" and request.args["all"]
        if not everything:
            self.require_record()
        match request.verb:
            case "confirm":
                return self._confirm(request.args["token"])
            case "persisted":
                return self._persisted(request.args["edit"])
            case "restart":
                return plan_to_plain(self._restart(request.args["link"], on_step))
            case "rollback":
                history = state_file.history(self._rundir, self.record.serial)
                wanted = _signed(earlier(self.record, history, request.args["steps"]), uid)
                return plan_to_plain(self._lead(wanted, on_step))
        if not everything:
            require_settled(self.record)
        wanted = successor(self.record, request)
        if request.verb in EDIT_VERBS:
            return {**plan_to_plain(self._lead(wanted, on_step)), "path": wanted.path}
        wanted = _signed(wanted, uid)
        if request.verb == "apply":
            return self._apply(wanted, request.args["confirm_s"], on_step)
        return plan_to_plain(self._lead(wanted, on_step, everywhere=everything))

    def recover(self) -> None:
        """Finish or undo what a daemon that was killed has left half-way: lead the machine to the state on disk.

        Raises:
            GpiomuxError: it cannot be done.
        """
        self.require_record()
        if self.revert():
            return
        intent = state_file.begun(self._rundir)
        if not self.applied.links and intent is None:  # nothing is known of what is there, so nothing of it is touched
            return
        if intent is not None:
            self._end_unstarted()
        observed = self._look(self.applied)
        with KernelMachine(self._rundir, self.datapaths, observed) as machine:
            run(make_plan(wanted_state(self.applied), observed), machine)
        state_file.end(self._rundir)

    def revert(self) -> bool:
        """Take the configuration back that nobody has confirmed in time; whether there was one.

        Raises:
            GpiomuxError: it cannot be done.
        """
        pending = self.record.pending
        if pending is None or now_s() < pending.deadline_s:
            return False
        _log.warning("nobody has confirmed %s: taking it back", self.record.file)
        history = state_file.history(self._rundir, self.record.serial)
        self._lead(replace(before(self.record, history), applied_at_s=time.time(), applied_by="gpiomuxd"))
        return True

    def revive(self, link: str) -> bool:
        """Start the datapath of a link again if it has ended; whether there was anything to do.

        The interface, its addresses and routes are left as they are.

        Raises:
            GpiomuxError: it cannot be started.
        """
        if all(it.name != link for it in self.applied.links):
            return False
        observed = self._look(self.applied)
        return bool(self._of_datapath(link, observed).operations)

    def processes(self) -> dict[str, Process | MachineError | None]:
        """The process of each link of the applied configuration, whose descriptor the caller closes; None if there is
        none, an error if it cannot be known now.
        """
        return {link.name: self._process(link.name) for link in self.applied.links}

    def _process(self, link: str) -> Process | MachineError | None:
        try:
            return self._finder.find(link)
        except MachineError as err:
            return err

    def _apply(self, wanted: Record, confirm_s: int, on_step: OnStep | None) -> dict[str, Any]:
        require_confirm_time(confirm_s)
        token = secrets.token_hex(TOKEN_BYTES) if confirm_s else None
        plan = self._lead(wanted, on_step, confirm=None if token is None else (token, confirm_s))
        return {**plan_to_plain(plan), "token": token}

    def _confirm(self, token: str) -> dict[str, Any]:
        pending = self.record.pending
        if pending is None:
            hint = "'gpiomux status' shows what runs; it is kept, or 'gpiomux history' shows that it was taken back"
            raise UsageError("no configuration waits to be confirmed", hint=hint)
        if token not in ("", pending.token):
            hint = "'gpiomux apply --confirm' printed the right one; without a token any is confirmed"
            raise UsageError("this is not the token of the configuration that waits to be confirmed", hint=hint)
        self._save(replace(self.record, pending=None))
        return {}

    def _persisted(self, edit: dict[str, Any]) -> dict[str, Any]:
        self._save(replace(self.record, base=edited(self.record.base, edit["verb"], edit["args"])))
        return {}

    def _restart(self, link: str, on_step: OnStep | None) -> Plan:
        require_link(self.applied, link)
        observed = self._look(self.applied)
        state = observed.state
        if link in observed.silent:  # it would not answer when told to let them go
            state = frozenset(it for it in state if not (isinstance(it, Held) and it.link == link))
        broken = observed.broken | {("datapath", link)}
        try:
            return self._of_datapath(link, replace(observed, state=state, broken=broken), on_step)
        except GpiomuxError:
            self._make_whole(link)
            raise

    def _make_whole(self, link: str) -> None:
        """Give a process back what it lacks: where a silent one was ended and that undone, the new one has no children.

        The supervisor would see to one that does not run, but not to this.
        """
        try:
            self.revive(link)
        except GpiomuxError as err:
            _log.error("%s", err.told())

    def _of_datapath(self, link: str, observed: Observed, on_step: OnStep | None = None) -> Plan:
        """Do what has to be done about one process, and nothing else."""
        state = wanted_state(self.applied)
        plan = make_plan(state, observed).of_datapath(link)
        require_lines(plan, state, self._rundir)
        with KernelMachine(self._rundir, self.datapaths, observed, state) as machine:
            run(plan, machine, on_step=on_step)
        return plan

    def _lead(
        self,
        wanted: Record,
        on_step: OnStep | None = None,
        *,
        everywhere: bool = False,
        confirm: tuple[str, int] | None = None,
    ) -> Plan:
        """Lead the machine from the applied record to another one, or leave it as it is.

        Args:
            wanted: the other record.
            on_step: told of each step.
            everywhere: look for what is ours in every network namespace.
            confirm: token and seconds, if somebody has to confirm it.
        """
        plan, observed = self._prepared(wanted, everywhere=everywhere)
        for note in plan.notes:
            _log.info("%s", note)
        if wanted.serial > self.record.serial > 0:
            state_file.keep(self._rundir, replace(self.record, pending=None))

        def commit() -> None:
            pending = None if confirm is None else Pending(token=confirm[0], deadline_s=now_s() + confirm[1])
            self._save(wanted if pending is None else replace(wanted, pending=pending))

        if plan.operations or confirm is not None:
            self._begin(wanted, confirm)
        try:
            with KernelMachine(self._rundir, self.datapaths, observed) as machine:
                run(plan, machine, on_step=on_step, commit=commit)
        except GpiomuxError:
            self._end_failed(wanted, observed)
            raise
        state_file.end(self._rundir)
        return plan

    def _prepared(self, wanted: Record, *, everywhere: bool) -> tuple[Plan, Observed]:
        """The plan that leads to a record, and the look at the machine that it is made from.

        An edit, which has no serial number of its own, does what it says where only marks change; everything else also
        repairs what is not as it was left.
        """
        if wanted.serial == self.record.serial and not everywhere and not self._rundir.intent.exists():
            short = short_plan(self._rundir, self._finder, self.applied, wanted.config)
            if short is not None:
                return short
        observed = self._look(wanted.config, all_namespaces() if everywhere else ())
        plan = prepared_plan(wanted.config, observed, self._rundir)
        require_objects(plan)
        return plan, observed

    def _begin(self, wanted: Record, confirm: tuple[str, int] | None) -> None:
        """Say on disk what is about to happen, and have somebody else watch over what must be confirmed."""
        earlier_places = state_file.begun(self._rundir)
        places = {*namespaces(wanted.config), *(earlier_places.namespaces if earlier_places else ())}
        deadline_s = None if confirm is None else now_s() + confirm[1]
        state_file.begin(self._rundir, Intent(namespaces=tuple(sorted(places)), deadline_s=deadline_s))
        if confirm is not None:
            try:
                guard.start(self._rundir)
            except GpiomuxError:
                state_file.end(self._rundir)
                raise

    def _end_failed(self, wanted: Record, before_it: Observed) -> None:
        """Forget a change that failed, if nothing is left of it; else the next change or daemon looks there again."""
        for link in sorted(before_it.silent):
            self._make_whole(link)
        try:
            after = self._look(wanted.config)
            if after.state == before_it.state or not make_plan(wanted_state(self.applied), after).operations:
                state_file.end(self._rundir)
        except GpiomuxError as err:
            _log.error("cannot see what the failed change has left: %s", err.told())

    def _end_unstarted(self) -> None:
        """End processes that were made by a killed daemon, and never told what to run."""
        for link, report in self.datapaths.reports().items():
            if report is None:
                self.datapaths.stop(link)

    def _look(self, wanted: Config, also: Sequence[str] = ()) -> Observed:
        """Look wherever the applied or the wanted configuration, or a change without end, may have something."""
        intent = state_file.begun(self._rundir)
        unended = () if intent is None else intent.namespaces
        return look(self._rundir, self.datapaths, self.applied, wanted, also=(*also, *unended))

    def _save(self, record: Record) -> None:
        state_file.save(self._rundir, record)
        self.record = record
        self.damage = None


def _signed(record: Record, uid: int) -> Record:
    """The record with the time and the user."""
    name = str(uid)
    with suppress(KeyError):  # a user that this machine has no name for
        name = pwd.getpwuid(uid).pw_name
    return replace(record, applied_at_s=time.time(), applied_by=name)
