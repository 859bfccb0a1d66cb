"""Marks that nobody set: the kernel's own multicast reports leave with rubbish in `skb->mark`.

In an MLDv2 or IGMPv3 report `skb->mark` still holds `reserved_tailroom`, which shares its memory (struct sk_buff;
mld_newpack, igmpv3_newpack). Such a number could choose a child, so these packets count as unmarked.
"""

from __future__ import annotations

_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_VLAN = (b"\x81\x00", b"\x88\xa8")

_ALL_MLDV2_ROUTERS = bytes.fromhex("ff02" + "00" * 13 + "16")
_IGMPV3_ROUTERS = bytes((224, 0, 0, 22))
_HOP_BY_HOP, _ICMPV6, _MLDV2_REPORT = 0, 58, 143
_IGMP, _IGMPV3_REPORT = 2, 0x22


def without_stray(kind: str, mark: int, packet: bytes) -> int:
    """The mark as somebody may have set it: 0 for a multicast report of the kernel, else `mark`."""
    if mark == 0:
        return 0
    if kind == "tun":
        protocol, start = (_IPV6 if packet[:1] >= b"\x60" else _IPV4), 0
    elif kind == "tun-pi":
        protocol, start = packet[:2], 2
    else:
        protocol, start = packet[12:14], 14
        while protocol in _VLAN:
            protocol, start = packet[start + 2 : start + 4], start + 4
    return 0 if _is_report(protocol, packet, start) else mark


def _is_report(protocol: bytes, packet: bytes, start: int) -> bool:
    if protocol == _IPV6:
        # Fixed header (40 bytes), hop-by-hop options with the router alert (8 bytes), ICMPv6: RFC 3810, section 5.2.
        return (
            packet[start + 24 : start + 40] == _ALL_MLDV2_ROUTERS
            and len(packet) > start + 48
            and packet[start + 6] == _HOP_BY_HOP
            and packet[start + 40] == _ICMPV6
            and packet[start + 48] == _MLDV2_REPORT
        )
    if protocol == _IPV4 and packet[start + 16 : start + 20] == _IGMPV3_ROUTERS and packet[start + 9] == _IGMP:
        after = start + (packet[start] & 0xF) * 4
        return len(packet) > after and packet[after] == _IGMPV3_REPORT
    return False
