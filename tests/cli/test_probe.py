"""gpiomux.cli.probe, against a daemon that speaks the real protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.cli import probe
from gpiomux.errors import MachineError
from tests.cli.commands import on_terminal
from tests.stats.test_probes import answer, reply

if TYPE_CHECKING:
    from gpiomux.control.messages import Request
    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon

ANSWERED = answer(5, reply(5, 2, 10, 1, 520, 0), here=[7, 0, 520, 0])
"""A daemon that always gives number 5: each probe seems to be the first of a datapath that was just started."""


def silent(request: Request) -> dict[str, Any]:
    """A link without a peer."""
    return answer(5 if request.args["size"] else 0, heard=False, hears_us=False, reason="peer silent")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PATIENCE_S", 0.1)


def test_a_line_for_each_reply_and_the_last_words_of_ping(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["probe"] = ANSWERED
    status, out, err = run("probe", "geth0", "--count", "2", "--interval", "10")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[:3] == [
        "64 bytes from the peer of geth0: seq=1 time=2.000 ms",
        "64 bytes from the peer of geth0: seq=2 time=2.000 ms",
        "--- geth0 probe statistics ---",
    ]
    assert lines[3].startswith("2 probes transmitted, 2 received, 0% loss, time ")
    assert lines[4] == "rtt min/avg/max/mdev = 2.000/2.000/2.000/0.000 ms"
    assert [request.args for request in daemon.requests] == [
        {"link": "geth0", "size": 64, "after": 0},
        {"link": "geth0", "size": 64, "after": 5},
    ]


def test_without_a_reply_it_says_why_and_fails(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["probe"] = silent
    status, out, err = run("probe", "geth0", "--count", "1", "--size", "16")
    assert status == 1
    assert "1 probes transmitted, 0 received, 100% loss" in out
    assert err == "gpiomux: note: there is no peer: peer silent\n"
    assert daemon.requests[0].args["size"] == 16
    assert daemon.requests[-1].args == {"link": "geth0", "size": 0, "after": 4}


def test_json(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["probe"] = ANSWERED
    status, out, err = run("probe", "geth0", "--count", "2", "--interval", "10", "--json")
    told = json.loads(out)
    assert (status, err) == (0, "")
    assert (told["transmitted"], told["received"], told["loss_percent"]) == (2, 2, 0.0)
    assert told["round_trip_ms"] == {"min": 2.0, "avg": 2.0, "max": 2.0, "mdev": 0.0}
    assert told["probes"] == [{"seq": 1, "time_ms": 2.0}, {"seq": 2, "time_ms": 2.0}]


def test_an_interrupt_ends_it_with_the_last_words(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    daemon.answers["probe"] = ANSWERED
    monkeypatch.setattr("gpiomux.cli.probe.time.sleep", interrupt)
    status, out, _ = run("probe", "geth0")
    assert status == 0
    assert "1 probes transmitted, 1 received" in out


def test_on_a_terminal_there_is_a_bar_and_no_lines(daemon: FakeDaemon) -> None:
    daemon.answers["probe"] = ANSWERED
    status, shown = on_terminal("probe", "geth0", "--count", "2", "--interval", "10")
    assert status == 0
    assert "[" + 15 * "#" + 15 * "." + "] 1/2 1 answered" in shown
    assert "[" + 30 * "#" + "] 2/2 2 answered" in shown
    assert "64 bytes from" not in shown
    assert "2 probes transmitted" in shown


def test_what_the_daemon_refuses(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["probe"] = MachineError("datapath of geth0 is not running", errno=3, hint="restart it")
    assert run("probe", "geth0") == (1, "", "gpiomux: datapath of geth0 is not running\n  hint: restart it\n")


def test_what_ends_it_early_does_not_hide_what_is_known(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_seconds: float) -> None:
        daemon.answers["probe"] = MachineError("datapath of geth0 is not running", errno=3, hint="restart it")

    daemon.answers["probe"] = silent
    monkeypatch.setattr("gpiomux.cli.probe.time.sleep", stop)
    status, out, err = run("probe", "geth0")
    assert status == 1
    assert "1 probes transmitted, 0 received" in out
    assert err.endswith("gpiomux: datapath of geth0 is not running\n  hint: restart it\n")
