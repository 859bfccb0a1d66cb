"""The daemon as a whole, on a machine of its own: started, asked, killed, taken over, ended."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from gpiomux.apply.datapaths import Datapaths
from gpiomux.control.client import one_shot
from gpiomux.control.messages import Request, encode_request
from gpiomux.daemon import service as service_module
from gpiomux.daemon.notify import Starter
from gpiomux.daemon.service import Service
from gpiomux.errors import ConfigError, ConflictError, DaemonError, GpiomuxError, UsageError
from gpiomux.netdev.rtnl import Rtnl
from tests.daemon.world import TWO_LINKS, World, frozen, has_ended, send_and_wait

pytestmark = pytest.mark.netns


def test_one_life(world: World) -> None:
    world.start()
    steps: list[dict[str, Any]] = []
    with world.client() as client:
        planned = client.ask("plan", TWO_LINKS)["operations"]
        assert client.ask("apply", TWO_LINKS, steps.append)["operations"] == planned
        assert [step["operation"] for step in steps] == [operation["text"] for operation in planned]
        assert client.ask("apply", TWO_LINKS)["operations"] == []
    daemon, datapaths = world.daemon(), world.datapaths()
    assert world.ask("add-child", link="geth0", child="child1")["operations"]
    assert world.ask("add-mark", child="child1", mark=7)["operations"]
    assert world.ask("show")["config"]["links"][0]["children"] == [{"name": "child1", "marks": [7]}]
    assert world.ask("del-mark", child="child1", mark=7)["operations"]
    assert world.ask("del-child", child="child1")["operations"]
    assert world.datapaths() == datapaths
    assert [set(link) for link in world.ask("stats")["links"]] == [
        {"name", "error", "counters", "line", "channel", "interfaces"}
    ] * 2
    reset = world.ask("reset-stats", link="geth0")
    assert reset["name"] == "geth0"
    assert reset["counters"]["carrier_changes"] == 1
    assert world.ask("stats")["links"][0]["counters"]["carrier_changes"] == 0
    with pytest.raises(UsageError, match="no link"):
        world.ask("reset-stats", link="geth7")
    # When `down` returns, nothing is left of it: no process, no file.
    assert world.ask("down", links=[], all=False)["operations"]
    assert has_ended(daemon)
    assert not world.rundir.root.exists()


def test_down_of_one_link_keeps_the_daemon(world: World) -> None:
    world.start()
    world.apply()
    daemon = world.daemon()
    world.ask("down", links=["geth1"])
    assert list(world.datapaths()) == ["geth0"]
    world.ask("down", links=["geth0"])
    assert has_ended(daemon)


def test_errors_change_nothing_and_end_a_daemon_that_has_nothing(world: World) -> None:
    world.start()
    subprocess.run(["ip", "tuntap", "add", "geth0", "mode", "tun"], check=True)
    daemon = world.daemon()
    with pytest.raises(ConflictError, match="interface geth0 exists and is not ours"):
        world.apply()
    assert has_ended(daemon)
    assert not world.rundir.root.exists()
    subprocess.run(["ip", "link", "del", "geth0"], check=True)


def test_errors_are_told_and_the_daemon_with_links_goes_on(world: World) -> None:
    world.start()
    world.apply()
    before = world.ask("show"), world.daemon(), world.datapaths()
    with pytest.raises(ConfigError):
        world.ask("apply", text="links: 7", file="x.yaml")
    with pytest.raises(UsageError):
        world.ask("add-child", link="geth7", child="child1")
    with pytest.raises(UsageError):
        world.ask("down", links=["geth7"])
    assert (world.ask("show"), world.daemon(), world.datapaths()) == before


def test_a_daemon_that_was_killed_is_followed_by_another(world: World) -> None:
    world.start()
    world.apply()
    datapaths = world.datapaths()
    send_and_wait(world.daemon(), signal.SIGKILL)
    with pytest.raises(DaemonError, match="not running"):
        world.client()
    with one_shot(world.rundir) as alone:
        status = alone.ask("status")
        assert status["daemon"] is None
        assert [link["datapath"]["state"] for link in status["links"]] == ["running"] * 2
    # It repairs what its predecessor may have left half-done before it answers the first change.
    with Rtnl(None) as rtnl:
        rtnl.remove_address("geth0", "10.10.0.1/24")
    world.start()
    assert world.apply() == []
    assert world.datapaths() == datapaths
    assert [link["datapath"]["restarts"] for link in world.ask("status")["links"]] == [0, 0]


def test_a_daemon_that_is_told_to_end_leaves_the_links(world: World) -> None:
    world.start()
    world.apply()
    datapaths = world.datapaths()
    send_and_wait(world.daemon(), signal.SIGTERM)
    assert not world.rundir.control_socket.exists()
    assert [name for name in ("geth0", "geth1") if Datapaths(world.rundir).report(name)] == ["geth0", "geth1"]
    world.start()
    assert world.datapaths() == datapaths


def test_a_datapath_that_dies_comes_back(world: World) -> None:
    world.start()
    world.apply()
    before = world.datapaths()
    assert before["geth0"] is not None
    send_and_wait(before["geth0"], signal.SIGKILL)
    while (link := world.ask("status")["links"][0])["datapath"]["restarts"] < 1:
        pass
    assert link["datapath"]["last_exit"] == "killed by SIGKILL"
    after = world.datapaths()
    assert after["geth0"] not in (None, before["geth0"])
    assert after["geth1"] == before["geth1"]
    assert world.apply() == []


def test_a_datapath_that_cannot_come_back_is_told_and_repaired(world: World) -> None:
    world.start()
    world.apply()
    pid = world.datapaths()["geth0"]
    assert pid is not None
    with Rtnl(None) as rtnl:
        rtnl.delete_link("geth0")
    send_and_wait(pid, signal.SIGKILL)
    while (datapath := world.ask("status")["links"][0]["datapath"])["state"] != "failed":
        pass
    assert "interface geth0 does not exist" in datapath["last_exit"]
    world.apply()
    assert world.ask("status")["links"][0]["datapath"]["state"] == "running"


def test_readers_do_not_wait_for_a_slow_change(world: World) -> None:
    """The change is for a datapath that does not answer; everybody else has what they want meanwhile."""
    world.start()
    world.apply()
    pid = world.datapaths()["geth1"]
    assert pid is not None
    outcome: list[object] = []

    def change() -> None:
        try:
            outcome.append(world.ask("add-child", link="geth1", child="child1"))
        except GpiomuxError as err:
            outcome.append(err)

    slow = threading.Thread(target=change)
    with frozen(pid):
        slow.start()
        for _ in range(3):
            assert "children" not in world.ask("show")["config"]["links"][1]
        status = world.ask("status")["links"]
        assert [link["datapath"]["state"] for link in status] == ["running", "failed"]
        assert status[1]["datapath"]["last_exit"] == "datapath of geth1 does not answer"
        assert outcome == []
    slow.join()
    assert isinstance(outcome[0], dict)
    assert world.ask("show")["config"]["links"][1]["children"] == [{"name": "child1"}]


def test_a_client_that_goes_away_stops_nothing(world: World) -> None:
    world.start()
    with socket.socket(socket.AF_UNIX) as hasty:
        hasty.connect(str(world.rundir.control_socket))
        hasty.sendall(encode_request(Request("apply", TWO_LINKS)))
    while len(world.ask("show")["config"]["links"]) < 2:
        pass
    assert world.apply() == []


def test_many_clients_at_once(world: World) -> None:
    """Twenty clients with commands of all kinds: every answer is right, and in the end all is as it was."""
    world.start()
    world.apply()
    datapaths = world.datapaths()
    wrong: list[object] = []

    def work(number: int) -> None:
        child = f"child{number}"
        edits: list[dict[str, Any]] = [
            {"verb": "add-child", "args": {"link": f"geth{number % 2}", "child": child}},
            {"verb": "add-mark", "args": {"child": child, "mark": 100 + number}},
        ]
        try:
            with world.client() as client:
                for edit in edits:
                    client.ask(edit["verb"], edit["args"])
                shown = client.ask("show")
                marks = [
                    each["marks"]
                    for link in shown["config"]["links"]
                    for each in link.get("children", [])
                    if each["name"] == child
                ]
                if marks != [[100 + number]] or not all(edit in shown["overlay"] for edit in edits):
                    wrong.append(shown)
                if len(client.ask("status")["links"]) != 2 or len(client.ask("stats")["links"]) != 2:
                    wrong.append("a link is missing")
                if not client.ask("plan", {**TWO_LINKS, "reset_overlay": True})["operations"]:
                    wrong.append("a plan that keeps the child")
                with pytest.raises(ConflictError, match=child):
                    client.ask("apply", TWO_LINKS)
                if number == 7 and not client.ask("restart", {"link": "geth0"})["operations"]:
                    wrong.append("a restart that does nothing")
                client.ask("del-child", {"child": child})
        except (AssertionError, GpiomuxError) as err:
            wrong.append(err)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert world.apply() == []
    after = world.datapaths()
    assert after["geth0"] not in (None, datapaths["geth0"])
    assert after["geth1"] == datapaths["geth1"]


def test_a_second_daemon_is_refused(world: World) -> None:
    world.start()
    world.apply()
    done = subprocess.run([sys.executable, "-m", "gpiomux.daemon"], text=True, capture_output=True)
    assert done.returncode == 3
    assert "gpiomuxd: another gpiomuxd runs on /run/gpiomux" in done.stderr
    assert "Traceback" not in done.stderr
    # To start one when there is one is no error: somebody else was faster.
    world.start()
    assert world.apply() == []


def test_a_daemon_that_shall_stay_stays_and_cleans_up(world: World) -> None:
    daemon = subprocess.Popen([sys.executable, "-m", "gpiomux.daemon"], stderr=subprocess.PIPE)
    assert daemon.stderr is not None
    with daemon.stderr:
        while b"answering on" not in daemon.stderr.readline():
            pass
        world.apply()
        world.ask("down", links=[])
        assert world.daemon() == daemon.pid
        daemon.send_signal(signal.SIGINT)
        daemon.stderr.read()
    assert daemon.wait() == 0
    assert not world.rundir.root.exists()


def test_what_others_put_into_the_run_directory_stays(world: World) -> None:
    world.start()
    (world.rundir.root / "notes.txt").write_text("mine")
    world.apply()
    world.ask("down", links=[])
    assert [path.name for path in world.rundir.root.iterdir()] == ["notes.txt"]
    (world.rundir.root / "notes.txt").unlink()
    world.rundir.root.rmdir()


def test_a_daemon_that_nobody_asks_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "UNUSED_S", 0.01)
    world.rundir.root.mkdir()

    async def run() -> None:
        await Service(world.rundir, Starter(), exit_when_idle=True).run()

    asyncio.run(run())
    assert not world.rundir.root.exists()


def test_a_state_that_cannot_be_restored_is_told_and_served(world: World) -> None:
    """A foreign interface has taken the place meanwhile: the daemon starts all the same, and says so."""
    world.start()
    world.apply()
    send_and_wait(world.daemon(), signal.SIGKILL)
    with Rtnl(None) as rtnl:
        rtnl.delete_link("geth0")
    subprocess.run(["ip", "tuntap", "add", "geth0", "mode", "tun"], check=True)
    world.start()
    with pytest.raises(ConflictError):
        world.apply()
    assert "cannot restore what was applied: interface geth0 exists and is not ours" in world.rundir.log.read_text()
    subprocess.run(["ip", "link", "del", "geth0"], check=True)
    assert world.apply() != []
    assert world.apply() == []
