"""gpiomux.cli.doctor: who looks at the machine, what is printed, and the exit status."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.cli import doctor
from gpiomux.errors import DaemonError, ProtocolError
from gpiomux.version import VERSION
from tests.cli.answers import link_status, status
from tests.cli.commands import ROOT, on_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.rundir import RunDir
    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon

TWO_LINKS = str(ROOT / "configs/two-links.yaml")
TUN = {"about": "machine", "subject": "tun", "state": "ok", "cause": "it opens", "remedy": ""}
BPF = {"about": "machine", "subject": "bpf", "state": "problem", "cause": "refused", "remedy": "allow it"}
LINES = {"about": "geth0", "subject": "lines", "state": "unknown", "cause": "see gpiod", "remedy": ""}


def answer(*findings: dict[str, str], version: str = VERSION) -> dict[str, Any]:
    return {"pid": 4120, "user": 0, "version": version, "findings": list(findings)}


def of_daemon(out: str) -> dict[str, str]:
    """What is said of gpiomuxd, always the first line."""
    first: dict[str, str] = json.loads(out)["findings"][0]
    assert (first["about"], first["subject"]) == ("machine", "gpiomuxd")
    return first


def test_a_running_daemon_looks(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["doctor"] = answer(TUN)
    found, out, err = run("doctor", TWO_LINKS)
    assert (found, err) == (0, "")
    assert out == (
        f"machine: ok\n  gpiomuxd  ok  version {VERSION} answers, process 4120, user 0\n  tun       ok  it opens\n"
    )
    (request,) = daemon.requests
    assert request.args["file"] == TWO_LINKS
    assert "cable0" in request.args["text"]


def test_without_a_file_everything_is_asked_for(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["doctor"] = answer(TUN)
    assert run("doctor").status == 0
    assert (daemon.requests[0].args["file"], daemon.requests[0].args["text"]) == ("", "")


@pytest.mark.parametrize("wrong", [BPF, LINES])
def test_what_is_wrong_or_unknown_is_in_the_exit_status(run: Run, daemon: FakeDaemon, wrong: dict[str, str]) -> None:
    daemon.answers["doctor"] = answer(TUN, wrong)
    found, out, _ = run("doctor", "--json")
    assert found == 1
    assert json.loads(out)["ok"] is False
    assert json.loads(out)["findings"][1:] == [TUN, wrong]


def test_a_daemon_of_another_version(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["doctor"] = answer(TUN, version="0.0.1")
    found, out, _ = run("doctor", "--json")
    assert (found, of_daemon(out)["state"]) == (1, "problem")
    assert "version 0.0.1 runs" in of_daemon(out)["cause"]
    assert "kill 4120" in of_daemon(out)["remedy"]


@pytest.mark.parametrize(
    "error",
    [
        DaemonError("gpiomuxd does not answer this user", hint="become root"),
        ProtocolError("request has the unknown verb doctor", hint="update it"),
    ],
)
def test_a_daemon_that_refuses_leaves_a_one_shot_to_look(
    run: Run, daemon: FakeDaemon, error: DaemonError | ProtocolError
) -> None:
    daemon.answers["doctor"] = error
    found, out, _ = run("doctor", TWO_LINKS, "--json")
    assert found == 1
    told = of_daemon(out)
    assert (told["state"], told["cause"], told["remedy"]) == ("problem", error.message, error.hint)
    assert len(json.loads(out)["findings"]) > 20


def test_a_daemon_that_hangs(run: Run, rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.1)
    rundir.root.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(rundir.control_socket))
        listening.listen()
        found, out, _ = run("doctor", TWO_LINKS, "--json")
    assert (found, of_daemon(out)["cause"]) == (1, "gpiomuxd does not answer")


def test_no_daemon_is_no_problem_and_nothing_is_left(run: Run, rundir: RunDir) -> None:
    found, out, err = run("doctor", TWO_LINKS, "--json")
    assert err == ""
    assert of_daemon(out)["state"] == "not needed"
    states = {(it["about"], it["subject"]): it["state"] for it in json.loads(out)["findings"]}
    assert found == int(not set(states.values()) <= {"ok", "not needed"})
    assert states["geth0", "lines"] == "not needed"
    assert states["machine", "run directory"] == "ok"
    assert not rundir.root.exists()


def test_on_a_terminal_states_are_coloured(daemon: FakeDaemon) -> None:
    daemon.answers["doctor"] = answer(TUN, BPF)
    found, shown = on_terminal("doctor")
    assert found == 1
    assert "\x1b[1;32mok" in shown
    assert "\x1b[1;31mproblem" in shown


def test_faults_of_a_file_are_faults(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "links.yaml"
    file.write_text("links: [{name: geth0}]")
    found, out, err = run("doctor", str(file))
    assert (found, out) == (2, "")
    assert f"{file}:1:9" in err


class TestWiring:
    """`--wiring` asks the daemon only whether the link runs."""

    def test_a_simulated_link(self, run: Run) -> None:
        found, out, err = run("doctor", TWO_LINKS, "--wiring", "geth0")
        assert (found, err) == (0, "")
        assert "  in.data0 (line 16)  ok  hears out.data0 (line 0) of the far end\n" in out

    def test_a_link_that_runs_is_left_alone(self, run: Run, daemon: FakeDaemon) -> None:
        daemon.answers["status"] = status(link_status())
        found, out, err = run("doctor", TWO_LINKS, "--wiring", "geth0")
        assert (found, out) == (1, "")
        assert err == ("gpiomux: link geth0 runs: its lines are in use\n  hint: gpiomux down geth0, and once more\n")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--wiring", "geth0"), "--wiring needs FILE"),
            ((TWO_LINKS, "--wiring", "geth0,geth0"), "a wire has two ends"),
            ((TWO_LINKS, "--wiring", "geth0,geth1,geth2"), "a wire has two ends"),
            ((TWO_LINKS, "--wiring", "geth7"), "there is no link geth7 in the file"),
            ((TWO_LINKS, "--seconds", "7"), "--seconds goes with --wiring"),
        ],
    )
    def test_command_lines_that_make_no_sense(self, run: Run, words: tuple[str, ...], message: str) -> None:
        found, out, err = run("doctor", *words)
        assert (found, out) == (2, "")
        assert message in err
