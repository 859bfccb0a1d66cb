"""What the bytes of an SHMStream version 2 channel mean: its header, and the elements of each mode. Pure.

A channel is a region of memory with one writer: a header of eight 64-bit words, then `elements` elements of `size`
bytes each, without gaps, all in the byte order of the machine. The format is that of the Muen project's SHMStream
specification, the elements are those of its Linux driver muennet, so that either may be the other end.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol

from gpiomux.wire.packet import Packet, ip_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER_BYTES = 64
MARKER = 0x487312B6B79A9B6D
"""The first word of a channel of version 2."""
TRANSPORT, EPOCH, PROTOCOL, SIZE, ELEMENTS, RESERVED, WRITE_START, WRITE = range(8)
"""The words of the header: the marker; 0 while the channel is inactive, else a number that is new at every start; what
the stream carries; bytes of an element; elements; 0; elements whose writing has begun; elements that are written."""

RAW_ETHERTYPE = 0x88B5
"""What raw bytes are on arrival: the channel does not say it. The first local experimental EtherType of IEEE 802."""

_NET_HDR = struct.Struct("=IHBB")
"""muennet's `net_hdr`: mark, length of the packet, protocol (4 for IPv4, 41 for IPv6), DSCP."""
_LENGTH = struct.Struct("=H")
_ETHERTYPE = struct.Struct(">H")
_IP_LENGTH = struct.Struct(">H")
_IPV4_HEADER_BYTES = 20
_IPV6_HEADER_BYTES = 40
_ETHERNET_HEADER_BYTES = 14


class Layout(Protocol):
    """How packets of one mode stand in elements. Only `net_hdr` has a place for the mark of a packet."""

    def element_bytes(self, mtu: int) -> int:
        """Size of an element that holds any packet of an interface with this MTU."""

    def encode(self, packet: Packet, size_bytes: int) -> bytes | None:
        """The element of a packet, zero-padded; None for a packet that does not fit, or is none of this mode."""

    def decode(self, element: bytes) -> Packet | None:
        """The packet in an element; None if what the element says of itself cannot be true."""


class NetHdrLayout:
    """Header, IPv4 or IPv6 packet, padding. The length is the IP packet's own: muennet's readers rely on no other."""

    def element_bytes(self, mtu: int) -> int:
        """See `Layout.element_bytes`."""
        return mtu + _NET_HDR.size

    def encode(self, packet: Packet, size_bytes: int) -> bytes | None:
        """See `Layout.encode`."""
        length = len(packet.payload)
        protocol, qos = ip_fields(packet.payload)
        if not protocol or length + _NET_HDR.size > size_bytes:
            return None
        return (_NET_HDR.pack(packet.mark, length, protocol, qos) + packet.payload).ljust(size_bytes, b"\0")

    def decode(self, element: bytes) -> Packet | None:
        """See `Layout.decode`."""
        length = _ip_length(element, _NET_HDR.size)
        if length is None or _NET_HDR.size + length > len(element):
            return None
        mark: int = _NET_HDR.unpack_from(element)[0]
        return Packet(mark, element[_NET_HDR.size : _NET_HDR.size + length])


class EthLayout:
    """Ethernet frame without check sequence, padding, and its length in the last two bytes."""

    def element_bytes(self, mtu: int) -> int:
        """See `Layout.element_bytes`."""
        return mtu + _ETHERNET_HEADER_BYTES + _LENGTH.size

    def encode(self, packet: Packet, size_bytes: int) -> bytes | None:
        """See `Layout.encode`."""
        room_bytes = size_bytes - _LENGTH.size
        length = len(packet.payload)
        if length > room_bytes:
            return None
        return packet.payload.ljust(room_bytes, b"\0") + _LENGTH.pack(length)

    def decode(self, element: bytes) -> Packet | None:
        """See `Layout.decode`."""
        room_bytes = len(element) - _LENGTH.size
        if room_bytes < _ETHERNET_HEADER_BYTES:
            return None
        length: int = _LENGTH.unpack_from(element, room_bytes)[0]
        if not _ETHERNET_HEADER_BYTES <= length <= room_bytes:
            return None
        return Packet(0, element[:length])


class RawLayout:
    """Payload and padding: the channel carries neither a length nor the protocol number of a packet."""

    def element_bytes(self, mtu: int) -> int:
        """See `Layout.element_bytes`."""
        return mtu

    def encode(self, packet: Packet, size_bytes: int) -> bytes | None:
        """See `Layout.encode`."""
        raw = packet.payload[_ETHERTYPE.size :]
        return raw.ljust(size_bytes, b"\0") if len(raw) <= size_bytes else None

    def decode(self, element: bytes) -> Packet | None:
        """See `Layout.decode`."""
        return Packet(0, _ETHERTYPE.pack(RAW_ETHERTYPE) + element)


LAYOUTS: Mapping[str, Layout] = {"net_hdr": NetHdrLayout(), "eth": EthLayout(), "raw": RawLayout()}
"""By the name of the mode."""


def region_bytes(mode: str, mtu: int, elements: int) -> int:
    """Bytes of a channel with so many elements."""
    return HEADER_BYTES + elements * LAYOUTS[mode].element_bytes(mtu)


def _ip_length(data: bytes, at: int) -> int | None:
    """Length that an IP packet gives itself (RFC 791 and RFC 8200, section 3); None if it cannot be one."""
    if len(data) >= at + _IPV4_HEADER_BYTES and data[at] >> 4 == 4:
        length: int = _IP_LENGTH.unpack_from(data, at + 2)[0]
        return length if length >= _IPV4_HEADER_BYTES else None
    if len(data) >= at + _IPV6_HEADER_BYTES and data[at] >> 4 == 6:
        return _IPV6_HEADER_BYTES + int(_IP_LENGTH.unpack_from(data, at + 4)[0])
    return None
