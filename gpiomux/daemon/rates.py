"""How fast links go, on average since the last look: nobody has to measure while nobody looks."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpiomux.stats.counters import dropped, errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.apply.reports import Report

LEAST_S = 1.0
"""Looks that follow each other faster are answered alike: a moment says nothing of a rate."""

MOST_LINKS = 1024
"""Links of which the last look is kept: as many as a configuration may have. A daemon outlives many configurations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What was seen of one link."""

    pid: int
    at_s: float
    rx_bytes: int
    tx_bytes: int
    told: dict[str, Any]


class Rates:
    """What the last look at each link has found.

    *Threads and processes:* any number of threads at once.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._looks: dict[str, _Look] = {}
        """By link, the one that was looked at longest ago first."""
        self._lock = threading.Lock()

    def traffic(self, link: str, report: Report) -> dict[str, Any] | None:
        """How fast a link goes, and what it has lost; None if its datapath does not tell.

        Returns:
            `rx_bytes_per_s` and `tx_bytes_per_s`, on average over the last `over_s` seconds: since the last look, if
            that is a second ago at least, or since the process began; `errors`, damaged frames and the like, and
            `dropped`, packets, since the process began.
        """
        if not isinstance(report, dict):
            return None
        with self._lock:
            look = self._look(link, report)
            self._looks.pop(link, None)
            self._looks[link] = look
            if len(self._looks) > MOST_LINKS:
                del self._looks[next(iter(self._looks))]
        counters: dict[str, int] = report["counters"]
        return {
            **look.told,
            "errors": errors(counters),
            "dropped": dropped(counters),
        }

    def _look(self, link: str, report: dict[str, Any]) -> _Look:
        now_s, counters = self._clock_s(), report["counters"]
        before = self._looks.get(link)
        if before is None or before.pid != report["pid"]:
            before = _Look(pid=report["pid"], at_s=now_s - report["uptime_s"], rx_bytes=0, tx_bytes=0, told={})
        over_s = now_s - before.at_s
        if over_s < LEAST_S and before.told:
            return before
        told = {
            "rx_bytes_per_s": round((counters["rx_bytes"] - before.rx_bytes) / max(over_s, LEAST_S)),
            "tx_bytes_per_s": round((counters["tx_bytes"] - before.tx_bytes) / max(over_s, LEAST_S)),
            "over_s": over_s,
        }
        return _Look(
            pid=report["pid"], at_s=now_s, rx_bytes=counters["rx_bytes"], tx_bytes=counters["tx_bytes"], told=told
        )
