"""Which flow a packet belongs to, so that packets of one flow stay in order and flows share a link fairly."""

from __future__ import annotations

_WITH_PORTS = frozenset({6, 17, 33, 132})
"""TCP, UDP, DCCP, SCTP: source and destination port are the first four bytes (RFC 9293, 768, 4340, 9260)."""
_IP_OFFSET = {"eth": 14, "net_hdr": 0, "raw": 2}
_ETHERTYPE_IPV4 = b"\x08\x00"
_ETHERTYPE_IPV6 = b"\x86\xdd"


def flow_of(mode: str, mark: int, payload: bytes) -> bytes:
    """A key that is the same for packets that must not overtake each other.

    It is made of mark, addresses, protocol and ports of an IP packet; of mark and the first bytes of anything else.

    Args:
        mode: of the link, which says where an IP header may begin.
        mark: of the packet.
        payload: the packet.
    """
    head = mark.to_bytes(4, "big")
    start = _IP_OFFSET[mode]
    kind = payload[start - 2 : start] if start else b""
    version = payload[start] >> 4 if len(payload) > start else 0
    if version == 4 and kind in (b"", _ETHERTYPE_IPV4) and len(payload) >= start + 20:
        return head + _ipv4(payload, start)
    if version == 6 and kind in (b"", _ETHERTYPE_IPV6) and len(payload) >= start + 40:
        return head + _ipv6(payload, start)
    return head + payload[: start or 16]


def _ipv4(payload: bytes, start: int) -> bytes:
    protocol = payload[start + 9]
    key = payload[start + 12 : start + 20] + bytes([protocol])
    fragmented = int.from_bytes(payload[start + 6 : start + 8], "big") & 0x3FFF
    if protocol in _WITH_PORTS and not fragmented:
        ports = start + (payload[start] & 15) * 4
        key += payload[ports : ports + 4]
    return key


def _ipv6(payload: bytes, start: int) -> bytes:
    protocol = payload[start + 6]
    key = payload[start + 8 : start + 40] + bytes([protocol])
    if protocol in _WITH_PORTS:
        key += payload[start + 40 : start + 44]
    return key
