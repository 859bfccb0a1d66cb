"""A daemon that remembers: the overlay, the history, drift, the restart of one link, and the end of lost links."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gpiomux.daemon import state_file
from gpiomux.daemon.state_file import Intent
from gpiomux.errors import ConflictError, DaemonError, UsageError
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.rundir import RunDir
from tests import namespaces
from tests.daemon.world import TWO_LINKS, World, has_ended, send_and_wait, wait_for

pytestmark = pytest.mark.netns


def file_with(address: str) -> dict[str, str]:
    return {"text": TWO_LINKS["text"].replace("10.10.0.1/24", address), "file": address, "path": f"/{address}"}


def texts(answer: dict[str, Any]) -> list[str]:
    return [operation["text"] for operation in answer["operations"]]


def edits(world: World) -> list[str]:
    return [" ".join(map(str, (it["verb"], *it["args"].values()))) for it in world.ask("show")["overlay"]]


def test_edits_are_an_overlay_that_apply_does_not_lose(world: World) -> None:
    world.start()
    world.ask("apply", **TWO_LINKS, path="/links.yaml")
    assert world.ask("add-child", link="geth0", child="child1")["path"] == "/links.yaml"
    world.ask("add-mark", child="child1", mark=7)
    assert edits(world) == ["add-child geth0 child1", "add-mark child1 7"]
    assert world.ask("status")["applied"]["overlay"] == world.ask("show")["overlay"]
    for verb in ("apply", "plan"):
        with pytest.raises(ConflictError, match="add-child geth0 child1; add-mark child1 7"):
            world.ask(verb, **TWO_LINKS)
    assert "child1" in namespaces.interfaces()
    # A new daemon knows it as well.
    send_and_wait(world.daemon(), signal.SIGKILL)
    world.start()
    assert edits(world) == ["add-child geth0 child1", "add-mark child1 7"]
    planned = world.ask("plan", **TWO_LINKS, reset_overlay=True)
    assert world.ask("apply", **TWO_LINKS, reset_overlay=True)["operations"] == planned["operations"] != []
    assert edits(world) == []
    assert "child1" not in namespaces.interfaces()


def test_a_mark_repairs_nothing_else_and_apply_does(world: World) -> None:
    world.start()
    world.ask("apply", **TWO_LINKS)
    world.ask("add-child", link="geth0", child="child1")
    with Rtnl(None) as rtnl:
        rtnl.remove_address("geth0", "10.10.0.1/24")
        assert texts(world.ask("add-mark", child="child1", mark=7)) == ["+ mark 7 to child1 of geth0"]
        assert texts(world.ask("del-mark", child="child1", mark=7)) == ["- mark 7 to child1 of geth0"]
        assert texts(world.ask("diff")) == ["+ address 10.10.0.1/24 on geth0"]
        world.ask("apply", **TWO_LINKS, reset_overlay=True)
        assert "10.10.0.1/24" in {it.address for it in rtnl.addresses()}


def test_a_mark_of_a_child_that_has_gone_brings_it_back(world: World) -> None:
    world.start()
    world.ask("apply", **TWO_LINKS)
    world.ask("add-child", link="geth0", child="child1")
    with Rtnl(None) as rtnl:
        rtnl.delete_link("child1")
    assert "+ child child1 of geth0" in texts(world.ask("add-mark", child="child1", mark=7))
    assert "child1" in namespaces.interfaces()
    assert world.ask("diff")["operations"] == []


def test_what_is_taken_back_by_hand_is_no_overlay(world: World) -> None:
    world.start()
    world.apply()
    world.ask("add-child", link="geth0", child="child1")
    world.ask("add-mark", child="child1", mark=7)
    world.ask("del-child", child="child1")
    assert edits(world) == []
    assert world.apply() == []


def test_what_the_file_says_now_is_no_overlay(world: World) -> None:
    world.start()
    world.apply()
    edit = {"verb": "add-child", "args": {"link": "geth0", "child": "child1"}}
    world.ask("add-child", link="geth0", child="child1")
    world.ask("add-mark", child="child1", mark=7)
    assert world.ask("persisted", edit=edit) == {}
    assert edits(world) == ["add-mark child1 7"]
    with pytest.raises(UsageError, match="the name child1 is taken"):
        world.ask("persisted", edit=edit)


def test_history_and_rollback(world: World) -> None:
    world.start()
    for address in ("10.10.0.3/24", "10.10.0.4/24", "10.10.0.5/24"):
        world.ask("apply", **file_with(address))
    pids = world.datapaths()
    records = world.ask("history")["records"]
    assert [(it["back"], it["file"]) for it in records] == [
        (0, "10.10.0.5/24"),
        (1, "10.10.0.4/24"),
        (2, "10.10.0.3/24"),
    ]
    assert {it["applied_by"] for it in records} == {pwd.getpwuid(os.getuid()).pw_name}
    assert [it["links"] for it in records] == [["geth0", "geth1"]] * 3
    assert records[0]["applied_at_s"] >= records[1]["applied_at_s"] > 1e9
    assert texts(world.ask("rollback", steps=2)) == [
        "- address 10.10.0.5/24 on geth0",
        "+ address 10.10.0.3/24 on geth0",
    ]
    assert world.datapaths() == pids
    assert world.ask("status")["applied"]["file"] == "10.10.0.3/24"
    assert [it["cause"] for it in world.ask("history")["records"]] == ["rollback", "apply", "apply", "apply"]
    # Going back once more leads to what ran before the rollback.
    world.ask("rollback")
    assert world.ask("status")["applied"]["file"] == "10.10.0.5/24"
    with pytest.raises(UsageError, match="there are 4"):
        world.ask("rollback", steps=5)


def test_a_rollback_that_fails_changes_nothing(world: World) -> None:
    world.start()
    world.apply()
    world.ask("down", links=["geth1"])
    # The interface that the rollback wants exists already, in its namespace.
    subprocess.run(["ip", "netns", "add", "far"], check=True)
    subprocess.run(["ip", "-n", "far", "tuntap", "add", "geth1", "mode", "tun"], check=True)
    before = world.ask("show"), world.ask("history"), world.datapaths()
    with pytest.raises(ConflictError, match="interface geth1 in netns far exists and is not ours"):
        world.ask("rollback")
    assert (world.ask("show"), world.ask("history"), world.datapaths()) == before
    subprocess.run(["ip", "netns", "del", "far"], check=True)
    assert world.ask("rollback")["operations"]
    assert list(world.datapaths()) == ["geth0", "geth1"]


def test_drift_is_shown_and_only_that_is_repaired(world: World) -> None:
    world.start()
    world.apply()
    pids = world.datapaths()
    assert world.ask("diff") == {"operations": [], "notes": []}
    with Rtnl(None) as rtnl:
        rtnl.remove_address("geth0", "10.10.0.1/24")
        rtnl.add_address("geth0", "192.0.2.1/24", tagged=False)
    drift = world.ask("diff")
    assert texts(drift) == ["+ address 10.10.0.1/24 on geth0"]
    assert drift["notes"] == ["address 192.0.2.1/24 on geth0 stays: it was not made by gpiomux"]
    assert texts(world.ask("diff")) == ["+ address 10.10.0.1/24 on geth0"]  # looking repairs nothing
    assert [it["text"] for it in world.apply()] == ["+ address 10.10.0.1/24 on geth0"]
    assert world.datapaths() == pids
    assert world.ask("diff")["operations"] == []
    with Rtnl(None) as rtnl:
        assert "192.0.2.1/24" in {it.address for it in rtnl.addresses()}


def test_restart_renews_one_process_and_nothing_else(world: World) -> None:
    world.start()
    world.apply()
    world.ask("add-child", link="geth0", child="child1")
    world.ask("add-mark", child="child1", mark=7)
    before, interfaces = world.datapaths(), indices()
    answer = world.ask("restart", link="geth0")
    assert {operation["kind"] for operation in answer["operations"]} == {"datapath", "child", "mark"}
    after = world.datapaths()
    assert after["geth0"] not in (None, before["geth0"])
    assert after["geth1"] == before["geth1"]
    assert indices() == interfaces
    assert world.ask("diff")["operations"] == []
    assert edits(world) == ["add-child geth0 child1", "add-mark child1 7"]
    for name in ("geth7", "child1"):
        with pytest.raises(UsageError):
            world.ask("restart", link=name)


def indices() -> dict[str, tuple[int, set[str]]]:
    """Interface -> its number, which is new if it is made anew, and its addresses but those of the kernel."""
    with Rtnl(None) as rtnl:
        found: dict[str, set[str]] = {it.name: set() for it in rtnl.links()}
        for it in rtnl.addresses():
            if not it.address.startswith("fe80:"):
                found[it.interface].add(it.address)
    return {name: (socket.if_nametoindex(name), addresses) for name, addresses in found.items()}


@pytest.mark.parametrize("damage", ["remove", "rubbish"])
def test_down_all_finds_what_no_record_knows_of(damage: str, world: World) -> None:
    subprocess.run(["ip", "tuntap", "add", "other0", "mode", "tun"], check=True)
    subprocess.run(["ip", "netns", "add", "other"], check=True)
    world.start()
    world.apply()
    pids = [pid for pid in world.datapaths().values() if pid is not None]
    send_and_wait(world.daemon(), signal.SIGKILL)
    if damage == "remove":
        world.rundir.state.unlink()
    else:
        world.rundir.state.write_text("rubbish")
    world.start()
    if damage == "rubbish":
        for verb in ("status", "show", "diff", "history"):
            with pytest.raises(DaemonError, match="is damaged") as caught:
                world.ask(verb)
            assert "gpiomux down --all" in caught.value.hint
        with pytest.raises(DaemonError, match="is damaged"):
            world.apply()
        with pytest.raises(DaemonError, match="is damaged"):
            world.ask("down", links=[])
    assert world.ask("down", links=[], all=True)["operations"]
    assert all(map(has_ended, pids))
    assert not world.rundir.root.exists()
    assert namespaces.interfaces() == {"lo", "other0"}
    assert namespaces.network_names() == {"other"}
    subprocess.run(["ip", "link", "del", "other0"], check=True)
    subprocess.run(["ip", "netns", "del", "other"], check=True)


def test_a_first_apply_that_was_killed_is_known_to_the_next_daemon(world: World) -> None:
    """All of it was done but for the record: as if the daemon had been killed just before the last step."""
    world.start()
    world.apply()
    pids = [pid for pid in world.datapaths().values() if pid is not None]
    send_and_wait(world.daemon(), signal.SIGKILL)
    world.rundir.state.unlink()
    state_file.begin(world.rundir, Intent(namespaces=("far",)))
    world.start()
    wait_for(lambda: not world.rundir.intent.exists(), "it is undone")
    assert namespaces.interfaces() == {"lo"}
    assert all(map(has_ended, pids))
    assert namespaces.network_names() == set()
    assert world.apply() != []


def test_two_run_directories_leave_each_other_alone(world: World) -> None:
    """In one network namespace; what one has made is foreign to the other, also for `down --all`."""
    world.start()
    world.apply()
    before = world.datapaths(), indices()
    second = World(RunDir(Path("/run/gpiomux-second")))
    second.start()
    with pytest.raises(ConflictError, match="interface geth0 exists and is not ours"):
        second.apply()
    second.start()
    other = {"text": TWO_LINKS["text"].replace("geth", "heth").replace("10.10.0.", "10.10.7."), "file": "other.yaml"}
    second.ask("apply", **other)
    assert world.ask("diff")["operations"] == []
    assert second.ask("diff")["operations"] == []
    # The namespace is the first one's: the second uses it, and leaves it behind.
    second.ask("down", links=[], all=True)
    assert not second.rundir.root.exists()
    assert (world.datapaths(), indices()) == before
    assert world.ask("diff")["operations"] == []


FOREIGN = (
    "ip tuntap add other0 mode tun",
    "ip address add 203.0.113.1/32 dev other0",
    "ip link set other0 up",
    "ip route add 203.0.113.8/32 dev other0",
    "tc qdisc add dev other0 clsact",
    "tc filter add dev other0 egress pref 9 u32 match u32 0 0",
    "ip address add 192.0.2.1/24 dev geth0",
    "ip route add 198.51.100.0/24 dev geth0",
    "tc qdisc replace dev geth0 clsact",
    "tc filter add dev geth0 egress pref 9 u32 match u32 0 0",
)


def foreign(*interfaces: str) -> dict[str, list[str]]:
    """What others have on interfaces: each of FOREIGN makes one line of it appear."""
    asked = ("ip -o -4 address show dev", "ip route show dev", "tc qdisc show dev", "tc filter show egress dev")
    theirs = ("203.0.113.", "192.0.2.", "198.51.100.", "pref 9 ", "clsact")
    found = {}
    for name in interfaces:
        lines = [line for words in asked for line in printed(f"{words} {name}").splitlines()]
        # Whether there is a carrier at this moment is no matter of theirs.
        found[name] = [line.replace(" linkdown", "") for line in lines if any(mark in line for mark in theirs)]
    return found


def printed(command: str) -> str:
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


def test_what_others_made_survives_apply_rollback_and_down(world: World) -> None:
    world.start()
    world.apply()
    for command in FOREIGN:
        subprocess.run(command.split(), check=True)
    before = foreign("geth0", "other0")
    assert [len(lines) >= 4 for lines in before.values()] == [True, True], before
    world.ask("apply", **file_with("10.10.0.9/24"))
    assert foreign("geth0", "other0") == before
    world.ask("add-child", link="geth0", child="child1")
    world.ask("apply", **TWO_LINKS, reset_overlay=True)
    assert foreign("geth0", "other0") == before
    world.ask("rollback")
    world.ask("restart", link="geth0")
    assert foreign("geth0", "other0") == before
    world.ask("down", links=["geth1"])
    assert foreign("geth0", "other0") == before
    world.ask("down", links=[], all=True)
    assert namespaces.interfaces() == {"lo", "other0"}
    assert foreign("other0") == {"other0": before["other0"]}
    subprocess.run(["ip", "link", "del", "other0"], check=True)
