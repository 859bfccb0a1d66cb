"""Processes of links from the daemon's side: whatever they do, the answer is right and nothing is left of them."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply import datapaths as datapaths_module
from gpiomux.apply.datapaths import Datapaths
from gpiomux.apply.fork_server import ForkServer
from gpiomux.control import packets
from gpiomux.datapath.privileges import USER_IDS
from gpiomux.errors import GpiomuxError, MachineError
from gpiomux.netdev.marks import limits
from gpiomux.rundir import RunDir
from tests import namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = {"do": "start", "link": "geth0"}
ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_datapath.py")


@pytest.fixture
def rundir() -> Iterator[RunDir]:
    rundir = RunDir(Path("/run/datapaths-test"))
    yield rundir
    if rundir.links.exists():
        rundir.links.rmdir()  # fails if a socket is left
        rundir.root.rmdir()


def of(rundir: RunDir, habit: str = "good", **more: float) -> Datapaths:
    """Datapaths that behave so; see fake_datapath.py."""
    return Datapaths(rundir, fork_server=ForkServer((sys.executable, str(FAKE), habit)), **more)


@pytest.fixture(autouse=True)
def findable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins import what they stand in for."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


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


def test_start_ask_stop(rundir: RunDir) -> None:
    datapaths = of(rundir)
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


def test_who_ended_it_and_who_watched_it_are_told_the_same(rundir: RunDir) -> None:
    datapaths = of(rundir)
    datapaths.start("geth0", START, [])
    pid = pid_of(datapaths, "geth0")
    datapaths.stop("geth0")
    assert datapaths.exit_words(pid) == datapaths.exit_words(pid) == "exit status 0"
    datapaths.close()


def test_a_second_daemon_finds_and_stops_it(rundir: RunDir) -> None:
    first = of(rundir)
    first.start("geth0", START, [])
    second = of(rundir)
    pid = pid_of(second, "geth0")
    second.stop("geth0")
    assert second.exit_words(pid) == "exit status unknown (started by an earlier gpiomuxd)"
    assert first.exit_words(pid) == "exit status 0"
    first.close()


def test_the_directory_is_for_root_only(rundir: RunDir) -> None:
    datapaths = of(rundir)
    datapaths.start("geth0", START, [])
    assert rundir.links.stat().st_mode & 0o777 == 0o700
    datapaths.stop("geth0")


def test_a_dead_socket_is_no_datapath_and_in_nobodys_way(rundir: RunDir) -> None:
    datapaths = of(rundir)
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


def test_one_that_was_never_started_is_replaced(rundir: RunDir) -> None:
    datapaths = of(rundir, "refusing")
    with pytest.raises(MachineError, match="datapath of geth0: no") as caught:
        datapaths.start("geth0", START, [])
    assert (caught.value.errno, caught.value.hint) == (errno.EPROTO, "ask another")
    assert running(datapaths) == []
    datapaths.close()


def test_one_that_refuses_to_report_runs_nothing(rundir: RunDir) -> None:
    """As a process does whose daemon was killed before it could say `start`."""
    refusing = of(rundir, "refusing")
    pid, connection = refusing._fork("geth0")
    with connection, pytest.raises(GpiomuxError, match="no"):
        packets.ask(connection, {"do": "report"})
    assert refusing.report("geth0") is None
    assert running(refusing) == []
    good = of(rundir)
    good.start("geth0", START, [])
    assert refusing.exit_words(pid) == "exit status 0"
    refusing.close()
    assert running(good) == ["geth0"]
    good.stop("geth0")


def test_one_that_ends_while_starting(rundir: RunDir) -> None:
    datapaths = of(rundir, "stillborn")
    with pytest.raises(MachineError, match="datapath of geth0 ended while starting: exit status 7"):
        datapaths.start("geth0", START, [])
    datapaths.close()
    assert not rundir.datapath_socket("geth0").exists()


def test_one_that_does_not_answer(rundir: RunDir) -> None:
    datapaths = of(rundir, "deaf", answer_s=0.05)
    with pytest.raises(MachineError, match="datapath of geth0 does not answer") as caught:
        datapaths.start("geth0", START, [])
    assert caught.value.errno == errno.ETIMEDOUT
    datapaths.close()
    assert not rundir.datapath_socket("geth0").exists()


def test_one_that_does_not_end_is_killed(rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datapaths_module, "STOP_S", 0.05)
    datapaths = of(rundir, "stubborn")
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


def test_a_run_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="datapath of geth0 cannot be reached: Not a directory"):
        Datapaths(RunDir(tmp_path / "file")).start("geth0", START, [])


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="too long"):
        Datapaths(RunDir(tmp_path / ("x" * 120))).start("geth0", START, [])


def test_only_what_it_needs_is_inherited(rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown on the real program, which waits to be started."""
    monkeypatch.setenv("SECRET", "of the daemon")
    leak = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(leak, True)
    datapaths = Datapaths(rundir)
    pid, connection = datapaths._fork("geth0")
    with connection:
        os.close(leak)
        with pytest.raises(GpiomuxError, match="has not been started"):
            packets.ask(connection, {"do": "report"})
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        listing = Path(f"/proc/{pid}/fd")
        targets = {int(fd.name): os.readlink(fd) for fd in listing.iterdir()}
        name = Path(f"/proc/{pid}/comm").read_text()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert os.getsid(pid) == pid
    datapaths.stop("geth0")  # nobody holds its first connection any more: it may have ended by itself
    assert b"SECRET" not in environment
    assert [targets[0], targets[1]] == ["/dev/null", "/dev/null"]
    assert [target.partition(":")[0] for fd, target in sorted(targets.items()) if fd > 2] == ["socket", "socket"]
    assert name == "gpiomux:geth0\n"
    assert [int(status[each], 16) for each in ("CapPrm", "CapEff", "CapInh", "CapAmb")] == [0] * 4
    assert status["NoNewPrivs"].split() == ["1"]
    datapaths.close()


@pytest.mark.skipif(not namespaces.has_other_users(), reason="not root, or a user namespace maps one user only")
def test_each_has_a_user_of_its_own(rundir: RunDir) -> None:
    real, other = Datapaths(rundir), Datapaths(rundir)
    started = [(one, link, one._fork(link)) for one, link in ((real, "geth0"), (real, "geth1"), (other, "geth2"))]
    users = []
    for _, _, (pid, connection) in started:
        with pytest.raises(GpiomuxError):
            packets.ask(connection, {"do": "report"})
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert status["Uid"] == status["Gid"]
        assert status["Groups"].split() == []
        users += sorted(set(status["Uid"].split()))
    assert len(set(users)) == 3
    assert all(int(user) in USER_IDS for user in users)
    for one, link, (_, connection) in started:
        connection.close()
        one.stop(link)
        one.close()


def test_one_whose_daemon_has_gone_before_it_was_started_ends(rundir: RunDir) -> None:
    datapaths = Datapaths(rundir)
    pid, connection = datapaths._fork("geth0")
    pidfd = os.pidfd_open(pid)
    connection.close()
    select.select([pidfd], [], [])
    os.close(pidfd)
    assert datapaths.exit_words(pid) == "exit status 0"
    datapaths.stop("geth0")
