"""What the way of a packet carries at most (path MTU), by its mark, and what becomes of a larger packet. Pure.

A larger IPv4 packet is cut into fragments; one that must not be cut, and any of IPv6, is dropped, and its sender told
what goes through, as by any router. TCP and everything else that discovers the path MTU (RFC 1191, RFC 8201) then goes
on with smaller packets.
"""

from __future__ import annotations

from typing import NamedTuple

from gpiomux.wire.fragments import DONT_FRAGMENT, fragments
from gpiomux.wire.too_big import fragmentation_needed, packet_too_big

LOWEST = 68
"""RFC 791: what every way carries."""
LOWEST_IPV6 = 1280
"""RFC 8200, section 5: a limit below holds for IPv4 only."""
HIGHEST = 0xFFFF

_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_VLAN = frozenset({b"\x81\x00", b"\x88\xa8"})
_VLAN_BYTES = 4
_IPV4_HEADER_BYTES = 20
_IPV6_HEADER_BYTES = 40
_KIND_AT = {"eth": 12, "raw": 0}
"""Where the EtherType is; `net_hdr` has none."""
_HEADER_BYTES = {"eth": 14, "net_hdr": 0, "raw": 2}
"""What stands before the IP packet, by the name of the mode."""


class TooBig(NamedTuple):
    """The packet is not to be sent."""

    answer: bytes | None
    """For its sender, a packet of the same mode; None if nobody may be told."""


class PathMtus:
    """The limits of one link.

    Attributes:
        by_mark: mark -> the most bytes of an IP packet that bears it.
        unchecked_bytes: a packet of the link's mode that is no longer keeps every limit.
    """

    def __init__(self, mode: str) -> None:
        """Begin without limits; `mode` is the name of the link's."""
        self._mode = mode
        self._mtu = HIGHEST
        self.by_mark: dict[int, int] = {}
        self._summarise()

    def set_mtu(self, mtu: int) -> None:
        """Limit the packets of all marks to what the link carries."""
        self._mtu = mtu
        self._summarise()

    def put(self, mark: int, limit_bytes: int) -> None:
        """Limit the packets of one mark, 68 bytes at least."""
        self.by_mark[mark] = limit_bytes
        self._summarise()

    def remove(self, mark: int) -> None:
        """Limit a mark no longer.

        Raises:
            KeyError: it was not limited.
        """
        del self.by_mark[mark]
        self._summarise()

    def fitted(self, mark: int, payload: bytes) -> tuple[bytes, ...] | TooBig:
        """What a packet of the link's mode is sent as; what is no sound IP packet as it is."""
        return fitted(self._mode, payload, min(self._mtu, self.by_mark.get(mark, self._mtu)))

    def _summarise(self) -> None:
        self.unchecked_bytes = min(self._mtu, *self.by_mark.values(), HIGHEST) + _HEADER_BYTES[self._mode]


def fitted(mode: str, payload: bytes, limit_bytes: int) -> tuple[bytes, ...] | TooBig:
    """What a packet is sent as under a limit.

    Args:
        mode: its name.
        payload: as `gpiomux.wire.packet.Packet` has it.
        limit_bytes: the most of an IP packet, 68..65535.

    Returns:
        The packet itself if it is not too large, or no sound IP packet; else its fragments, or why there are none.
    """
    start = _header_end(mode, payload)
    version = 0 if start is None else payload[start] >> 4
    if start is None or version not in (4, 6):
        return (payload,)
    head, rest = payload[:start], payload[start:]
    if version == 4:
        return _fitted_ipv4(mode, head, rest, limit_bytes)
    return _fitted_ipv6(mode, head, rest, max(limit_bytes, LOWEST_IPV6))


def _header_end(mode: str, payload: bytes) -> int | None:
    """Where the IP packet begins; None if there is none."""
    start = _HEADER_BYTES[mode]
    if mode in _KIND_AT:
        kind = payload[_KIND_AT[mode] : start]
        if mode == "eth" and kind in _VLAN:
            start += _VLAN_BYTES
            kind = payload[start - 2 : start]
        if kind not in (_IPV4, _IPV6) or len(payload) <= start or payload[start] >> 4 != (4 if kind == _IPV4 else 6):
            return None
    return start if len(payload) > start else None


def _fitted_ipv4(mode: str, head: bytes, rest: bytes, limit_bytes: int) -> tuple[bytes, ...] | TooBig:
    length = int.from_bytes(rest[2:4], "big")
    header_bytes = 4 * (rest[0] & 15)
    if length <= limit_bytes or not _IPV4_HEADER_BYTES <= header_bytes <= length <= len(rest):
        return (head + rest,)
    packet = rest[:length]  # an Ethernet frame may be padded
    if int.from_bytes(packet[6:8], "big") & DONT_FRAGMENT:
        return _too_big(mode, head, fragmentation_needed(packet, limit_bytes))
    pieces = fragments(packet, limit_bytes)
    return (head + rest,) if pieces is None else tuple(head + piece for piece in pieces)


def _fitted_ipv6(mode: str, head: bytes, rest: bytes, limit_bytes: int) -> tuple[bytes, ...] | TooBig:
    length = _IPV6_HEADER_BYTES + int.from_bytes(rest[4:6], "big")
    if length <= limit_bytes or length > len(rest):
        return (head + rest,)
    return _too_big(mode, head, packet_too_big(rest[:length], limit_bytes))


def _too_big(mode: str, head: bytes, answer: bytes | None) -> TooBig:
    """The answer with what stands before an IP packet in this mode: an Ethernet frame goes back where it came from."""
    if mode != "eth" or answer is None:
        return TooBig(None if answer is None else head + answer)
    destination, source = head[:6], head[6:12]
    if (destination[0] | source[0]) & 1:  # a group of hosts is nobody's source
        return TooBig(None)
    return TooBig(source + destination + head[12:] + answer)
