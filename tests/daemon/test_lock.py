"""One daemon for each run directory."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.daemon import lock
from gpiomux.errors import DaemonError, MachineError
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def rundir() -> Iterator[RunDir]:
    rundir = RunDir(Path("/run/lock-test"))
    yield rundir
    for path in (rundir.lock, rundir.control_socket):
        path.unlink(missing_ok=True)
    if rundir.root.exists():
        rundir.root.rmdir()


def test_the_directory_is_made_and_the_lock_freed(rundir: RunDir) -> None:
    for _ in range(2):
        with lock.held(rundir):
            assert rundir.lock.exists()


def test_a_daemon_that_answers_is_not_waited_for(rundir: RunDir) -> None:
    with lock.held(rundir), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(rundir.control_socket))
        listener.listen()
        with pytest.raises(DaemonError, match="another gpiomuxd runs on /run/lock-test"), lock.held(rundir):
            pass


def test_one_that_neither_answers_nor_ends(rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.1)
    with lock.held(rundir), pytest.raises(DaemonError, match="another gpiomuxd runs"), lock.held(rundir):
        pass


def test_one_that_is_ending_is_waited_for(rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the directory away before it frees the lock, as gpiomuxd does; ours is then a new one."""
    monkeypatch.setattr(lock, "WAIT_S", 60.0)
    got = threading.Event()

    def wait() -> None:
        with lock.held(rundir):
            assert rundir.lock.exists()
            got.set()

    waiting = threading.Thread(target=wait)
    with lock.held(rundir):
        waiting.start()
        assert not got.is_set()
        rundir.lock.unlink()
        with suppress(OSError):  # the other may have put its lock into it by now
            rundir.root.rmdir()
    waiting.join()
    assert got.is_set()


@pytest.mark.parametrize("name", ["file", "file/run"])
def test_a_place_where_nothing_can_be_made(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot lock"), lock.held(RunDir(tmp_path / name)):
        pass
