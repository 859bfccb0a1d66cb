"""A packet and the eight header bytes that precede it on the wire, in every mode.

The header is muennet's `net_hdr`, in network byte order: mark u32, length u16, protocol u8, qos u8. For IP packets
`protocol` is 4 (IPv4) or 41 (IPv6) and `qos` the DSCP, as muennet fills them in; otherwise both are 0.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = struct.Struct(">IHBB")
MAX_PACKET_BYTES = 0xFFFF
PROTOCOL_IPV4 = 4
PROTOCOL_IPV6 = 41


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet with its mark.

    Attributes:
        mark: netfilter mark, 0 for none.
        payload: by mode: an Ethernet frame, an IP packet, or a protocol number (u16) and raw bytes.
    """

    mark: int
    payload: bytes

    def encode(self) -> bytes:
        """Header and payload.

        Raises:
            struct.error: the payload is longer than MAX_PACKET_BYTES.
        """
        protocol, qos = ip_fields(self.payload)
        return HEADER.pack(self.mark, len(self.payload), protocol, qos) + self.payload

    @staticmethod
    def decode(data: bytes) -> Packet | None:
        """The packet in `data`, or None if its length is not the one that the header tells."""
        if len(data) < HEADER.size:
            return None
        mark, length, _, _ = HEADER.unpack_from(data)
        payload = data[HEADER.size :]
        return Packet(mark, payload) if len(payload) == length else None


def ip_fields(payload: bytes) -> tuple[int, int]:
    """Protocol and DSCP for the header; only a hint, which receivers do not rely on."""
    if len(payload) >= 20 and payload[0] >> 4 == 4:
        return PROTOCOL_IPV4, payload[1] >> 2
    if len(payload) >= 40 and payload[0] >> 4 == 6:
        return PROTOCOL_IPV6, (payload[0] << 8 | payload[1]) >> 6 & 0x3F
    return 0, 0
