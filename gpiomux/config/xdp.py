"""XDP programs: plain data both ways, their paths, and where a TAP really runs one natively.

The kernel attaches a native program to any TAP, and then runs it generically where it cannot do otherwise, without a
word (tun_can_build_skb in drivers/net/tun.c). So what it cannot do is refused here.
"""

from __future__ import annotations

import mmap
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpiomux.config.model import Mode, Xdp, XdpMode
from gpiomux.config.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.config.model import Config, Link, Netdev

BUILT_IN = ("pass", "drop")
"""Programs that need no file."""
_MOST_CHARACTERS = 4095
"""Of a path (PATH_MAX), as in the schema."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
"""Of a function, as in the schema."""
NATIVE_FRAME_BYTES = (mmap.PAGESIZE - 320) // 64 * 64 - 256 - 64 - 2
"""The longest frame that a TAP of this machine runs native: with struct skb_shared_info, the headroom of XDP and that
of packets, and the alignment that some machines add, it has to fit into a page; all rounded to lines of the cache."""
NATIVE_MTU = NATIVE_FRAME_BYTES - 14 - 4
"""Without the Ethernet header and a VLAN tag."""


def native_obstacle(mode: Mode, rx_ring: int | None, mtu: int) -> str:
    """Why an interface cannot run a program natively, as half a sentence; empty if it can.

    Args:
        mode: of the link.
        rx_ring: of the link.
        mtu: of the interface.
    """
    if mode is not Mode.ETH:
        return f"mode {mode} has a TUN device, which runs XDP programs generically only"
    if rx_ring is not None:
        return "rx_ring limits what the TAP device holds, and then it runs XDP programs generically"
    if mtu > NATIVE_MTU:
        return f"a frame of mtu {mtu} does not fit into a page: on this machine native XDP has an mtu of {NATIVE_MTU}"
    return ""


def chosen_mode(xdp: Xdp, mode: Mode, rx_ring: int | None, mtu: int) -> tuple[XdpMode, str]:
    """Where a program runs, and why if it does not say so itself; the arguments are those of `native_obstacle`."""
    if xdp.mode is not None:
        return xdp.mode, ""
    obstacle = native_obstacle(mode, rx_ring, mtu)
    return (XdpMode.GENERIC, obstacle) if obstacle else (XdpMode.NATIVE, "its TAP device can")


def xdp_from_plain(plain: str | Mapping[str, Any] | None) -> Xdp | None:
    """A program, by itself or with its options."""
    if plain is None or isinstance(plain, str):
        return None if plain is None else Xdp(program=plain)
    mode = plain.get("mode")
    return Xdp(program=plain["program"], name=plain.get("name"), mode=None if mode is None else XdpMode(mode))


def xdp_to_plain(xdp: Xdp) -> str | dict[str, Any]:
    """What `xdp_from_plain` reads, as short as it can be."""
    stated = {"name": xdp.name, "mode": None if xdp.mode is None else xdp.mode.value}
    options = {key: value for key, value in stated.items() if value is not None}
    return {"program": xdp.program, **options} if options else xdp.program


def with_absolute_programs(config: Config, directory: str) -> Config:
    """The configuration with each path of a program made absolute; relative ones begin in `directory`."""

    def absolute(netdev: Netdev) -> Netdev:
        xdp = netdev.xdp
        if xdp is None or xdp.program in BUILT_IN:
            return netdev
        return replace(netdev, xdp=replace(xdp, program=os.path.normpath(os.path.join(directory, xdp.program))))

    def changed(link: Link) -> Link:
        if all(it.xdp is None for it in link.netdevs.values()):
            return link
        children = tuple(replace(child, netdev=absolute(child.netdev)) for child in link.children)
        return replace(link, netdev=absolute(link.netdev), children=children)

    return replace(config, links=tuple(changed(link) for link in config.links))


def program_fault(xdp: Xdp) -> str:
    """What is wrong with a program by itself, as a sentence; empty if nothing."""
    if xdp.program in BUILT_IN and xdp.name is not None:
        return f"the program {xdp.program} is built in and has no name"
    if not 0 < len(xdp.program) <= _MOST_CHARACTERS or "\0" in xdp.program:
        return f"{quoted(xdp.program)} is no path"
    if xdp.name is not None and not _NAME.fullmatch(xdp.name):
        return f"{quoted(xdp.name)} is not the name of a function"
    if xdp.program not in BUILT_IN and not os.path.isabs(xdp.program):
        return f"the path {quoted(xdp.program)} is relative"
    return ""
