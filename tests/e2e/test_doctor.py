"""`gpiomux doctor` beside links that run: the daemon looks, and where there is none, the command itself does."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.host import links_file

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns


def examined(host: Host, *words: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What is found in each line."""
    answer = host.ask("doctor", *words, "--json")
    found = {(it["about"], it["subject"]): it for it in json.loads(answer.output)["findings"]}
    wrong = {key: it["cause"] for key, it in found.items() if it["state"] not in ("ok", "not needed")}
    # An ordinary user in a namespace of its own may not use BPF; that is all that such a machine lacks.
    assert set(wrong) <= {("machine", "bpf")}, wrong
    assert answer.exit_status == bool(wrong)
    return found


def test_who_looks_before_beside_and_after_a_daemon(host: Host) -> None:
    path = host.file(links_file())
    before = examined(host, path)
    assert before["machine", "gpiomuxd"]["state"] == "not needed"
    assert before["geth1", "netns"]["cause"] == "far will be made"
    host.apply(links_file())
    beside = examined(host, path)
    pid = host.status()["daemon"]["pid"]
    assert f"process {pid}, " in beside["machine", "gpiomuxd"]["cause"]
    assert beside["machine", "record"]["cause"] == "2 links applied"
    assert beside["geth1", "netns"]["cause"] == "far is there"
    os.kill(pid, signal.SIGKILL)
    host.wait_for(lambda: host.status()["daemon"] is None, "the end of the daemon")
    after = examined(host, path)
    assert after["machine", "gpiomuxd"]["state"] == "not needed"
    assert after["machine", "record"]["cause"] == "2 links applied"


def test_a_link_that_runs_keeps_its_wire(host: Host) -> None:
    host.apply(links_file())
    answer = host.ask("doctor", host.file(links_file()), "--wiring", "geth0")
    assert (answer.exit_status, answer.output) == (1, "")
    assert "link geth0 runs: its lines are in use\n  hint: gpiomux down geth0" in answer.errors
    host.gpiomux("down")
    text = host.gpiomux("doctor", host.file(links_file()), "--wiring", "geth0")
    assert text.count("  ok  hears ") == 20
