"""The daemon's own clock for a configuration that waits to be confirmed: takes it back when its time is over."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from gpiomux.daemon.boottime import now_s
from gpiomux.errors import GpiomuxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gpiomux.daemon.record import Pending

LOOK_S = 1.0
"""Longest sleep: the event loop's clock stands still while the machine sleeps, the deadline's does not."""
RETRY_S = 5.0
"""How long to wait after an attempt to take it back that failed."""

_log = logging.getLogger(__name__)


class Countdown:
    """Watches one deadline at a time.

    *Threads and processes:* lives in the event loop.
    """

    def __init__(self, revert: Callable[[], Awaitable[object]]) -> None:
        """Call `revert` when a deadline has passed, again and again until `update` says that nothing is pending."""
        self._revert = revert
        self._pending: Pending | None = None
        self._task: asyncio.Task[None] | None = None

    def update(self, pending: Pending | None) -> None:
        """Learn what waits to be confirmed now."""
        self._pending = pending
        if pending is not None and self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Watch nothing any more; a call of `revert` that is under way is finished by whoever performs it."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while self._pending is not None:
            left_s = self._pending.deadline_s - now_s()
            if left_s > 0:
                await asyncio.sleep(min(left_s, LOOK_S))
                continue
            try:
                await self._revert()
            except GpiomuxError as err:
                _log.error("cannot take back what nobody has confirmed: %s", err.told())
                await asyncio.sleep(RETRY_S)
        self._task = None
