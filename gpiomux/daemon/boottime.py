"""The clock of deadlines: it goes on while the machine sleeps, and nobody can set it."""

from __future__ import annotations

import time


def now_s() -> float:
    """CLOCK_BOOTTIME, the same for all processes of the machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
