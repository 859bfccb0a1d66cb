"""Plans on a machine where a datapath does not answer: bounded, named, and nobody else's problem."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.edit import add_child, add_mark
from gpiomux.config.load import load_text
from gpiomux.config.model import Config
from gpiomux.daemon.looking import with_silent
from gpiomux.errors import MachineError
from gpiomux.plan.diff import make_plan
from gpiomux.plan.observed import Observed
from gpiomux.plan.state import Attachment, Datapath, Mark
from gpiomux.plan.wanted import wanted_state
from tests.daemon.world import TWO_LINKS, frozen, has_ended

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemon.world import World

APPLIED = add_mark(add_child(load_text(TWO_LINKS["text"], "two-links.yaml"), "geth1", "child1"), "child1", 7)


def operations(wanted: Config) -> list[str]:
    """What leads from APPLIED to a configuration while the datapath of geth1 does not answer."""
    state = [
        it for it in wanted_state(APPLIED) if not (isinstance(it, Datapath | Attachment | Mark) and it.link == "geth1")
    ]
    observed = Observed(state=frozenset(state), silent=frozenset(("geth1",)))
    observed = with_silent(observed, wanted_state(APPLIED), wanted_state(wanted))
    return [operation.describe() for operation in make_plan(wanted_state(wanted), observed).operations]


def test_a_silent_datapath_is_taken_to_run_what_was_applied() -> None:
    assert operations(APPLIED) == []
    assert operations(add_mark(APPLIED, "child1", 8)) == ["+ mark 8 to child1 of geth1"]
    assert not any("geth1" in it or "child1" in it for it in operations(add_child(APPLIED, "geth0", "other")))


def test_a_silent_datapath_that_goes_is_not_asked_to_let_go() -> None:
    steps = operations(Config())
    assert any(step.startswith("- datapath of geth1") for step in steps)
    assert not any(step.startswith(("- child ", "- mark ")) for step in steps)


def test_a_silent_datapath_that_nobody_knows_is_told() -> None:
    with pytest.raises(MachineError, match="datapath of geth7 does not answer, and no record says") as caught:
        with_silent(Observed(silent=frozenset(("geth7",))), (), ())
    assert caught.value.errno == errno.ETIMEDOUT


def crowd(path: Path) -> None:
    """Ask in vain until the kernel queues nobody any more."""
    refused = 0
    while not refused:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as sock:
            refused = sock.connect_ex(str(path))
    assert refused == errno.EAGAIN


@pytest.mark.netns
class TestOnTheKernel:
    def test_a_datapath_that_hangs_is_nobody_else_s_problem(self, world: World) -> None:
        world.start()
        world.apply()
        world.ask("add-child", link="geth1", child="child1")
        before = world.datapaths()
        assert before["geth1"] is not None
        with frozen(before["geth1"]):
            assert world.ask("status")["links"][1]["datapath"]["last_exit"] == "datapath of geth1 does not answer"
            crowd(world.rundir.datapath_socket("geth1"))
            assert world.ask("status")["links"][1]["datapath"]["state"] == "failed"
            assert world.ask("add-child", link="geth0", child="child0")["operations"]
            assert world.ask("add-mark", child="child0", mark=7)["operations"]
            drift = world.ask("diff")
            assert drift["operations"] == []
            assert drift["notes"] == ["datapath of geth1 does not answer: taken to run what was applied"]
            with pytest.raises(MachineError, match="datapath of geth1 does not answer"):
                world.ask("add-mark", child="child1", mark=8)
            world.ask("restart", link="geth1")
            assert has_ended(before["geth1"])
        after = world.datapaths()
        assert after["geth0"] == before["geth0"]
        assert after["geth1"] not in (None, before["geth1"])
        assert world.ask("diff") == {"operations": [], "notes": []}

    def test_a_datapath_that_hangs_can_be_taken_down(self, world: World) -> None:
        world.start()
        world.apply()
        world.ask("add-child", link="geth1", child="child1")
        pid = world.datapaths()["geth1"]
        assert pid is not None
        with frozen(pid):
            crowd(world.rundir.datapath_socket("geth1"))
            world.ask("down", links=["geth1"])
            assert has_ended(pid)
        assert list(world.datapaths()) == ["geth0"]
        assert world.ask("diff")["operations"] == []
