"""gpiomux.cli.change: the verbs that change, against a daemon that speaks the real protocol."""

from __future__ import annotations

import re
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.cli.edit import parse_mark
from gpiomux.control.messages import Progress
from gpiomux.errors import ConflictError, UsageError
from tests.cli.commands import on_terminal, perform, spawn
from tests.cli.fake_daemon import plan

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.rundir import RunDir
    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon

DONE = plan("+ child child1 of geth0", "- mark 7", "~ mtu 1500 -> 1400")
NOTHING = plan()


@pytest.mark.parametrize(
    ("words", "verb", "args"),
    [
        (["add-child", "geth0", "child1"], "add-child", {"link": "geth0", "child": "child1"}),
        (["add_child", "geth0", "my_child"], "add-child", {"link": "geth0", "child": "my_child"}),
        (["del-child", "child1"], "del-child", {"child": "child1"}),
        (["del_child", "child1"], "del-child", {"child": "child1"}),
        (["add-mark", "child1", "7"], "add-mark", {"child": "child1", "mark": 7}),
        (["add_mark", "child1", "0xFFFFFFFF"], "add-mark", {"child": "child1", "mark": 0xFFFFFFFF}),
        (["del-mark", "child1", "0x10"], "del-mark", {"child": "child1", "mark": 16}),
        (["del_mark", "child1", "10"], "del-mark", {"child": "child1", "mark": 10}),
        (["set-pmtu", "geth0", "0x7", "1280"], "set-pmtu", {"link": "geth0", "mark": 7, "bytes": 1280}),
        (["del_pmtu", "geth0", "7"], "del-pmtu", {"link": "geth0", "mark": 7}),
        (
            ["set-poll", "geth0", "busy"],
            "set-poll",
            {"link": "geth0", "mode": "busy", "idle_us": 0, "budget": 0},
        ),
        (
            ["set-poll", "geth0", "auto", "--budget", "64", "--idle", "500"],
            "set-poll",
            {"link": "geth0", "mode": "auto", "idle_us": 500, "budget": 64},
        ),
        (["restart", "geth0"], "restart", {"link": "geth0"}),
        (["rollback"], "rollback", {"steps": 1}),
        (["rollback", "3"], "rollback", {"steps": 3}),
        (["down", "--all"], "down", {"links": [], "all": True}),
        (["down"], "down", {"links": [], "all": False}),
        (["down", "geth0", "geth1"], "down", {"links": ["geth0", "geth1"], "all": False}),
    ],
)
def test_a_verb_asks_the_daemon_and_prints_what_was_done(
    run: Run, daemon: FakeDaemon, words: list[str], verb: str, args: dict[str, Any]
) -> None:
    daemon.answers[verb] = DONE
    daemon.steps = [Progress(0, 1, "+ child child1 of geth0")]
    assert run(*words) == (0, "+ child child1 of geth0\n- mark 7\n~ mtu 1500 -> 1400\n", "")
    assert [(request.verb, request.args) for request in daemon.requests] == [(verb, args)]


def test_apply_sends_the_text_and_lets_the_daemon_check_it(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    path = tmp_path / "links.yaml"
    path.write_text("nonsense")
    daemon.answers["apply"] = NOTHING
    assert run("apply", str(path)) == (0, "nothing to do\n", "")
    said = {"text": "nonsense", "file": str(path), "path": str(path)}
    assert daemon.requests[0].args == {**said, "confirm_s": 0, "reset_overlay": False}


def test_apply_reads_standard_input(daemon: FakeDaemon) -> None:
    daemon.answers["apply"] = NOTHING
    assert perform("apply", "-", "--reset-overlay", stdin="links: []\n") == (0, "nothing to do\n", "")
    said = {"text": "links: []\n", "file": "<stdin>", "path": ""}
    assert daemon.requests[0].args == {**said, "confirm_s": 0, "reset_overlay": True}


def test_apply_with_confirm_prints_the_token_and_nothing_else(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    path = tmp_path / "links.yaml"
    path.write_text("links: []\n")
    daemon.answers["apply"] = {**DONE, "token": "0badcafe"}
    status, out, err = run("apply", "--confirm", "60", str(path))
    assert (status, out) == (0, "0badcafe\n")
    assert err.startswith("+ child child1 of geth0\n- mark 7\n")
    assert err.endswith("gpiomux: taken back in 60 s, unless 'gpiomux confirm' comes before\n")
    assert daemon.requests[0].args["confirm_s"] == 60


@pytest.mark.parametrize("seconds", ["0", "-1", "86401", "x", ""])
def test_a_time_to_confirm_within_makes_sense(run: Run, daemon: FakeDaemon, seconds: str) -> None:
    assert run("apply", "--confirm", seconds, "/dev/null").status == 2
    assert daemon.requests == []


def test_a_pipe_has_no_path_to_write_to(daemon: FakeDaemon) -> None:
    daemon.answers["apply"] = NOTHING
    assert perform("apply", "/dev/stdin", stdin="links: []\n").status == 0
    assert (daemon.requests[0].args["file"], daemon.requests[0].args["path"]) == ("/dev/stdin", "")


def test_a_bad_file_starts_no_daemon(run: Run, rundir: RunDir, tmp_path: Path) -> None:
    path = tmp_path / "links.yaml"
    path.write_text("linkz: []\n")
    status, out, err = run("apply", str(path))
    assert (status, out) == (2, "")
    assert f"{path}:1:1: linkz: " in err
    assert not rundir.root.exists()


def test_an_error_of_the_daemon_has_its_status_and_hint(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["down"] = ConflictError("geth0: exists and is not ours", hint="rename it")
    assert run("down") == (1, "", "gpiomux: geth0: exists and is not ours\n  hint: rename it\n")


def test_a_daemon_that_goes_away_is_status_3(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["down"] = None
    status, out, err = run("down")
    assert (status, out) == (3, "")
    assert err.startswith("gpiomux: gpiomuxd went away")


def test_a_note_goes_to_standard_error(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["down"] = plan("- child child1", notes=["far stays: it is in use"])
    assert run("down") == (0, "- child child1\n", "gpiomux: note: far stays: it is in use\n")


def test_on_a_terminal_signs_are_coloured(daemon: FakeDaemon) -> None:
    daemon.answers["down"] = DONE
    status, shown = on_terminal("down")
    assert status == 0
    assert "\x1b[32m+\x1b[0m child child1 of geth0\n" in shown
    assert "\x1b[31m-\x1b[0m mark 7\n" in shown
    assert "\x1b[33m~\x1b[0m mtu 1500 -> 1400\n" in shown


def test_on_a_terminal_progress_is_shown_and_taken_away(daemon: FakeDaemon) -> None:
    daemon.answers["down"] = DONE
    daemon.steps = [Progress(0, 2, "+ [bold]first"), Progress(1, 2, "- second")]
    _, shown = on_terminal("down")
    drawn, erased, result = shown.rpartition("\x1b[2K")
    assert "1/2 - second" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert erased
    assert "child child1 of geth0" in result


def test_an_empty_plan_is_said(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["down"] = NOTHING
    assert on_terminal("down") == (0, "nothing to do\n")
    assert run("down") == (0, "nothing to do\n", "")


@pytest.mark.parametrize(("words", "token"), [(["confirm"], ""), (["confirm", "0badcafe"], "0badcafe")])
def test_confirm_says_what_it_did(run: Run, daemon: FakeDaemon, words: list[str], token: str) -> None:
    daemon.answers["confirm"] = {}
    assert run(*words) == (0, "confirmed\n", "")
    assert daemon.requests[0].args == {"token": token}


def test_an_interrupt_says_that_the_daemon_goes_on(rundir: RunDir, daemon: FakeDaemon) -> None:
    asked, answered = threading.Event(), threading.Event()

    class Slow(dict[str, Any]):
        """Is looked up when the request has come, and holds the answer back."""

        def __getitem__(self, verb: str) -> Any:
            asked.set()
            answered.wait(60)
            return NOTHING

    daemon.answers = Slow()
    process = spawn("down")
    try:
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    finally:
        answered.set()
        process.kill()
        process.wait()
    assert (process.returncode, out) == (130, "")
    assert err == "gpiomux: interrupted, but gpiomuxd goes on with it; 'gpiomux status' shows how it ends\n"


@pytest.mark.parametrize(
    "text", ["0", "-1", "4294967296", "0x", "0x100000000", "", "seven", "1_0", "7.0", "\u0667", "0x0x7"]
)
def test_what_is_no_mark_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_mark(text)
    assert repr(text) in caught.value.message
    assert "4294967295" in caught.value.hint


@pytest.mark.parametrize(("text", "mark"), [("1", 1), ("010", 10), ("0X1f", 31), ("4294967295", 2**32 - 1)])
def test_marks_are_decimal_or_hexadecimal(text: str, mark: int) -> None:
    assert parse_mark(text) == mark


def test_a_mark_out_of_range_never_reaches_the_daemon(run: Run, daemon: FakeDaemon) -> None:
    assert run("add-mark", "child1", "0").status == 2
    assert daemon.requests == []


def test_a_socket_that_cannot_be_reached_is_told_apart_from_no_daemon(run: Run, rundir: RunDir) -> None:
    rundir.root.write_text("no directory")
    status, out, err = run("down")
    assert (status, out) == (3, "")
    assert err.startswith(f"gpiomux: cannot reach gpiomuxd at {rundir.control_socket}: Not a directory\n  hint: ")
