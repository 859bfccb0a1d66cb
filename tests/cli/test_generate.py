"""gpiomux.cli.generate, against a daemon that speaks the real protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.errors import MachineError
from tests.cli.commands import on_terminal

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon


def turn(packets: int, refused: int = 0) -> dict[str, Any]:
    """What one turn of the daemon has sent."""
    return {"packets": packets, "bytes": 64 * packets, "refused": refused, "first_s": 100.0, "last_s": 102.0}


def test_turn_after_turn_until_all_are_sent(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["generate"] = turn(2)
    status, out, err = run("generate", "raw", "geth0", "--count", "5", "--rate", "1000")
    assert (status, err) == (0, "")
    assert out == "geth0: 6 packets sent, 384 bytes, 2.5 packets/s\n"
    first, second, third = (dict(request.args) for request in daemon.requests)
    assert 0 <= first.pop("late_us") <= 1_000_000
    assert first == {
        "interface": "geth0",
        "kind": "raw",
        "size": 0,
        "mark": 0,
        "to": "",
        "source": "",
        "rate_pps": 1000,
        "first": 0,
        "count": 5,
    }
    assert [(each["first"], each["count"]) for each in (second, third)] == [(2, 3), (4, 1)]


def test_all_that_can_be_said(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["generate"] = turn(1)
    words = "--size 100 --mark 0xf000 --to 10.0.0.2 --source 10.0.0.1 --count 1 --json"
    status, out, _ = run("generate", "udp", "child1", *words.split())
    (request,) = daemon.requests
    wanted = {"interface": "child1", "kind": "udp", "size": 100, "mark": 0xF000, "to": "10.0.0.2", "source": "10.0.0.1"}
    assert {name: request.args[name] for name in wanted} == wanted
    assert status == 0
    assert json.loads(out) == {
        "interface": "child1",
        "kind": "udp",
        "sent": 1,
        "bytes": 64,
        "refused": 0,
        "time_s": 2.0,
        "rate_pps": 0.0,
    }


def test_packets_that_are_refused_are_said(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["generate"] = turn(0, refused=3)
    status, out, _ = run("generate", "raw", "geth0", "--count", "3")
    assert status == 1
    assert out == "geth0: 0 packets sent, 0 bytes, 0.0 packets/s, 3 refused (the queue of the interface was full)\n"


def test_an_interrupt_ends_it_with_what_was_sent(daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    daemon.answers["generate"] = turn(2)
    monkeypatch.setattr("gpiomux.cli.generate.time.sleep", interrupt)
    status, out, _ = run("generate", "raw", "geth0", "--rate", "1")
    assert (status, out) == (0, "geth0: 2 packets sent, 128 bytes, 0.5 packets/s\n")


def test_what_ends_it_early_does_not_hide_what_was_sent(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_carrier(_seconds: float) -> None:
        daemon.answers["generate"] = MachineError("cannot send through geth0: it has no carrier", errno=67)

    daemon.answers["generate"] = turn(2)
    monkeypatch.setattr("gpiomux.cli.generate.time.sleep", lose_carrier)
    status, out, err = run("generate", "raw", "geth0", "--rate", "1000")
    assert (status, out[:22]) == (1, "geth0: 2 packets sent,")
    assert err.startswith("gpiomux: cannot send through geth0: it has no carrier\n")


def test_a_bar_on_a_terminal(daemon: FakeDaemon) -> None:
    daemon.answers["generate"] = turn(2)
    status, shown = on_terminal("generate", "raw", "geth0", "--count", "4", "--rate", "1000")
    assert status == 0
    assert "[" + 15 * "#" + 15 * "." + "] 2/4 0 packets/s" in shown
    assert "geth0: 4 packets sent" in shown


@pytest.mark.parametrize("mark", ["0", "x", "-1", "4294967296"])
def test_what_is_no_mark(daemon: FakeDaemon, run: Run, mark: str) -> None:
    status, out, _ = run("generate", "raw", "geth0", "--mark", mark)
    assert (status, out, daemon.requests) == (2, "", [])
