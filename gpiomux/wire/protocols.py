"""What a packet holds, for the counters by protocol: one look at its header gives one number. Pure.

The number joins network and transport protocol, so that a packet costs one increment; `by_name` adds up what a reader
wants to know. Nothing in a packet is believed but where its bytes are: a short one is told by what it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ARP, OTHER, RAW, IPV4, IPV6 = 0, 1, 2, 3, 7
"""Kinds of packets. IPV4 and IPV6 are the first of four: plus 0 for another protocol, 1 ICMP, 2 TCP, 3 UDP."""
KINDS = 11
"""How many kinds there are."""

_SUMS: Mapping[str, tuple[int, ...]] = {
    "arp": (ARP,),
    "ipv4": tuple(range(IPV4, IPV4 + 4)),
    "ipv6": tuple(range(IPV6, IPV6 + 4)),
    "icmp": (IPV4 + 1, IPV6 + 1),
    "tcp": (IPV4 + 2, IPV6 + 2),
    "udp": (IPV4 + 3, IPV6 + 3),
    "other": (OTHER, IPV4, IPV6),
    "raw": (RAW,),
}

_EXTENSIONS = frozenset({0, 43, 44, 60})
"""IPv6 extension headers: hop-by-hop options, routing, fragment, destination options (RFC 8200, section 4)."""
_FRAGMENT, _FRAGMENT_BYTES = 44, 8
_MOST_EXTENSIONS = 8
"""RFC 8200 wants each but one kind at most once; a packet with more of them is hostile."""
_BEHIND = 255
"""In `_OF_IPV6`: the protocol stands behind extension headers."""
_TAGS = frozenset({b"\x81\x00", b"\x88\xa8"})
"""EtherTypes of VLAN tags, IEEE 802.1Q and 802.1ad."""
_MOST_TAGS = 2


def _table(first: int, transports: Mapping[int, int]) -> bytes:
    return bytes(first + transports.get(number, 0) for number in range(256))


_OF_IPV4 = _table(IPV4, {1: 1, 6: 2, 17: 3})
"""By the protocol number (IANA): ICMP, TCP, UDP."""
_OF_IPV6 = bytes(
    _BEHIND if number in _EXTENSIONS else kind for number, kind in enumerate(_table(IPV6, {58: 1, 6: 2, 17: 3}))
)


def of_ip_packet(packet: bytes) -> int:
    """The kind of what a link in mode `net_hdr` carries."""
    if len(packet) >= 20:
        version = packet[0] >> 4
        if version == 4:
            return _OF_IPV4[packet[9]]
        if version == 6:
            kind = _OF_IPV6[packet[6]]
            return kind if kind != _BEHIND else _behind_extensions(packet, 40, packet[6])
    return OTHER


def of_frame(frame: bytes) -> int:
    """The kind of what a link in mode `eth` carries; the EtherType says what it is, also of a packet cut short."""
    ethertype, at = frame[12:14], 14
    if ethertype in _TAGS:
        ethertype, at = _behind_tags(frame)
    if ethertype == b"\x08\x00":
        return _OF_IPV4[frame[at + 9]] if len(frame) >= at + 20 else IPV4
    if ethertype == b"\x86\xdd":
        if len(frame) < at + 40:
            return IPV6
        kind = _OF_IPV6[frame[at + 6]]
        return kind if kind != _BEHIND else _behind_extensions(frame, at + 40, frame[at + 6])
    return ARP if ethertype == b"\x08\x06" else OTHER


def of_raw(_packet: bytes) -> int:
    """The kind of what a link in mode `raw` carries: its bytes need not be what their number says."""
    return RAW


KIND_OF: Mapping[str, Callable[[bytes], int]] = {"eth": of_frame, "net_hdr": of_ip_packet, "raw": of_raw}
"""By the name of the mode."""


def by_name(counted: Sequence[int]) -> dict[str, int]:
    """Packets by protocol, of packets by kind.

    `arp`, `icmp`, `tcp`, `udp`, `other` and `raw` add up to all packets; `ipv4` and `ipv6` tell the same packets by
    their network protocol.
    """
    return {name: sum(counted[kind] for kind in kinds) for name, kinds in _SUMS.items()}


def _behind_tags(frame: bytes) -> tuple[bytes, int]:
    """The EtherType behind VLAN tags, and where its packet begins."""
    at = 14
    for _ in range(_MOST_TAGS):
        ethertype, at = frame[at + 2 : at + 4], at + 4
        if ethertype not in _TAGS:
            break
    return ethertype, at


def _behind_extensions(packet: bytes, at: int, number: int) -> int:
    """The kind of an IPv6 packet with extension headers, of which the first, `number`, is at `at`."""
    for _ in range(_MOST_EXTENSIONS):
        if number not in _EXTENSIONS or len(packet) < at + 2:
            break
        length_bytes = _FRAGMENT_BYTES if number == _FRAGMENT else (packet[at + 1] + 1) * 8
        number, at = packet[at], at + length_bytes
    kind = _OF_IPV6[number]
    return kind if kind != _BEHIND else IPV6
