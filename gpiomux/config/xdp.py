"""Rules of XDP programs: what can be attached, and where a TAP really runs one natively.

The kernel attaches a native program to any TAP, and then runs it generically where it cannot do otherwise, without a
word (tun_can_build_skb in drivers/net/tun.c). So what it cannot do is refused here.
"""

from __future__ import annotations

import mmap

from gpiomux.config.model import Mode

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
