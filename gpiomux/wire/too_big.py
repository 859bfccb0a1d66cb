"""What a sender is told whose packet is too big for the way it has to go. Pure.

The answer of a router: ICMP "fragmentation needed" (RFC 792 and RFC 1191, section 4), ICMPv6 "packet too big" (RFC
4443, section 3.2). Its source is the destination of the packet, as in iptunnel_pmtud_build_icmp and
iptunnel_pmtud_build_icmpv6 of net/ipv4/ip_tunnel_core.c: an address of this host would be a martian on the interface.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from gpiomux.wire.checksums import internet_checksum
from gpiomux.wire.fragments import DONT_FRAGMENT, OFFSET

_IPV4_HEADER_BYTES = 20
_IPV6_HEADER_BYTES = 40
_ICMP_HEADER_BYTES = 8
_IPV4_ANSWER_BYTES = 576
"""The most of an answer: what every IPv4 host takes (RFC 1812, section 4.3.2.3)."""
_IPV6_ANSWER_BYTES = 1280
"""The same of IPv6 (RFC 4443, section 2.4 c)."""

_ICMP, _ICMPV6, _FRAGMENT = 1, 58, 44
_UNREACHABLE, _FRAGMENTATION_NEEDED = 3, 4
_ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
"""Unreachable, source quench, redirect, time exceeded, parameter problem (RFC 1122, section 3.2.2)."""
_PACKET_TOO_BIG = 2
_LOWEST_INFORMATION = 128
"""ICMPv6 types below are errors; redirect is none, and gets no answer either (RFC 4443, section 2.4 e)."""
_REDIRECT = 137
_EXTENSIONS = frozenset({0, 43, 60})
"""Hop-by-hop options, routing and destination options."""


def fragmentation_needed(packet: bytes, limit_bytes: int) -> bytes | None:
    """The answer to an IPv4 packet that must not be cut.

    Args:
        packet: as long as its header says.
        limit_bytes: what would go through.

    Returns:
        An IPv4 packet to the sender; None if a router has to keep silent (RFC 1812, section 4.3.2.7).
    """
    source, destination = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    if not (_is_host_ipv4(source) and _is_host_ipv4(destination)) or _is_silenced_ipv4(packet):
        return None
    quoted = packet[: _IPV4_ANSWER_BYTES - _IPV4_HEADER_BYTES - _ICMP_HEADER_BYTES]
    kind = bytes((_UNREACHABLE, _FRAGMENTATION_NEEDED))
    message = kind + bytes(4) + limit_bytes.to_bytes(2, "big") + quoted
    message = kind + internet_checksum(message).to_bytes(2, "big") + message[4:]
    header = b"".join(
        (
            b"\x45\0",
            (_IPV4_HEADER_BYTES + len(message)).to_bytes(2, "big"),
            b"\0\0",
            DONT_FRAGMENT.to_bytes(2, "big"),
            bytes((packet[8], _ICMP)),
            b"\0\0",
            destination.packed,
            source.packed,
        )
    )
    return header[:10] + internet_checksum(header).to_bytes(2, "big") + header[12:] + message


def packet_too_big(packet: bytes, limit_bytes: int) -> bytes | None:
    """The answer to an IPv6 packet.

    Args:
        packet: as long as its header says.
        limit_bytes: what would go through, 1280 at least: no sender believes less (RFC 8201, section 4).

    Returns:
        An IPv6 packet to the sender; None if a router has to keep silent (RFC 4443, section 2.4 e).
    """
    source, destination = packet[8:24], packet[24:40]
    if not (_is_host_ipv6(source) and _is_host_ipv6(destination)) or _is_silenced_ipv6(packet):
        return None
    quoted = packet[: _IPV6_ANSWER_BYTES - _IPV6_HEADER_BYTES - _ICMP_HEADER_BYTES]
    kind = bytes((_PACKET_TOO_BIG, 0))
    rest = limit_bytes.to_bytes(4, "big") + quoted
    length = _ICMP_HEADER_BYTES + len(quoted)
    # The pseudo-header of RFC 8200, section 8.1.
    summed = destination + source + length.to_bytes(4, "big") + bytes((0, 0, 0, _ICMPV6)) + kind + b"\0\0" + rest
    header = b"\x60\0\0\0" + length.to_bytes(2, "big") + bytes((_ICMPV6, packet[7])) + destination + source
    return header + kind + internet_checksum(summed).to_bytes(2, "big") + rest


def _is_host_ipv4(address: IPv4Address) -> bool:
    """Whether it may be the source of a packet that goes between hosts."""
    first = address.packed[0]
    return first not in (0, 127) and not address.is_multicast and address.packed != b"\xff" * 4


def _is_silenced_ipv4(packet: bytes) -> bool:
    """Whether it is an error itself, or a fragment that is not the first."""
    header_bytes = 4 * (packet[0] & 15)
    if int.from_bytes(packet[6:8], "big") & OFFSET:
        return True
    return packet[9] == _ICMP and (len(packet) <= header_bytes or packet[header_bytes] in _ICMP_ERRORS)


def _is_host_ipv6(packed: bytes) -> bool:
    address = IPv6Address(packed)
    return not (address.is_multicast or address.is_unspecified or address.is_loopback)


def _is_silenced_ipv6(packet: bytes) -> bool:
    """Whether it is an error or a redirect itself, or a fragment that is not the first."""
    protocol, at = packet[6], _IPV6_HEADER_BYTES
    while protocol in _EXTENSIONS or protocol == _FRAGMENT:
        if at + 8 > len(packet):
            return True
        if protocol == _FRAGMENT and int.from_bytes(packet[at + 2 : at + 4], "big") & ~7:
            return True
        following = 8 if protocol == _FRAGMENT else 8 * (packet[at + 1] + 1)
        protocol, at = packet[at], at + following
    if protocol != _ICMPV6:
        return False
    return at >= len(packet) or packet[at] < _LOWEST_INFORMATION or packet[at] == _REDIRECT
