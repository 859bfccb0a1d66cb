"""Processes of links from the daemon's side: whatever they do, the answer is right and nothing is left of them."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply import datapaths as datapaths_module
from gpiomux.apply.datapaths import Datapaths
from gpiomux.control import packets
from gpiomux.errors import MachineError
from gpiomux.netdev.marks import limits
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = {"do": "start", "link": "geth0"}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def rundir() -> Iterator[RunDir]:
    rundir = RunDir(Path("/run/datapaths-test"))
    yield rundir
    if rundir.links.exists():
        rundir.links.rmdir()  # fails if a socket is left
        rundir.root.rmdir()


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Choose what the processes started from now on do; see fake_datapath.py."""

    def choose(habit: str) -> None:
        def popen(listener: int) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "tests.apply.fake_datapath", habit, str(listener)]
            return subprocess.Popen(command, pass_fds=(listener,), cwd=ROOT)

        monkeypatch.setattr(datapaths_module, "_popen", popen)

    choose("good")
    return choose


def pid_of(datapaths: Datapaths, link: str) -> int:
    process = datapaths.find(link)
    assert process is not None
    os.close(process.pidfd)
    return process.pid


def running(datapaths: Datapaths) -> list[str]:
    return [link for link, report in datapaths.reports().items() if report is not None]


def test_nothing_runs(rundir: RunDir) -> None:
    datapaths = Datapaths(rundir)
    assert running(datapaths) == []
    assert datapaths.find("geth0") is None
    assert datapaths.report("geth0") is None
    datapaths.stop("geth0")
    with pytest.raises(MachineError, match="datapath of geth0 is not running") as caught:
        datapaths.ask("geth0", {"do": "report"})
    assert caught.value.errno == errno.ESRCH


def test_start_ask_stop(rundir: RunDir, behave: Callable[[str], None]) -> None:
    datapaths = Datapaths(rundir)
    null = os.open(os.devnull, os.O_RDONLY)
    datapaths.start("geth0", START, [null])
    os.close(null)
    assert running(datapaths) == ["geth0"]
    report = datapaths.report("geth0")
    assert report is not None
    assert report["requests"][0] == {**START, "came_with": ["/dev/null"]}
    assert report["marks_limits"] == limits("packet-socket") != ""
    assert report["pid"] == pid_of(datapaths, "geth0")
    datapaths.stop("geth0")
    assert running(datapaths) == []
    assert not rundir.datapath_socket("geth0").exists()


def test_a_second_daemon_finds_and_stops_it(rundir: RunDir, behave: Callable[[str], None]) -> None:
    first = Datapaths(rundir)
    first.start("geth0", START, [])
    second = Datapaths(rundir)
    pid = pid_of(second, "geth0")
    second.stop("geth0")
    assert second.exit_words(pid) == "ended, exit status unknown (started by an earlier gpiomuxd)"
    assert first.exit_words(pid) == "exit status 0"


def test_the_directory_is_for_root_only(rundir: RunDir, behave: Callable[[str], None]) -> None:
    datapaths = Datapaths(rundir)
    datapaths.start("geth0", START, [])
    assert rundir.links.stat().st_mode & 0o777 == 0o700
    datapaths.stop("geth0")


def test_a_dead_socket_is_no_datapath_and_in_nobodys_way(rundir: RunDir, behave: Callable[[str], None]) -> None:
    datapaths = Datapaths(rundir)
    datapaths.start("geth0", START, [])
    process = datapaths.find("geth0")
    assert process is not None
    signal.pidfd_send_signal(process.pidfd, signal.SIGKILL)
    select.select([process.pidfd], [], [])
    os.close(process.pidfd)
    assert rundir.datapath_socket("geth0").exists()
    assert running(datapaths) == []
    assert datapaths.exit_words(process.pid) == "killed by SIGKILL"
    datapaths.start("geth0", START, [])
    assert pid_of(datapaths, "geth0") != process.pid
    datapaths.stop("geth0")


def test_one_that_was_never_started_is_replaced(rundir: RunDir, behave: Callable[[str], None]) -> None:
    datapaths = Datapaths(rundir)
    behave("refusing")
    with pytest.raises(MachineError, match="datapath of geth0: no") as caught:
        datapaths.start("geth0", START, [])
    assert (caught.value.errno, caught.value.hint) == (errno.EPROTO, "ask another")
    assert running(datapaths) == []


def test_one_that_refuses_to_report_runs_nothing(rundir: RunDir, behave: Callable[[str], None]) -> None:
    """As a process does whose daemon was killed before it could say `start`."""
    behave("refusing")
    datapaths = Datapaths(rundir)
    orphan = datapaths._spawn("geth0")
    datapaths._first_connection("geth0", orphan).close()
    assert datapaths.report("geth0") is None
    behave("good")
    datapaths.start("geth0", START, [])
    assert orphan.wait() == 0
    assert datapaths.report("geth0") is not None
    datapaths.stop("geth0")


def test_one_that_ends_while_starting(rundir: RunDir, behave: Callable[[str], None]) -> None:
    behave("stillborn")
    with pytest.raises(MachineError, match="datapath of geth0 ended while starting: exit status 7"):
        Datapaths(rundir).start("geth0", START, [])
    assert not rundir.datapath_socket("geth0").exists()


def test_one_that_does_not_answer(rundir: RunDir, behave: Callable[[str], None]) -> None:
    behave("deaf")
    datapaths = Datapaths(rundir, answer_s=0.05)
    with pytest.raises(MachineError, match="datapath of geth0 does not answer") as caught:
        datapaths.start("geth0", START, [])
    assert caught.value.errno == errno.ETIMEDOUT
    assert not rundir.datapath_socket("geth0").exists()


def test_one_that_does_not_end_is_killed(
    rundir: RunDir, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datapaths_module, "STOP_S", 0.05)
    behave("stubborn")
    datapaths = Datapaths(rundir)
    datapaths.start("geth0", START, [])
    process = datapaths.find("geth0")
    assert process is not None
    monkeypatch.setattr(datapaths_module, "_ended", _ended_but_patient(process.pid))
    datapaths.stop("geth0")
    select.select([process.pidfd], [], [])
    os.close(process.pidfd)
    assert running(datapaths) == []


def _ended_but_patient(pid: int) -> Callable[[int, float], bool]:
    """The real wait, but with all the time it needs after the first time, when the process has been killed."""
    real = datapaths_module._ended
    calls = []

    def ended(pidfd: int, timeout_s: float) -> bool:
        calls.append(pid)
        return real(pidfd, timeout_s if len(calls) == 1 else 60.0)

    return ended


def test_a_run_directory_that_cannot_be_made(tmp_path: Path, behave: Callable[[str], None]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="datapath of geth0 cannot be reached: Not a directory"):
        Datapaths(RunDir(tmp_path / "file")).start("geth0", START, [])


def test_a_path_that_is_too_long(behave: Callable[[str], None], tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="too long"):
        Datapaths(RunDir(tmp_path / ("x" * 120))).start("geth0", START, [])


def test_only_what_it_needs_is_inherited(rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown on the real program, which waits to be started."""
    monkeypatch.setenv("SECRET", "of the daemon")
    leak = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(leak, True)
    datapaths = Datapaths(rundir)
    process = datapaths._spawn("geth0")
    with datapaths._first_connection("geth0", process) as sock:
        os.close(leak)
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        listing = Path(f"/proc/{process.pid}/fd")
        targets = {int(fd.name): os.readlink(fd) for fd in listing.iterdir()}
        assert os.getsid(process.pid) == process.pid
        packets.ask(sock, {"do": "stop"})
    assert process.wait() == 0
    rundir.datapath_socket("geth0").unlink()
    assert b"SECRET" not in environment
    assert [targets[0], targets[1]] == ["/dev/null", "/dev/null"]
    assert {target.partition(":")[0] for fd, target in targets.items() if fd > 2} <= {"socket", "anon_inode"}
