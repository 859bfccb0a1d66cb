"""What a schema cannot say, because it concerns several values at once, or the meaning of a text.

Each rule walks over what the schema has found sound, so that one run tells of every fault, and none twice.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from gpiomux.config import channels, gpiosk, lines, names, netdevs, tuning, wires, xdp_rules
from gpiomux.config.spot import Spot

if TYPE_CHECKING:
    from gpiomux.config.source import Source
    from gpiomux.config.text import Path
    from gpiomux.errors import Fault


def rule_faults(source: Source, broken: frozenset[Path], *, has_directory: bool = False) -> list[Fault]:
    """Everything in a document that breaks a rule.

    Args:
        source: the document.
        broken: the places that have a fault already.
        has_directory: it is a file, so that relative paths in it mean something.
    """
    if () in broken:
        return []
    links = Spot.top(source, broken).items("links")
    return list(
        chain(
            names.name_faults(links),
            names.mark_faults(links),
            netdevs.netdev_faults(links),
            lines.line_faults(links),
            wires.wire_faults(links),
            channels.channel_faults(links),
            gpiosk.gpiosk_faults(links),
            xdp_rules.xdp_faults(links, has_directory=has_directory),
            tuning.pmtu_faults(links),
        )
    )
