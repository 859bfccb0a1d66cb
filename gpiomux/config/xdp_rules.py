"""Rules of XDP programs in a file: paths that mean something, and modes that the interface really has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpiomux.config.defaults import netdev_of
from gpiomux.config.lines import code_of
from gpiomux.config.model import GpioskCode, HandshakeCode, Mode, XdpMode
from gpiomux.config.text import quoted
from gpiomux.config.xdp import BUILT_IN, native_obstacle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault


def xdp_faults(links: list[Spot], *, has_directory: bool) -> Iterator[Fault]:
    """Everything that is wrong with programs.

    Args:
        links: of the document.
        has_directory: the document is a file, so that relative paths in it mean something.
    """
    for link in links:
        for netdev in (link, *link.items("children")):
            xdp = netdev.below("xdp")
            if xdp is not None:
                yield from _program_faults(xdp, has_directory=has_directory)
                yield from _mode_faults(xdp, netdev, link)


def _program_faults(xdp: Spot, *, has_directory: bool) -> Iterator[Fault]:
    spot = xdp if isinstance(xdp.value, str) else xdp.below("program")
    if spot is None:
        return
    if spot.value in BUILT_IN:
        if xdp.mentions("name"):
            yield xdp.key_fault("name", f"the program {spot.value} is built in and has no name", "remove it")
    elif not has_directory and not os.path.isabs(spot.value):
        message = f"the path {quoted(spot.value)} is relative, and this configuration is no file with a directory"
        yield spot.fault(message, "expected pass, drop, or an absolute path")


def _mode_faults(xdp: Spot, netdev: Spot, link: Spot) -> Iterator[Fault]:
    mode = link.get("mode")
    stated = xdp.below("mode") if isinstance(xdp.value, dict) else None
    if stated is None or stated.value != XdpMode.NATIVE or mode is None:
        return
    owner = netdev if netdev.mentions("mtu") else link
    default = netdev_of(GpioskCode() if code_of(link) == "gpiosk" else HandshakeCode()).mtu
    mtu = owner.get("mtu") if owner.mentions("mtu") else default
    obstacle = native_obstacle(Mode(mode), link.get("rx_ring"), mtu or 0)
    if obstacle:
        yield stated.fault(f"no native XDP here: {obstacle}", "expected generic, or no mode")
