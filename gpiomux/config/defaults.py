"""What a link has where the file is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.model import GPIOSK_MTU, Bundle, Code, GpioskCode, Idle, Lines, Netdev, PulseLines

if TYPE_CHECKING:
    from collections.abc import Sequence

SIM_LINES = Lines(
    out=Bundle(data=tuple(range(8)), req=8, ack=25),
    into=Bundle(data=tuple(range(16, 24)), req=24, ack=9),
)
"""8 data lines each way, the same offsets at both ends."""
SIM_PULSE_LINES = Lines(out=PulseLines(ctl=0, data=1), into=PulseLines(ctl=16, data=17), idle=Idle.KEEP)
"""The same for the code `gpiosk`."""


def sim_lines(code: Code) -> Lines:
    """The lines of a simulated link."""
    return SIM_PULSE_LINES if isinstance(code, GpioskCode) else SIM_LINES


def idle_of(code: Code) -> Idle:
    """What becomes of outputs. A gpiosk board counts any edge on a line that floats, and never recovers."""
    return Idle.KEEP if isinstance(code, GpioskCode) else Idle.INPUT


def netdev_of(code: Code) -> Netdev:
    """The interface of a link."""
    return Netdev(mtu=GPIOSK_MTU) if isinstance(code, GpioskCode) else Netdev()


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
