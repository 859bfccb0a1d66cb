"""Debug output of a running link: a line in the log for each packet or frame, as many as a log can bear.

Rate-limited as the kernel limits its own messages (printk_ratelimit(), lib/ratelimit.c): a burst, then so many a
second, and how many were suppressed. Nothing is formatted that is not logged. Where whoever takes the log is too slow,
lines are suppressed too: the link does not wait for them.
"""

from __future__ import annotations

import select
import sys
import time
from typing import TYPE_CHECKING

from gpiomux.log import of_link
from gpiomux.wire.trace import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.datapath.recorder import Record, Recorder
    from gpiomux.wire.trace import Trace

BURST = 100
"""Lines at once."""
INTERVAL_NS = 50_000_000
"""After a burst, a line so often."""
OFF = "off"


class Debug:
    """The debug output of one link; off at first.

    *Threads and processes:* one thread, that of the pump.

    Attributes:
        level: one of `gpiomux.wire.trace.LEVELS`.
    """

    def __init__(
        self, link: str, trace: Trace, recorder: Recorder, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Log what `recorder` sees of `link`, in the words of `trace`, once it is switched on."""
        self.level = OFF
        self._log = of_link(__name__, link)
        self._trace = trace
        self._recorder = recorder
        self._clock_ns = clock_ns
        self._suppressed = 0
        self._spent_ns = -BURST * INTERVAL_NS
        """When everything that was logged would be paid for, at a line for each interval."""

    def switch(self, level: str) -> None:
        """Log so much from now on.

        Raises:
            UsageError: the link has nothing of that kind.
        """
        self._recorder.watch(LEVELS[level], self._tell)
        self._tell_suppressed()
        self.level = level
        self._log.info("debug output: %s", level)

    def _tell(self, record: Record) -> None:
        now_ns = self._clock_ns()
        self._spent_ns = max(self._spent_ns, now_ns - BURST * INTERVAL_NS)
        if self._spent_ns + INTERVAL_NS > now_ns or not _log_is_taken():
            self._suppressed += 1
            return
        self._spent_ns += INTERVAL_NS
        self._tell_suppressed()
        _, kind, *fields = record
        self._log.info("%s", self._trace.text(kind, *fields))

    def _tell_suppressed(self) -> None:
        if self._suppressed:
            self._log.info("debug output: %d messages suppressed", self._suppressed)
            self._suppressed = 0


def _log_is_taken() -> bool:
    """Whether a line can be written now without waiting: a pipe is writable as long as a short line fits into it."""
    poller = select.poll()
    poller.register(sys.stderr, select.POLLOUT)
    return bool(poller.poll(0))
