"""The fork server from the daemon's side: there when it is needed, replaced when it dies, gone when nothing is left."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply.fork_server import ForkServer
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_datapath.py")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    found = ForkServer((sys.executable, str(FAKE), "good"))
    yield found
    found.close()


@contextmanager
def forked(server: ForkServer, tmp_path: Path, link: str) -> Iterator[int]:
    """A process that lives as long as the block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / link))
        pid = server.fork(link, listener.fileno(), theirs.fileno())
        pidfd = os.pidfd_open(pid)
        try:
            yield pid
        finally:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            select.select([pidfd], [], [])
            os.close(pidfd)


def parent_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("PPid:"))


def test_processes_are_children_of_one_server(server: ForkServer, tmp_path: Path) -> None:
    server.start()
    with forked(server, tmp_path, "geth0") as first, forked(server, tmp_path, "geth1") as second:
        assert parent_of(first) == parent_of(second) != os.getpid()
        assert Path(f"/proc/{parent_of(first)}/comm").read_text() == "gpiomux-forks\n"
        assert parent_of(parent_of(first)) == os.getpid()
    assert server.reap(first) == server.reap(second) == -signal.SIGKILL


def test_one_that_was_killed_is_replaced_and_what_it_forked_goes_on(server: ForkServer, tmp_path: Path) -> None:
    with forked(server, tmp_path, "geth0") as first:
        killed = parent_of(first)
        os.kill(killed, signal.SIGKILL)
        with forked(server, tmp_path, "geth1") as second:
            assert parent_of(second) != killed
            os.kill(first, 0)
            assert server.reap(first) is None
        assert server.reap(second) == -signal.SIGKILL


def test_one_that_hangs_is_replaced_and_its_late_answer_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr("gpiomux.apply.fork_server.END_S", 0.1)
    server = ForkServer((sys.executable, str(FAKE), "good"), answer_s=0.5)
    with forked(server, tmp_path, "geth0") as first:
        hanging = parent_of(first)
        os.kill(hanging, signal.SIGSTOP)
        with pytest.raises(MachineError, match="the fork server does not answer"), forked(server, tmp_path, "geth1"):
            pass
        with pytest.raises(ProcessLookupError):
            os.kill(hanging, 0)
        with forked(server, tmp_path, "geth2") as second:
            assert parent_of(second) != hanging
            os.kill(first, 0)
    server.close()


def test_after_close_nobody_knows_how_a_process_has_ended(server: ForkServer, tmp_path: Path) -> None:
    with forked(server, tmp_path, "geth0") as pid:
        server.close()
        os.kill(pid, 0)
    assert server.reap(pid) is None


def test_one_that_cannot_run() -> None:
    broken = ForkServer((sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(MachineError, match="the fork server ends at once"):
        broken.fork("geth0", 0, 1)
    broken.close()
