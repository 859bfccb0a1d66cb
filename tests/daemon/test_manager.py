"""Requests become configurations, and configurations become the machine: wholly, with the state file, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.apply.machine import KernelMachine
from gpiomux.config.load import load_text
from gpiomux.control.messages import OPTIONAL, VERBS, Request
from gpiomux.daemon import state_file
from gpiomux.daemon.looking import plan_to_plain
from gpiomux.daemon.manager import Manager
from gpiomux.daemon.record import Record
from gpiomux.daemon.state_file import Intent
from gpiomux.errors import MachineError
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.plan.diff import Plan
from gpiomux.plan.operations import Change, Create, Remove
from gpiomux.plan.state import Attachment, Interface, Mark, Wire
from gpiomux.rundir import RunDir
from tests import namespaces
from tests.daemon.world import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.plan.state import Resource

ONE = """
links:
  - name: geth0
    mode: net_hdr
    medium: sim
    wire: {name: cable0, external: true}
    protocol: {reader: 1, writer: 2}
"""
CONFIG = load_text(ONE, "one.yaml")


def request(verb: str, **args: Any) -> Request:
    return Request(verb, {**{name: OPTIONAL[name] for name in VERBS[verb] if name in OPTIONAL}, **args})


def test_a_plan_as_clients_get_it() -> None:
    interface = Interface(name="geth0", link="geth0", kind="tun", netns=None, mtu=1500, mac=None, up=True)
    lower = Interface(name="geth0", link="geth0", kind="tun", netns=None, mtu=900, mac=None, up=True)
    plan = Plan(
        operations=(
            Remove(Mark(link="geth0", child="child1", mark=7)),
            Change(interface, lower),
            Create(Wire(name="cable0")),
        ),
        notes=("something stays",),
    )
    assert plan_to_plain(plan) == {
        "operations": [
            {"sign": "-", "kind": "mark", "name": "child1", "text": "- mark 7 to child1 of geth0"},
            {"sign": "~", "kind": "interface", "name": "geth0", "text": "~ interface geth0 (tun): mtu 1500 -> 900"},
            {"sign": "+", "kind": "wire", "name": "cable0", "text": "+ simulated wire cable0"},
        ],
        "notes": ["something stays"],
    }


class Daemons:
    """One manager after another on the same run directory."""

    def __init__(self, rundir: RunDir) -> None:
        self.rundir = rundir
        self._managers: list[Manager] = []

    def next(self) -> Manager:
        self._managers.append(Manager(self.rundir))
        return self._managers[-1]

    def end(self) -> None:
        """Take everything down, and end what starts processes."""
        self.next().change(request("down", links=[]))
        for manager in self._managers:
            manager.datapaths.close()


@pytest.mark.netns
class TestOnTheKernel:
    @pytest.fixture
    def daemons(self) -> Iterator[Daemons]:
        rundir = RunDir(Path("/run/manager-test"))
        rundir.root.mkdir()
        daemons = Daemons(rundir)
        yield daemons
        daemons.end()
        state_file.forget(rundir)
        for directory in (rundir.links, rundir.wires, rundir.root):
            if directory.exists():
                directory.rmdir()

    def names(self) -> set[str]:
        with Rtnl(None) as rtnl:
            return {link.name for link in rtnl.links()} - {"lo"}

    def test_a_change_is_applied_and_recorded(self, daemons: Daemons) -> None:
        manager = daemons.next()
        steps: list[tuple[int, int, str]] = []
        answer = manager.change(request("apply", text=ONE, file="one.yaml"), lambda *step: steps.append(step))
        assert [step[2] for step in steps] == [operation["text"] for operation in answer["operations"]]
        assert manager.applied == CONFIG
        assert state_file.load(daemons.rundir).config == CONFIG
        assert self.names() == {"geth0"}
        manager.change(request("add-child", link="geth0", child="child1"))
        assert self.names() == {"geth0", "child1"}
        assert len(daemons.next().applied.links[0].children) == 1
        assert manager.change(request("apply", text=ONE, file="one.yaml", reset_overlay=True))["operations"] != []
        assert self.names() == {"geth0"}

    def test_what_cannot_be_recorded_is_not_done(self, daemons: Daemons) -> None:
        manager = daemons.next()
        draft = daemons.rundir.state.with_suffix(".new")
        draft.mkdir()
        with pytest.raises(MachineError, match=r"record what was done: .* what was done before is undone"):
            manager.change(request("apply", text=ONE, file="one.yaml"))
        draft.rmdir()
        assert manager.record == Record()
        assert self.names() == set()

    def test_a_restart_that_fails_leaves_the_link_as_it_was(
        self, daemons: Daemons, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manager = daemons.next()
        manager.change(request("apply", text=ONE, file="one.yaml"))
        manager.change(request("add-child", link="geth0", child="child1"))
        old = manager.datapaths.find("geth0")
        assert old is not None
        os.close(old.pidfd)
        create = KernelMachine.create
        refused: list[Resource] = []

        def refuse_once(machine: KernelMachine, resource: Resource) -> None:
            if isinstance(resource, Attachment) and not refused:
                refused.append(resource)
                raise MachineError("the kernel says no", errno=5)
            create(machine, resource)

        with monkeypatch.context() as broken, frozen(old.pid):
            broken.setattr(KernelMachine, "create", refuse_once)
            with pytest.raises(MachineError, match="the kernel says no"):
                manager.change(request("restart", link="geth0"))
        assert refused
        report = manager.datapaths.report("geth0")
        assert report is not None
        assert report["pid"] != old.pid
        assert [child["name"] for child in report["children"]] == ["child1"]

    def test_a_change_that_fails_after_it_ended_a_hanging_datapath_leaves_its_children(
        self, daemons: Daemons, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The hanging one could not be asked which it had, so that nothing of the plan would make them again."""

        def refuse(*_: object) -> None:
            raise MachineError("the kernel says no", errno=5)

        manager = daemons.next()
        manager.change(request("apply", text=ONE, file="one.yaml"))
        manager.change(request("add-child", link="geth0", child="child1"))
        old = manager.datapaths.find("geth0")
        assert old is not None
        os.close(old.pidfd)
        with monkeypatch.context() as broken, frozen(old.pid):
            broken.setattr(state_file, "save", refuse)
            with pytest.raises(MachineError, match=r"the kernel says no; what was done before is undone"):
                manager.change(request("down", links=[]))
        report = manager.datapaths.report("geth0")
        assert report is not None
        assert report["pid"] != old.pid
        assert [child["name"] for child in report["children"]] == ["child1"]
        assert state_file.begun(daemons.rundir) is None

    def test_a_change_that_could_not_be_undone_is_not_forgotten(
        self, daemons: Daemons, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was made in a namespace that only the failed change knew is found by the next daemon."""

        def refuse(*_: object, **__: object) -> None:
            raise MachineError("the kernel says no", errno=5)

        manager = daemons.next()
        with monkeypatch.context() as broken:
            broken.setattr(KernelMachine, "_start", refuse)
            broken.setattr(KernelMachine, "_remove", refuse)
            with pytest.raises(MachineError, match="NOT wholly undone"):
                manager.change(request("apply", text=ONE + "    netns: far\n", file="one.yaml"))
        assert (manager.record, manager.idle) == (Record(), False)
        assert state_file.begun(daemons.rundir) == Intent(namespaces=("far",))
        after = daemons.next()
        after.recover()
        assert (after.record, after.idle) == (Record(), True)
        assert namespaces.network_names() == set()

    def test_what_a_killed_daemon_did_by_half_is_undone(self, daemons: Daemons) -> None:
        """It was killed before the state file was written: what it had made so far is taken away again."""
        daemons.next().change(request("apply", text=ONE, file="one.yaml"))
        daemons.next().change(request("add-child", link="geth0", child="child1"))
        state_file.save(daemons.rundir, Record(serial=1, base=CONFIG, config=CONFIG))
        after = daemons.next()
        after.recover()
        assert after.applied == CONFIG
        assert self.names() == {"geth0"}

    def test_without_a_state_nothing_is_touched(self, daemons: Daemons) -> None:
        daemons.next().change(request("apply", text=ONE, file="one.yaml"))
        daemons.rundir.state.unlink()
        daemons.next().recover()
        assert self.names() == {"geth0"}

    def test_revive_starts_what_has_ended_and_nothing_else(self, daemons: Daemons) -> None:
        manager = daemons.next()
        manager.change(request("apply", text=ONE, file="one.yaml"))
        assert not manager.revive("geth0")
        assert not manager.revive("geth7")
        manager.datapaths.stop("geth0")
        with Rtnl(None) as rtnl:
            rtnl.set_up("geth0", False)
        assert manager.revive("geth0")
        assert not manager.revive("geth0")
        with Rtnl(None) as rtnl:
            assert [link.up for link in rtnl.links() if link.name == "geth0"] == [False]
