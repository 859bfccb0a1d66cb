"""The verbs against the real daemon and real interfaces: what a user types in a session, and what is left of it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import ROOT, perform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.rundir import RunDir

pytestmark = pytest.mark.netns

TWO_LINKS = str(ROOT / "configs" / "two-links.yaml")
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def taken_down(rundir: RunDir, network: None) -> Iterator[None]:
    """Leave nothing, also when a test stops half-way."""
    yield
    perform("down")


def apply() -> None:
    status, _, err = perform("apply", TWO_LINKS)
    assert (status, err) == (0, "")


def left_in(rundir: RunDir) -> list[str]:
    return [str(path) for path in (rundir.root, *rundir.root.rglob("*")) if path.exists()]


def end(pid: int, number: signal.Signals) -> None:
    """Signal a process and wait for its end; it stays a zombie until the test is over, so its pid is not enough."""
    pidfd = os.pidfd_open(pid)
    try:
        os.kill(pid, number)
        assert select.select([pidfd], [], [], PATIENCE_S)[0], f"process {pid} did not end"
    finally:
        os.close(pidfd)


def test_without_links_nothing_is_started_and_nothing_left(rundir: RunDir) -> None:
    assert perform("status") == (0, "no links are running\n", "")
    assert perform("stats") == (0, "no links are running\n", "")
    assert perform("show") == (0, "# no links are running\nlinks: []\n", "")
    assert perform("down") == (0, "no links are running\n", "")
    assert perform("add-child", "geth0", "child1") == (
        3,
        "",
        "gpiomux: add-child: gpiomuxd is not running, and there are no links\n"
        "  hint: start links with 'gpiomux apply FILE' first\n",
    )
    assert perform("plan", TWO_LINKS).status == 2
    assert left_in(rundir) == []


def test_apply_performs_what_plan_has_printed_and_down_leaves_nothing(rundir: RunDir) -> None:
    planned = perform("plan", TWO_LINKS)
    assert planned.status == 2
    assert perform("apply", TWO_LINKS) == (0, planned.out, "")
    assert perform("apply", TWO_LINKS) == (0, "nothing to do\n", "")
    assert perform("plan", TWO_LINKS) == (0, "nothing to do\n", "")
    status, out, _ = perform("down")
    assert status == 0
    assert sorted(line[1:] for line in out.splitlines()) == sorted(line[1:] for line in planned.out.splitlines())
    assert left_in(rundir) == []


def test_show_is_what_runs_with_what_was_added(tmp_path: Path) -> None:
    apply()
    assert perform("add_child", "geth0", "child1").status == 0
    assert perform("add-mark", "child1", "0x7").status == 0
    shown = perform("show")
    assert "- name: child1\n        marks: [7]\n" in shown.out
    assert perform("plan", "-", stdin=shown.out) == (0, "nothing to do\n", "")
    status = json.loads(perform("status", "--json").out)
    assert [child["name"] for child in status["links"][0]["children"]] == ["child1"]
    assert "  child child1  mark 7, up\n" in perform("status").out
    assert {"geth0", "child1"} == set(json.loads(perform("stats", "--json").out)["links"][0]["interfaces"])


def test_what_the_daemon_refuses_is_said_with_its_status() -> None:
    apply()
    for words in (("add-child", "geth7", "child1"), ("del-child", "geth0"), ("add-mark", "child1", "7"), ("down", "x")):
        status, out, err = perform(*words)
        assert (status, out) == (2, "")
        assert err.startswith("gpiomux: ")


def test_links_outlive_the_daemon_and_a_change_starts_it_again() -> None:
    apply()
    before = json.loads(perform("status", "--json").out)
    end(before["daemon"]["pid"], signal.SIGTERM)
    status, out, err = perform("status")
    assert (status, err) == (0, "")
    assert out.startswith("gpiomuxd is not running; the links run without it\n")
    assert perform("stats").out.startswith("geth0\n  counter ")
    assert perform("add-child", "geth0", "child1").status == 0
    after = json.loads(perform("status", "--json").out)
    assert after["daemon"]["pid"] != before["daemon"]["pid"]
    assert [link["datapath"]["pid"] for link in after["links"]] == [link["datapath"]["pid"] for link in before["links"]]


def test_down_finds_links_that_no_daemon_looks_after(rundir: RunDir) -> None:
    apply()
    end(json.loads(perform("status", "--json").out)["daemon"]["pid"], signal.SIGKILL)
    status, out, err = perform("down")
    assert (status, err) == (0, "")
    assert "- network namespace far\n" in out
    assert left_in(rundir) == []


def test_what_is_persisted_is_in_the_file_and_what_is_not_is_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "links.yaml"
    file.write_text(Path(TWO_LINKS).read_text())
    assert perform("apply", str(file)).status == 0
    assert perform("add-child", "--persist", "geth0", "child1").out.endswith(f"~ file {file}\n")
    assert perform("plan", str(file)) == (0, "nothing to do\n", "")
    assert perform("add-mark", "child1", "7").status == 0
    status, out, err = perform("apply", str(file))
    assert (status, out) == (1, "")
    assert "add-mark child1 7" in err
    assert "changed since: add-mark child1 7\n" in perform("status").out
    assert perform("add-mark", "--persist", "child1", "7") == (0, f"~ file {file}\n", "")
    assert perform("apply", str(file)) == (0, "nothing to do\n", "")
    assert perform("add-mark", "child1", "8").status == 0
    assert perform("apply", "--reset-overlay", str(file)) == (0, "- mark 8 to child1 of geth0\n", "")
    added = "    children:\n      - name: child1\n        marks: [7]\n"
    assert file.read_text().replace(added, "") == Path(TWO_LINKS).read_text()


def test_what_is_not_confirmed_can_be_taken_back_by_hand() -> None:
    apply()
    before = perform("show").out
    status, token, err = perform("apply", "--confirm", "600", "-", stdin="links: []\n")
    assert (status, len(token.split())) == (0, 1)
    assert "- interface geth0 (tun), mtu 1500\n" in err
    assert perform("confirm", "00").status == 2
    assert perform("apply", TWO_LINKS).status == 1
    assert perform("rollback").status == 0
    assert perform("show").out == before
    assert perform("confirm", token.strip()).status == 2
    assert len(perform("history").out.splitlines()) == 5


def test_a_confirmed_configuration_stays_and_drift_is_repaired() -> None:
    token = perform("apply", "--confirm", "600", TWO_LINKS).out
    assert perform("confirm", token.strip()) == (0, "confirmed\n", "")
    assert perform("status", "--diff") == (0, "nothing to do\n", "")
    subprocess.run(["ip", "address", "delete", "10.10.0.1/24", "dev", "geth0"], check=True)
    drift = "+ address 10.10.0.1/24 on geth0\n"
    assert perform("status", "--diff") == (2, drift, "")
    assert perform("apply", TWO_LINKS) == (0, drift, "")
    assert perform("status", "--diff").status == 0


def test_restart_gives_a_link_another_process_and_touches_no_other() -> None:
    apply()
    before = json.loads(perform("status", "--json").out)["links"]
    assert perform("restart", "geth0").status == 0
    after = json.loads(perform("status", "--json").out)["links"]
    assert after[0]["datapath"]["pid"] != before[0]["datapath"]["pid"]
    assert after[1]["datapath"]["pid"] == before[1]["datapath"]["pid"]


def test_down_all_needs_no_record(rundir: RunDir) -> None:
    apply()
    end(json.loads(perform("status", "--json").out)["daemon"]["pid"], signal.SIGKILL)
    rundir.state.unlink()
    assert perform("down") == (0, "no links are running\n", "")
    status, out, err = perform("down", "--all")
    assert (status, err) == (0, "")
    assert "- interface geth0 (tun), mtu 1500\n" in out
    assert left_in(rundir) == []
