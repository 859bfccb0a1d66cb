"""What simulated lines have where the file is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.model import Bundle, Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

SIM_LINES = Lines(
    out=Bundle(data=tuple(range(8)), req=8, ack=25),
    into=Bundle(data=tuple(range(16, 24)), req=24, ack=9),
)
"""8 data lines each way, the same offsets at both ends."""


def wire_ends(stated: Sequence[tuple[str | None, str | None]]) -> list[str | None]:
    """The end of its wire that each link has: the one stated, or the first that is free, `a` before `b`.

    Args:
        stated: for each link in file order its wire (None: no wire) and the end it states (None: none).

    Returns:
        None for a link without a wire, and for one that finds both ends taken.
    """
    taken = {(wire, end) for wire, end in stated if wire is not None and end is not None}
    ends: list[str | None] = []
    for wire, end in stated:
        if wire is None:
            ends.append(None)
            continue
        own = end or next((free for free in ("a", "b") if (wire, free) not in taken), None)
        if own is not None:
            taken.add((wire, own))
        ends.append(own)
    return ends
