"""Watching processes: each end is noticed, and leads to a new attempt."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply.datapaths import Process
from gpiomux.daemon import supervisor as supervisor_module
from gpiomux.daemon.reading import Attempt
from gpiomux.daemon.supervisor import Backoff, Supervisor
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LINK = "geth0"


class TestBackoff:
    def test_twice_as_long_each_time_up_to_a_limit(self) -> None:
        backoff = Backoff()
        pauses = [backoff.pause_s(0.0) for _ in range(10)]
        assert pauses[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
        assert set(pauses[6:]) == {5.0}
        assert all(earlier <= later for earlier, later in pairwise(pauses))

    def test_a_long_life_counts_as_success(self) -> None:
        backoff = Backoff()
        for _ in range(5):
            backoff.pause_s(9.9)
        assert backoff.pause_s(10.0) == 0.1
        assert backoff.pause_s(0.5) == 0.2


class Processes:
    """Real processes that wait to be killed, and what a supervisor is told of them."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self.refusals = 0
        """So many attempts to revive fail."""
        self.attempts: list[str] = []
        self.revived = asyncio.Event()
        self.supervisor = Supervisor(self.revive, self.words)

    def new(self, link: str = LINK) -> Process:
        child = subprocess.Popen(["sleep", "1000"])
        self._running.append(child)
        return Process(link=link, pid=child.pid, pidfd=os.pidfd_open(child.pid))

    def seen_again(self, process: Process) -> Process:
        """The same process with a descriptor of its own, as the next look at it gives."""
        return Process(link=process.link, pid=process.pid, pidfd=os.pidfd_open(process.pid))

    def kill(self, process: Process) -> None:
        os.kill(process.pid, signal.SIGKILL)

    def words(self, pid: int) -> str:
        (child,) = (each for each in self._running if each.pid == pid)
        return f"signal {-child.wait()}"

    async def revive(self, link: str) -> bool:
        self.attempts.append(link)
        if len(self.attempts) <= self.refusals:
            raise MachineError(f"attempt {len(self.attempts)} refused", errno=5)
        self.supervisor.update({link: self.new(link)})
        self.revived.set()
        return True

    def end(self) -> None:
        for child in self._running:
            child.kill()
            child.wait()


def supervised(scenario: Callable[[Processes], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a scenario with pauses that are too short to be waited for."""
    monkeypatch.setattr(supervisor_module, "FIRST_S", 0.001)
    monkeypatch.setattr(Backoff, "pause_s", lambda self, lived_s: 0.001)

    async def run() -> None:
        processes = Processes()
        try:
            await scenario(processes)
        finally:
            await processes.supervisor.close()
            processes.end()

    asyncio.run(run())


async def settled(processes: Processes, restarts: int) -> None:
    """Wait until so many restarts are on record."""
    while processes.supervisor.attempts[LINK].restarts < restarts:
        await asyncio.sleep(0)


def test_an_end_is_noticed_told_and_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(processes: Processes) -> None:
        first = processes.new()
        processes.supervisor.update({LINK: first})
        assert processes.supervisor.attempts == {LINK: Attempt(state="running")}
        processes.kill(first)
        await settled(processes, 1)
        assert processes.supervisor.attempts == {LINK: Attempt(state="running", restarts=1, last_exit="signal 9")}
        assert processes.attempts == [LINK]

    supervised(scenario, monkeypatch)


def test_attempts_go_on_until_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(processes: Processes) -> None:
        processes.refusals = 3
        first = processes.new()
        processes.supervisor.update({LINK: first})
        processes.kill(first)
        while len(processes.attempts) < 2:
            await asyncio.sleep(0)
        assert processes.supervisor.attempts[LINK].state == "failed"
        assert processes.supervisor.attempts[LINK].last_exit.endswith("refused")
        await settled(processes, 1)
        assert len(processes.attempts) == 4
        assert processes.supervisor.attempts[LINK].state == "running"

    supervised(scenario, monkeypatch)


def test_a_link_without_a_process_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(processes: Processes) -> None:
        processes.supervisor.update({LINK: None})
        assert processes.supervisor.attempts == {LINK: Attempt(state="starting")}
        await settled(processes, 1)

    supervised(scenario, monkeypatch)


def test_the_same_process_seen_again_is_watched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(processes: Processes) -> None:
        first = processes.new()
        processes.supervisor.update({LINK: first})
        again = processes.seen_again(first)
        processes.supervisor.update({LINK: again})
        with pytest.raises(OSError):
            os.fstat(again.pidfd)
        os.fstat(first.pidfd)
        processes.kill(first)
        await settled(processes, 1)
        assert len(processes.attempts) == 1

    supervised(scenario, monkeypatch)


def test_an_end_that_was_meant_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change has replaced the process: by the time its end is seen to, another runs."""

    async def scenario(processes: Processes) -> None:
        replacement = processes.new()
        tried = asyncio.Event()

        async def nothing_to_do(link: str) -> bool:
            processes.supervisor.update({link: processes.seen_again(replacement)})
            tried.set()
            return False

        monkeypatch.setattr(processes.supervisor, "_revive", nothing_to_do)
        first = processes.new()
        processes.supervisor.update({LINK: first})
        processes.kill(first)
        await tried.wait()
        while processes.supervisor.attempts[LINK].last_exit:
            await asyncio.sleep(0)
        assert processes.supervisor.attempts == {LINK: Attempt(state="running")}
        os.close(replacement.pidfd)

    supervised(scenario, monkeypatch)


def test_a_link_that_is_gone_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(processes: Processes) -> None:
        first = processes.new()
        processes.supervisor.update({LINK: first})
        processes.kill(first)
        processes.supervisor.update({})
        with pytest.raises(OSError):
            os.fstat(first.pidfd)
        await asyncio.sleep(0.01)
        assert processes.attempts == []
        assert processes.supervisor.attempts == {}

    supervised(scenario, monkeypatch)


def test_a_link_that_goes_while_it_is_revived(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(processes: Processes) -> None:
        async def gone(link: str) -> bool:
            processes.supervisor.update({})
            processes.attempts.append(link)
            raise MachineError("too late", errno=5)

        monkeypatch.setattr(processes.supervisor, "_revive", gone)
        processes.supervisor.update({LINK: None})
        while not processes.attempts:
            await asyncio.sleep(0)
        await processes.supervisor.close()
        assert processes.supervisor.attempts == {}

    supervised(scenario, monkeypatch)


def test_after_the_end_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(processes: Processes) -> None:
        first = processes.new()
        processes.supervisor.update({LINK: first})
        await processes.supervisor.close()
        late = processes.new()
        processes.supervisor.update({LINK: late})
        for process in (first, late):
            with pytest.raises(OSError):
                os.fstat(process.pidfd)
        assert processes.supervisor.attempts == {}

    supervised(scenario, monkeypatch)
