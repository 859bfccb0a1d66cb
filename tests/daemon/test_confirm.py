"""The daemon's own clock for what waits to be confirmed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gpiomux.daemon import confirm
from gpiomux.daemon.boottime import now_s
from gpiomux.daemon.confirm import Countdown
from gpiomux.daemon.record import Pending
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FAR = Pending(token="far", deadline_s=now_s() + 3600)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "LOOK_S", 0.001)
    monkeypatch.setattr(confirm, "RETRY_S", 0.001)


def due() -> Pending:
    return Pending(token="due", deadline_s=now_s() - 1)


def run(scene: Callable[[Countdown, list[str]], Awaitable[None]], *, failures: int = 0) -> list[str]:
    """Play a scene; what became of the attempts to take something back."""
    attempts: list[str] = []

    async def play() -> None:
        async def revert() -> None:
            if len(attempts) < failures:
                attempts.append("failed")
                raise MachineError("something is in the way", errno=1)
            attempts.append("done")
            countdown.update(None)

        countdown = Countdown(revert)
        await scene(countdown, attempts)
        await countdown.close()

    asyncio.run(play())
    return attempts


async def until(attempts: list[str], last: str) -> None:
    while not attempts or attempts[-1] != last:
        await asyncio.sleep(0)


def test_what_is_due_is_taken_back_once() -> None:
    async def scene(countdown: Countdown, attempts: list[str]) -> None:
        countdown.update(due())
        await until(attempts, "done")
        for _ in range(100):
            await asyncio.sleep(0)

    assert run(scene) == ["done"]


def test_a_failure_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(countdown: Countdown, attempts: list[str]) -> None:
        countdown.update(due())
        await until(attempts, "done")

    assert run(scene, failures=2) == ["failed", "failed", "done"]
    assert caplog.text.count("cannot take back what nobody has confirmed: something is in the way") == 2


def test_what_is_confirmed_stays_and_the_next_has_a_deadline_of_its_own() -> None:
    async def scene(countdown: Countdown, attempts: list[str]) -> None:
        countdown.update(FAR)
        await asyncio.sleep(0.01)
        countdown.update(None)
        await asyncio.sleep(0.01)
        assert attempts == []
        countdown.update(due())
        await until(attempts, "done")

    assert run(scene) == ["done"]


def test_one_that_is_replaced_is_watched_on() -> None:
    async def scene(countdown: Countdown, attempts: list[str]) -> None:
        countdown.update(FAR)
        countdown.update(FAR)
        countdown.update(due())
        await until(attempts, "done")

    assert run(scene) == ["done"]


def test_nothing_is_watched_after_the_end() -> None:
    async def scene(countdown: Countdown, attempts: list[str]) -> None:
        countdown.update(FAR)
        await countdown.close()
        assert attempts == []

    assert run(scene) == []
