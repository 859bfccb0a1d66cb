"""gpiomux.cli.stats: counters once, again and again, and reset, against a daemon that speaks the real protocol."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.errors import MachineError
from tests.cli import answers
from tests.cli.commands import on_terminal, spawn

if TYPE_CHECKING:
    from gpiomux.rundir import RunDir
    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon

GETH0: dict[str, Any] = answers.link_stats()
GETH1: dict[str, Any] = {**GETH0, "name": "geth1"}


@pytest.fixture
def counting(daemon: FakeDaemon) -> FakeDaemon:
    daemon.answers["stats"] = {"links": [GETH0, GETH1]}
    daemon.answers["reset-stats"] = GETH0
    return daemon


def test_stats_show_the_tables_of_every_link(run: Run, counting: FakeDaemon) -> None:
    status, out, err = run("stats")
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if line and line[0] != " "] == [
        f"{link}{part}" for link in ("geth0", "geth1") for part in ("", " events", " interfaces", " protocols")
    ]
    assert "  packets       3    4\n" in out


def test_stats_of_one_link(run: Run, counting: FakeDaemon) -> None:
    assert json.loads(run("stats", "geth1", "--json").out) == {"links": [GETH1]}
    assert "geth0" not in run("stats", "geth1").out.replace("  geth0 ", "")


@pytest.mark.parametrize("options", [(), ("--json",), ("--reset",), ("--watch",)])
def test_an_unknown_link_is_an_error_that_names_the_others(
    run: Run, counting: FakeDaemon, options: tuple[str, ...]
) -> None:
    status, out, err = run("stats", "geth7", *options)
    assert (status, out) == (2, "")
    assert err == "gpiomux: there is no link 'geth7'\n  hint: have: geth0, geth1\n"
    assert {request.verb for request in counting.requests} == {"stats"}


@pytest.mark.parametrize("options", [("--watch", "--reset"), ("--interval", "5"), ("--reset", "--interval", "5")])
def test_options_that_do_not_go_together(run: Run, options: tuple[str, ...]) -> None:
    assert run("stats", *options).status == 2


def test_reset_prints_what_each_link_had_counted(run: Run, counting: FakeDaemon) -> None:
    status, out, err = run("stats", "--reset", "--json")
    assert (status, err, json.loads(out)) == (0, "", {"links": [GETH0, GETH0]})
    asked = [request.args["link"] for request in counting.requests if request.verb == "reset-stats"]
    assert asked == ["geth0", "geth1"]
    assert "  packets       3    4\n" in run("stats", "--reset", "geth0").out
    assert counting.requests[-1].args == {"link": "geth0"}


def test_what_was_reset_is_printed_even_if_the_next_link_fails(
    run: Run, counting: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve, reset = counting._answer, []

    def answer(client: Any, request: Any) -> bool:
        if request.verb == "reset-stats":
            reset.append(request)
            if len(reset) == 2:
                counting.answers["reset-stats"] = MachineError("datapath of geth1 is not running", errno=3)
        return serve(client, request)

    monkeypatch.setattr(counting, "_answer", answer)
    status, out, err = run("stats", "--reset", "--json")
    assert (status, json.loads(out)) == (1, {"links": [GETH0]})
    assert err.startswith("gpiomux: datapath of geth1 is not running\n")


def test_a_reset_without_links_needs_links(run: Run, rundir: RunDir) -> None:
    status, _, err = run("stats", "--reset")
    assert status == 3
    assert "there are no links" in err


# Again and again.


def test_a_pipe_gets_one_block_for_each_interval_until_interrupted(counting: FakeDaemon) -> None:
    with spawn("stats", "--watch", "geth0") as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        read = [watching.stdout.readline() for _ in range(22)]
        while "rx/s" not in read[-1]:
            read.append(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        rest = watching.stdout.read()
        assert (watching.wait(), watching.stderr.read()) == (130, "")
    assert read[:2] == ["geth0\n", "  counter      rx   tx\n"]
    assert "\x1b" not in "".join(read) + rest
    assert len(counting.requests) >= 2


def test_programs_get_an_answer_in_each_line(counting: FakeDaemon) -> None:
    with spawn("stats", "--watch", "--json", "--interval", "1") as watching:
        assert watching.stdout is not None
        first, second = (json.loads(watching.stdout.readline()) for _ in range(2))
        watching.stdout.close()
        assert watching.wait() == 141
    assert first == counting.answers["stats"]
    assert second == {**first, "rates": second["rates"]}
    assert second["rates"][0]["counters"]["rx_packets"] == 0


def test_it_ends_when_the_reader_goes_though_there_is_nothing_to_say(counting: FakeDaemon) -> None:
    with spawn("stats", "--watch", "--interval", "3600") as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "geth0\n"
        watching.stdout.close()
        assert watching.wait() == 141


def test_it_ends_with_the_daemon(daemon: FakeDaemon) -> None:
    daemon.answers["stats"] = {"links": [GETH0]}
    with spawn("stats", "--watch") as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert watching.stdout.readline() == "geth0\n"
        daemon.answers["stats"] = None
        assert watching.stdout.read() != ""
        assert watching.wait() == 3
        assert watching.stderr.read().startswith("gpiomux: gpiomuxd went away before it answered\n")


def test_it_ends_with_the_last_link(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["stats"] = {"links": []}
    assert run("stats", "--watch") == (0, "no links are running\n", "")


def test_a_terminal_is_redrawn_in_place(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows how tall the terminal is, and begins anew after the first table."""
    serve, asked = daemon._answer, []

    def answer(client: Any, request: Any) -> bool:
        asked.append(request)
        daemon.answers["stats"] = {"links": [GETH0] if len(asked) < 3 else []}
        return serve(client, request)

    monkeypatch.setattr(daemon, "_answer", answer)
    monkeypatch.setenv("LINES", "10")
    status, shown = on_terminal("stats", "--watch")
    assert status == 0
    assert shown.count("\x1b[9F\x1b[J") == 1
    assert shown.index("rx/s") > shown.index("\x1b[9F\x1b[J")


def test_without_a_daemon_one_process_answers_all(rundir: RunDir) -> None:
    with spawn("stats", "--watch") as watching:
        assert watching.stdout is not None
        assert watching.stdout.read() == "no links are running\n"
        assert watching.wait() == 0
    assert not os.listdir(rundir.root) if rundir.root.exists() else True
