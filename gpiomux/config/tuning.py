"""PMTUs and polling, which can be changed while a link runs: their rules, and plain data both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpiomux.config.model import Poll, PollMode
from gpiomux.config.names import HIGHEST_MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault

HIGHEST_IDLE_US = 1_000_000
HIGHEST_BUDGET = 65536
HIGHEST_PMTU = 65535
MOST_PMTUS = 1024
"""Of one link: what its datapath reports has to fit into one message."""


def pmtu_from_plain(plain: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    """The pairs of `Link.pmtu`, of a mapping whose keys are marks as text, decimal or hexadecimal."""
    return tuple(sorted((int(mark, 0), limit_bytes) for mark, limit_bytes in plain.items()))


def pmtu_to_plain(pmtu: tuple[tuple[int, int], ...]) -> dict[str, int]:
    """The mapping of `pmtu_from_plain`."""
    return {str(mark): limit_bytes for mark, limit_bytes in pmtu}


def poll_from_plain(plain: str | Mapping[str, Any]) -> Poll:
    """Polling, by its mode or with its options."""
    stated: Mapping[str, Any] = {"mode": plain} if isinstance(plain, str) else plain
    return Poll(
        mode=PollMode(stated.get("mode", PollMode.AUTO)),
        idle_us=stated.get("idle_us"),
        budget=stated.get("budget"),
    )


def poll_to_plain(poll: Poll) -> str | dict[str, Any]:
    """What `poll_from_plain` reads, as short as it can be."""
    options = {"idle_us": poll.idle_us, "budget": poll.budget}
    stated = {key: value for key, value in options.items() if value is not None}
    return {"mode": poll.mode.value, **stated} if stated else poll.mode.value


def pmtu_faults(links: list[Spot]) -> Iterator[Fault]:
    """Marks of `pmtu` that are none, or that stand there twice, once in decimal and once in hexadecimal."""
    for link in links:
        pmtu = link.below("pmtu")
        found: dict[int, str] = {}
        for key in pmtu.value if pmtu is not None else ():
            if not pmtu or not pmtu.sound(key):
                continue
            mark = int(key, 0)
            if not 1 <= mark <= HIGHEST_MARK:
                yield pmtu.key_fault(key, f"mark {key} is out of range", f"expected 1..{HIGHEST_MARK}")
            elif mark in found:
                yield pmtu.key_fault(key, f"mark {mark} is given already, as {found[mark]}", "remove one of the two")
            found.setdefault(mark, key)
