"""Rules of the line code `gpiosk`: what its boards carry, and what overruns their memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.lines import code_of
from gpiomux.config.model import GPIOSK_MTU, Mode
from gpiomux.config.netdevs import LOWEST_MTU

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault


def gpiosk_faults(links: list[Spot]) -> Iterator[Fault]:
    """Every link with this code that could not talk to a gpiosk board."""
    for link in links:
        if code_of(link) != "gpiosk":
            continue
        mode, mtu = link.below("mode"), link.below("mtu")
        if mode is not None and mode.value != Mode.ETH:
            yield mode.fault(f"`code: gpiosk` cannot carry mode {mode.value}", "expected eth: its frames are Ethernet")
        if mtu is not None and mtu.value > GPIOSK_MTU:
            message = f"{mtu.value} is too large for `code: gpiosk`"
            yield mtu.fault(message, f"expected {LOWEST_MTU}..{GPIOSK_MTU}: a longer frame overruns a gpiosk board")
