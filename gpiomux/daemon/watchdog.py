"""Telling the service manager that the daemon moves on, for as long as it does: sd_notify(3), WATCHDOG=1.

The event loop answers for itself by being able to tell; for the worker thread it tells only while that has shown a sign
of life within the watchdog's time. What one operation may take is bounded well below the time in our unit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.daemon.notify import Starter

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Watchdog:
    """Watches the one worker thread.

    *Threads and processes:* `run` lives in the event loop; `watched` and `moves_on` are called by the worker.
    """

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._sign_s: float | None = None
        """When the worker last showed that it lives; None while it has nothing to do."""

    def moves_on(self) -> None:
        """The work goes on."""
        self._sign_s = time.monotonic()

    def watched(self, work: Callable[[], _T]) -> _T:
        """Do the work of the worker."""
        self.moves_on()
        try:
            return work()
        finally:
            self._sign_s = None

    async def run(self) -> None:
        """Tell, twice within the time that the service manager allows; for ever, or not at all if it wants no word."""
        period_s = self._starter.watchdog_s
        while period_s is not None:
            sign_s = self._sign_s
            if sign_s is None or time.monotonic() - sign_s < period_s:
                self._starter.alive()
            else:
                _log.error("the worker has not moved on for %.0f s", time.monotonic() - sign_s)
            await asyncio.sleep(period_s / 2)
