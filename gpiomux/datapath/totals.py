"""All counters of a link since its process began, as many interfaces at a time as an answer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpiomux.datapath.channel_pump import ChannelPump
    from gpiomux.datapath.pulse_pump import PulsePump
    from gpiomux.datapath.pump import Pump

INTERFACES_PER_ANSWER = 100
"""With every number as long as it can be, they fill a message but for a quarter."""


def totals(pump: Pump | ChannelPump | PulsePump, first: int) -> tuple[dict[str, Any], int | None]:
    """What was counted, by what it belongs to.

    Args:
        pump: of the link.
        first: place of the first interface that is told of, from 0; with 0, all else of the link is told too.

    Returns:
        The counters, and the place of the next interface, None if there is none.
    """
    members = list(pump.interfaces)
    behind = first + INTERFACES_PER_ANSWER
    counted: dict[str, Any] = {"interfaces": {it.name: it.counted().as_dict() for it in members[first:behind]}}
    if not first:
        report = pump.report()
        link = {"counters": report["counters"], "line": report.get("line", {}), "channel": report.get("channel", {})}
        counted = {**link, **counted}
    return counted, behind if behind < len(members) else None
