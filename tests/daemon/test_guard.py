"""A configuration that nobody confirms is taken back: by the daemon, or by one that the guard starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpiomux.daemon import guard, state_file
from gpiomux.daemon.boottime import now_s
from gpiomux.daemon.record import Pending, Record
from gpiomux.daemon.state_file import Intent
from gpiomux.errors import ConflictError, DaemonError, UsageError
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.rundir import RunDir
from tests import namespaces
from tests.daemon.world import TWO_LINKS, World, frozen, send_and_wait, wait_for

if TYPE_CHECKING:
    from pathlib import Path

LONG_S = 3600
OTHER = {"text": TWO_LINKS["text"].replace("10.10.0.1/24", "10.10.0.9/24"), "file": "other.yaml"}


def address(world: World) -> str:
    """The first of geth0: what the two configurations differ in."""
    found: str = world.ask("show")["config"]["links"][0]["addresses"][0]
    return found


def guards() -> list[str]:
    return [command for command in namespaces.child_processes().values() if "gpiomux.daemon.guard" in command]


def test_the_deadline_is_read_from_the_run_directory(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    assert guard.deadline_s(rundir) is None
    state_file.begin(rundir, Intent(namespaces=()))
    assert guard.deadline_s(rundir) is None
    state_file.begin(rundir, Intent(namespaces=(), deadline_s=7.5))
    assert guard.deadline_s(rundir) == 7.5
    state_file.save(rundir, Record(serial=1, pending=Pending(token="x", deadline_s=9.5)))
    assert guard.deadline_s(rundir) == 9.5
    state_file.end(rundir)
    assert guard.deadline_s(rundir) == 9.5


def test_without_anything_to_confirm_the_guard_ends(tmp_path: Path) -> None:
    guard.watch(RunDir(tmp_path / "nowhere"))


def test_a_guard_that_cannot_start_daemons_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rundir = RunDir(tmp_path)
    attempts = []

    def refuse(_rundir: RunDir) -> None:
        attempts.append(now_s())
        if len(attempts) == 2:
            state_file.end(rundir)
        raise DaemonError("no daemon today")

    monkeypatch.setattr(guard, "start_daemon", refuse)
    monkeypatch.setattr(guard, "LOOK_S", 0.01)
    state_file.begin(rundir, Intent(namespaces=(), deadline_s=now_s() - 1))
    guard.watch(rundir)
    assert len(attempts) == 2
    assert caplog.text.count("no daemon today") == 2


@pytest.mark.netns
class TestOnTheKernel:
    def test_what_is_confirmed_stays(self, world: World) -> None:
        world.start()
        world.apply()
        assert world.ask("apply", **TWO_LINKS)["token"] is None
        token = world.ask("apply", **OTHER, confirm_s=LONG_S)["token"]
        assert 0 < world.ask("status")["applied"]["pending"]["remaining_s"] <= LONG_S
        assert len(guards()) == 1
        with pytest.raises(UsageError, match="not the token"):
            world.ask("confirm", token=token + "0")
        assert world.ask("status")["applied"]["pending"] is not None
        assert world.ask("confirm", token=token) == {}
        assert world.ask("status")["applied"]["pending"] is None
        with pytest.raises(UsageError, match="no configuration waits to be confirmed"):
            world.ask("confirm", token=token)
        assert address(world) == "10.10.0.9/24"
        wait_for(lambda: not guards(), "the guard ends")

    def test_what_nobody_confirms_is_taken_back(self, world: World) -> None:
        world.start()
        world.apply()
        before = world.datapaths()
        world.ask("add-child", link="geth0", child="child1")
        world.ask("apply", **OTHER, confirm_s=1, reset_overlay=True)
        wait_for(lambda: world.ask("status")["applied"]["cause"] == "revert", "it is taken back")
        shown = world.ask("show")
        assert shown["config"]["links"][0]["addresses"][0] == "10.10.0.1/24"
        assert shown["overlay"] == [{"verb": "add-child", "args": {"link": "geth0", "child": "child1"}}]
        assert world.ask("diff")["operations"] == []
        assert world.datapaths() == before
        assert world.ask("status")["applied"]["applied_by"] == "gpiomuxd"
        assert [it["cause"] for it in world.ask("history")["records"]] == ["revert", "apply", "apply"]

    def test_the_first_of_all_is_taken_back_wholly(self, world: World) -> None:
        world.start()
        world.apply(confirm_s=1)
        wait_for(lambda: not world.rundir.root.exists(), "all is gone, and the daemon has nothing left to do")
        assert namespaces.network_names() == set()
        assert namespaces.interfaces() == {"lo"}

    def test_a_client_killed_while_it_waits_changes_nothing_of_that(self, world: World) -> None:
        """It dies before anything is done, the daemon finishes what it was asked for, and nobody has the token."""
        world.start()
        world.apply()
        command = [sys.executable, "-c", "from gpiomux.cli.main import main; main()", "apply", "--confirm", "2", "-"]
        environment = {**os.environ, "GPIOMUX_RUN_DIR": str(world.rundir.root)}
        datapath = world.datapaths()["geth0"]
        assert datapath is not None
        with frozen(datapath):  # so that the daemon, which asks it first, is still about it
            client = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert client.stdin is not None
            assert client.stdout is not None
            with client.stdin, client.stdout:
                client.stdin.write(OTHER["text"].encode())
                client.stdin.close()
                log = world.rundir.log
                wait_for(lambda: log.read_text().count("asked to apply") == 2, "the daemon has been asked")
                client.kill()
                assert client.stdout.read() == b""
                assert client.wait() == -signal.SIGKILL
        wait_for(lambda: world.ask("status")["applied"]["pending"], "it is applied all the same")
        assert address(world) == "10.10.0.9/24"
        wait_for(lambda: world.ask("status")["applied"]["cause"] == "revert", "it is taken back")
        assert address(world) == "10.10.0.1/24"
        assert world.ask("diff")["operations"] == []

    def test_a_killed_daemon_is_followed_by_one_that_takes_it_back(self, world: World) -> None:
        world.start()
        world.apply()
        world.ask("apply", **OTHER, confirm_s=2)
        send_and_wait(world.daemon(), signal.SIGKILL)
        wait_for(lambda: state_file.load(world.rundir).cause == "revert", "the guard's daemon takes it back")
        assert address(world) == "10.10.0.1/24"
        assert world.ask("diff")["operations"] == []

    def test_a_daemon_killed_while_it_applies_is_followed_by_one_that_undoes_it(self, world: World) -> None:
        """Nothing is recorded yet but the intent: half of the old state is gone, half of the new one is there."""
        world.start()
        world.apply()
        send_and_wait(world.daemon(), signal.SIGKILL)
        state_file.begin(world.rundir, Intent(namespaces=("far",), deadline_s=now_s()))
        with Rtnl(None) as rtnl:
            rtnl.remove_address("geth0", "10.10.0.1/24")
            rtnl.add_address("geth0", "10.10.0.9/24")
        guard.start(world.rundir)
        wait_for(lambda: state_file.begun(world.rundir) is None, "the guard's daemon undoes it")
        assert world.ask("diff")["operations"] == []
        with Rtnl(None) as rtnl:
            assert {it.address for it in rtnl.addresses() if it.ours} == {"10.10.0.1/24", "fd00:10::1/64"}

    def test_a_new_daemon_past_the_deadline_takes_it_back_first(self, world: World) -> None:
        world.start()
        world.apply()
        world.ask("apply", **OTHER, confirm_s=LONG_S)
        send_and_wait(world.daemon(), signal.SIGKILL)
        record = state_file.load(world.rundir)
        assert record.pending is not None
        overdue = Pending(token=record.pending.token, deadline_s=now_s() - 1)
        state_file.save(world.rundir, replace(record, pending=overdue))
        wait_for(lambda: state_file.load(world.rundir).cause == "revert", "it is taken back")
        assert address(world) == "10.10.0.1/24"

    def test_meanwhile_nothing_else_is_changed(self, world: World) -> None:
        world.start()
        world.apply()
        world.ask("apply", **OTHER, confirm_s=LONG_S)
        for verb, args in (
            ("apply", TWO_LINKS),
            ("plan", TWO_LINKS),
            ("add-child", {"link": "geth0", "child": "child1"}),
            ("down", {"links": ["geth0"]}),
            ("down", {"links": []}),
        ):
            with pytest.raises(ConflictError, match="waits to be confirmed") as caught:
                world.ask(verb, **args)
            assert "gpiomux confirm" in caught.value.hint
        assert world.ask("restart", link="geth0")["operations"]
        assert world.ask("rollback")["operations"]
        assert address(world) == "10.10.0.1/24"
        assert world.ask("status")["applied"]["pending"] is None

    @pytest.mark.parametrize("confirm_s", [-1, 24 * 60 * 60 + 1])
    def test_times_that_make_no_sense(self, confirm_s: int, world: World) -> None:
        world.start()
        with pytest.raises(UsageError, match="is no time to confirm within"):
            world.apply(confirm_s=confirm_s)

    def test_a_change_that_fails_needs_no_confirmation(self, world: World) -> None:
        world.start()
        world.apply()
        draft = world.rundir.state.with_suffix(".new")
        draft.mkdir()
        with pytest.raises(OSError, match="what was done before is undone"):
            world.ask("apply", **OTHER, confirm_s=LONG_S)
        draft.rmdir()
        applied = world.ask("status")["applied"]
        assert (applied["pending"], applied["half_done"]) == (None, False)
        wait_for(lambda: not guards(), "the guard ends")
