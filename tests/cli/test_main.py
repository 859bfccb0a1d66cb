"""gpiomux.cli.main: every way in which a command can end, its message and its exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gpiomux import errors
from gpiomux.cli import main as program
from gpiomux.version import VERSION
from tests.cli import answers
from tests.cli.commands import COMMAND, ROOT, perform, spawn
from tests.cli.fake_daemon import plan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon


@pytest.mark.parametrize("words", [["--version"], ["--version", "status"]])
def test_version_is_printed(run: Run, words: list[str]) -> None:
    assert run(*words) == (0, f"gpiomux {VERSION}\n", "")


SLOW = {
    "argparse",
    "asyncio",
    "dataclasses",
    "inspect",
    "jsonschema",
    "pathlib",
    "rich",
    "subprocess",
    "typer",
    "typing",
}
"""What a short command can do without, each a third of Python's own start or more; yaml and the like besides."""


def imported(*words: str) -> set[str]:
    """What a command line imports."""
    code = "import sys; from gpiomux.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-S", "-c", code, *words], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_version_needs_next_to_nothing() -> None:
    assert not imported("--version") & (SLOW | {"json", "re", "socket"})


@pytest.mark.parametrize("words", ["status", "status --json", "stats", "show --json", "add-mark child1 7", "down"])
def test_a_short_command_imports_nothing_slow(daemon: FakeDaemon, words: str) -> None:
    daemon.answers |= {"status": answers.status(answers.link_status()), "stats": {"links": [answers.link_stats()]}}
    daemon.answers |= {"show": {"config": {"links": []}}, "add-mark": plan("+ mark 7"), "down": plan()}
    assert not imported(*words.split()) & (SLOW | {"yaml", "pyroute2", "gpiod"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add_chlid"], "No such command 'add_chlid'. Did you mean 'add-child'?"),
        (["statsu"], "Did you mean 'stats', 'status', 'restart'?"),
        (["wrong"], "No such command 'wrong'."),
        (["status", "--jsn"], "--json"),
        (["status", "geth0", "geth1"], "unexpected extra argument"),
        (["add-mark", "child1"], "Missing argument 'MARK'."),
        (["add-mark", "child1", "-5"], "No such option: -5"),
        ([], "Usage: gpiomux"),
    ],
)
def test_a_wrong_command_line_is_status_2(run: Run, words: list[str], said: str) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert said in err


def test_help_is_no_error(run: Run) -> None:
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert "add-child" in out
    assert "..." not in out.split("Commands:")[1], "a line of the help was cut"
    assert run("plan", "-h").status == 0


@pytest.mark.parametrize("verb", ["validate", "apply"])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(run: Run, tmp_path: Path, verb: str) -> None:
    hint = "  hint: name a readable configuration file, or -\n"
    missing = str(tmp_path / "missing")
    assert run(verb, missing) == (2, "", f"gpiomux: {missing}: No such file or directory\n{hint}")
    assert run(verb, str(tmp_path)) == (2, "", f"gpiomux: {tmp_path}: Is a directory\n{hint}")


def test_a_file_without_end_is_refused(run: Run) -> None:
    status, _, err = run("validate", "/dev/zero")
    assert status == 2
    assert "the file is too large" in err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UsageError("geth7: no such link"), 2),
        (errors.UnsupportedError("geth7: no such link"), 1),
        (errors.MachineError("geth7: no such link", errno=32), 1),
        (errors.ConflictError("geth7: no such link"), 1),
        (errors.DaemonError("geth7: no such link"), 3),
        (errors.ProtocolError("geth7: no such link"), 1),
    ],
)
def test_each_error_has_its_status(run: Run, daemon: FakeDaemon, error: errors.GpiomuxError, status: int) -> None:
    daemon.answers["status"] = error
    hint = f"  hint: {error.hint}\n" if error.hint else ""
    assert run("status") == (status, "", f"gpiomux: geth7: no such link\n{hint}")


def test_what_the_daemon_says_cannot_drive_the_terminal(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["status"] = errors.UsageError("\x1b[2Jgone\r", hint="\x07")
    assert run("status") == (2, "", "gpiomux: \\x1b[2Jgone\\r\n  hint: \\x07\n")


def test_a_broken_pipe_is_quiet(daemon: FakeDaemon) -> None:
    daemon.answers["status"] = answers.status(answers.link_status())
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = spawn("status", stdout=writing)
    finally:
        os.close(writing)
    _, err = process.communicate()
    assert (process.returncode, err) == (program.BROKEN_PIPE, "")


def test_a_full_disk_is_a_message(daemon: FakeDaemon) -> None:
    daemon.answers["status"] = answers.status(answers.link_status())
    with open("/dev/full", "wb") as full:
        process = spawn("status", stdout=full.fileno())
        _, err = process.communicate()
    assert (process.returncode, err) == (1, "gpiomux: cannot write the output: No space left on device\n")


def test_a_closed_standard_output_is_no_traceback(daemon: FakeDaemon) -> None:
    daemon.answers["status"] = answers.status(answers.link_status())
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "status"], cwd=ROOT, text=True, stderr=subprocess.PIPE
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_the_locale_cannot_write_is_no_traceback(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")
    with open(name, "w") as file:
        file.write("links: []\n")
    assert perform("validate", name) == (0, f"{tmp_path}/\\udcff.yaml: valid, 0 links\n", "")


def test_a_fault_of_our_own_is_two_lines(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon.answers["status"] = {"links": [{"name": "geth0"}]}  # as no daemon of this version answers
    status, out, err = perform("status")
    assert (status, out) == (1, "")
    assert err.startswith("gpiomux: internal error: KeyError: ")
    assert err.count("\n") == 2
    monkeypatch.setenv(program.DEBUG_VARIABLE, "1")
    assert "Traceback" in perform("status").err


def test_an_interrupt_is_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(file: str) -> tuple[str, str]:
        signal.raise_signal(signal.SIGINT)
        return file, file

    monkeypatch.setattr("gpiomux.cli.ask.read_text", interrupted)
    assert run("validate", "x") == (program.INTERRUPTED, "", "")
