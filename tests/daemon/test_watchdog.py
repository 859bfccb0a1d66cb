"""Signs of life to the service manager: while the worker moves on, and not when it is stuck."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gpiomux.daemon.notify import Starter
from gpiomux.daemon.watchdog import Watchdog


class Listening(Starter):
    """A starter that counts what it would tell."""

    def __init__(self, watchdog_s: float | None) -> None:
        super().__init__()
        self.watchdog_s = watchdog_s
        self.signs = 0

    def alive(self) -> None:
        self.signs += 1


async def until_more(starter: Listening, more: int) -> None:
    """Wait until some more signs were given; for ever if none comes, which ends the test run."""
    goal = starter.signs + more
    while starter.signs < goal:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("watchdog_s", [None, 0.01])
def test_an_idle_daemon_tells_if_somebody_listens(watchdog_s: float | None) -> None:
    starter = Listening(watchdog_s)

    async def run() -> None:
        task = asyncio.create_task(Watchdog(starter).run())
        if watchdog_s is None:
            await task
        else:
            await until_more(starter, 3)
            task.cancel()

    asyncio.run(run())
    assert (starter.signs > 0) is (watchdog_s is not None)


def test_a_worker_that_is_stuck_is_not_spoken_for() -> None:
    starter, stuck, begun = Listening(0.05), threading.Event(), threading.Event()
    watchdog = Watchdog(starter)

    def work() -> str:
        begun.set()
        stuck.wait()
        return "done"

    async def run() -> None:
        task = asyncio.create_task(watchdog.run())
        working = asyncio.create_task(asyncio.to_thread(watchdog.watched, work))
        await asyncio.to_thread(begun.wait)
        await asyncio.sleep(0.15)  # from now on it has been silent for longer than it may
        before = starter.signs
        await asyncio.sleep(0.3)
        assert starter.signs == before
        watchdog.moves_on()
        await until_more(starter, 1)
        stuck.set()
        assert await working == "done"
        await until_more(starter, 3)
        task.cancel()

    asyncio.run(run())


def test_an_error_of_the_work_is_the_callers() -> None:
    starter = Listening(0.01)
    watchdog = Watchdog(starter)

    def work() -> None:
        raise ValueError

    async def run() -> None:
        with pytest.raises(ValueError):
            watchdog.watched(work)
        task = asyncio.create_task(watchdog.run())
        await until_more(starter, 2)
        task.cancel()

    asyncio.run(run())
