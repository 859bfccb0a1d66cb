"""The packets of the traffic generator, without the header of the link. Pure.

Each bears its number in the first bytes of what it carries, so no two are alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.wire.checksums import internet_checksum

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
EXPERIMENTAL = 0x88B5
"""EtherType for experiments on a local network (IEEE 802, local experimental EtherType 1)."""
DISCARD_PORT = 9
"""RFC 863: who listens there throws it away; both ports, so that an answer goes there too."""

ARP_BYTES = 28
UDP_HEADER_BYTES = 8
IP_HEADER_BYTES = {4: 20, 6: 40}
"""By version of IP."""
_HOPS = 64
_UDP = 17


def arp_request(mac: bytes, sender: IPv4Address, target: IPv4Address, size_bytes: int) -> bytes:
    """An ARP request of Ethernet and IPv4 (RFC 826), with zeros behind it up to `size_bytes`."""
    head = b"\0\1\x08\0\6\4\0\1"  # Ethernet, IPv4, their lengths, request
    return (head + mac + sender.packed + bytes(6) + target.packed).ljust(size_bytes, b"\0")


def udp_packet(
    source: IPv4Address | IPv6Address, destination: IPv4Address | IPv6Address, number: int, size_bytes: int
) -> bytes:
    """An IP packet with a UDP datagram to the discard port, `size_bytes` long in all; both addresses of one version."""
    addresses = source.packed + destination.packed
    length = size_bytes - IP_HEADER_BYTES[source.version]
    ports = DISCARD_PORT.to_bytes(2, "big") * 2 + length.to_bytes(2, "big")
    payload = carried(number, length - UDP_HEADER_BYTES)
    # The pseudo-header of IPv6 (RFC 8200, section 8.1) has the same sum as that of IPv4 (RFC 768).
    pseudo = addresses + length.to_bytes(4, "big") + bytes((0, 0, 0, _UDP))
    checksum = internet_checksum(pseudo + ports + b"\0\0" + payload) or 0xFFFF  # 0 says that there is none
    datagram = ports + checksum.to_bytes(2, "big") + payload
    if source.version == 6:
        return b"\x60\0\0\0" + length.to_bytes(2, "big") + bytes((_UDP, _HOPS)) + addresses + datagram
    start = (
        b"\x45\0" + size_bytes.to_bytes(2, "big") + (number & 0xFFFF).to_bytes(2, "big") + bytes((0, 0, _HOPS, _UDP))
    )
    header_checksum = internet_checksum(start + b"\0\0" + addresses)
    return start + header_checksum.to_bytes(2, "big") + addresses + datagram


def carried(number: int, size_bytes: int) -> bytes:
    """Data of that length: the number of the packet, and bytes that count up."""
    return (number.to_bytes(8, "big") + bytes(range(256)) * (size_bytes // 256 + 1))[:size_bytes]
