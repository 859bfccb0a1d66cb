"""The Internet checksum, and those of TCP and UDP that the sender left to hardware it does not have. Pure.

gpiosk claims NETIF_F_HW_CSUM and computes nothing: what its kernel sends by itself bears in the checksum field the sum
of the pseudo-header only (CHECKSUM_PARTIAL; RFC 9293, section 3.1, RFC 768, and RFC 8200, section 8.1).
"""

from __future__ import annotations

_ETHERNET_HEADER_BYTES = 14
_IPV4, _IPV6 = 0x0800, 0x86DD
_FIELD = {6: 16, 17: 6}
"""Where the checksum is, by protocol: TCP and UDP."""
_LEAST = {6: 20, 17: 8}
"""Bytes of the header."""
_UDP = 17
_EXTENSIONS = frozenset({0, 43, 60})
"""Hop-by-hop options, routing and destination options of IPv6. A fragment (44) bears a complete checksum."""


def complete_checksum(frame: bytes) -> bytes | None:
    """The frame with the checksum that its sender left out; None if it left out none.

    Args:
        frame: Ethernet, perhaps with padding behind the packet.
    """
    found = _segment(frame)
    if found is None:
        return None
    start, end, protocol, addresses = found
    length = end - start
    if length < _LEAST[protocol]:
        return None
    field = start + _FIELD[protocol]
    pseudo = _sum(addresses + length.to_bytes(4, "big") + bytes((0, 0, 0, protocol)))
    if int.from_bytes(frame[field : field + 2], "big") != pseudo:
        return None
    # The field holds the sum of the pseudo-header, which belongs to what is summed.
    checksum = _sum(frame[start:end]) ^ 0xFFFF
    if checksum == 0 and protocol == _UDP:
        checksum = 0xFFFF  # 0 says that there is none
    return frame[:field] + checksum.to_bytes(2, "big") + frame[field + 2 :]


def internet_checksum(data: bytes) -> int:
    """The checksum of RFC 1071 over data in which its own field is zero."""
    return _sum(data) ^ 0xFFFF


def _segment(frame: bytes) -> tuple[int, int, int, bytes] | None:
    """Where the TCP or UDP segment begins and ends, its protocol, and both addresses; None if there is none."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == _IPV4:
        return _in_ipv4(frame, _ETHERNET_HEADER_BYTES)
    return _in_ipv6(frame, _ETHERNET_HEADER_BYTES) if kind == _IPV6 else None


def _in_ipv4(frame: bytes, at: int) -> tuple[int, int, int, bytes] | None:
    if len(frame) < at + 20 or frame[at] >> 4 != 4:
        return None
    start = at + 4 * (frame[at] & 15)
    end = at + int.from_bytes(frame[at + 2 : at + 4], "big")
    fragmented = int.from_bytes(frame[at + 6 : at + 8], "big") & 0x3FFF
    protocol = frame[at + 9]
    if fragmented or protocol not in _FIELD or not at + 20 <= start <= end <= len(frame):
        return None
    return start, end, protocol, frame[at + 12 : at + 20]


def _in_ipv6(frame: bytes, at: int) -> tuple[int, int, int, bytes] | None:
    if len(frame) < at + 40 or frame[at] >> 4 != 6:
        return None
    start = at + 40
    end = start + int.from_bytes(frame[at + 4 : at + 6], "big")
    if end > len(frame):
        return None
    protocol = frame[at + 6]
    while protocol in _EXTENSIONS and start + 8 <= end:
        protocol, start = frame[start], start + 8 * (frame[start + 1] + 1)
    if protocol not in _FIELD or start > end:
        return None
    return start, end, protocol, frame[at + 8 : at + 40]


def _sum(data: bytes) -> int:
    """The one's complement sum of RFC 1071, not inverted."""
    # 2^16 is 1 modulo 0xFFFF, so the sum of 16-bit words is the number itself modulo 0xFFFF; 0 only if all is 0.
    number = int.from_bytes(data + b"\0" * (len(data) % 2), "big")
    return (number % 0xFFFF or 0xFFFF) if number else 0
