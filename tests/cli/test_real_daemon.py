"""The verbs against the real daemon and real interfaces: what a user types in a session, and what is left of it."""

from __future__ import annotations

import json
import os
import select
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import ROOT, perform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    assert "  child child1  mark 7\n" in perform("status").out
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
    assert "geth0 counters\n" in perform("stats").out
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
