"""The verb `top`: all links at a glance, again and again."""

from __future__ import annotations

import time
from collections import deque

from gpiomux.cli import ask, output
from gpiomux.cli.redrawn import Redrawn, pause
from gpiomux.stats import counted
from gpiomux.stats import top as at_a_glance

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

INTERVAL_S = 1
"""Between two looks."""


def top(interval: int | None, count: int | None) -> int:
    """Show how links are and how fast they go, until the user, the reader or the daemon has enough.

    Raises:
        DaemonError: there are no links, or the daemon has ended.
    """
    interval_s, left = interval or INTERVAL_S, count
    shown = Redrawn()
    past: deque[dict[str, Any]] = deque(maxlen=at_a_glance.SAMPLES)
    before: tuple[dict[str, Any], float] | None = None
    blocks = at_a_glance.BLOCKS if output.can_write(at_a_glance.BLOCKS) else at_a_glance.ASCII_BLOCKS
    for status, stats in ask.again(ask.keeper("top"), ("status", {}), ("stats", {"total": True})):
        now_s = time.monotonic()
        if before is not None:
            past.append(counted.rates(before[0], stats, now_s - before[1]))
        before = stats, now_s
        shown.show(at_a_glance.top_tables(status, past, columns=output.columns(), blocks=blocks))
        left = None if left is None else left - 1
        if left == 0:
            break
        pause(interval_s)
    return 0
