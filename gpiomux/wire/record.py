"""Records: pieces of packets in the stream of bytes, so that a short packet need not wait for a long one.

    flags u8, length u16, then as many bytes of the packet

Flags: 1 first piece of a packet, 2 last piece, 4 and 8 the lane (0..3). Pieces of packets on different lanes may be
mixed; those of one lane belong together. All numbers are in network byte order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES

FIRST, LAST, LANE_SHIFT, LANES = 1, 2, 2, 4
FLAGS = FIRST | LAST | (LANES - 1) << LANE_SHIFT
HEADER = struct.Struct(">BH")
MAX_PIECE_BYTES = MAX_FRAME_DATA_BYTES - HEADER.size
"""A record fits into one frame."""


@dataclass(frozen=True, slots=True)
class Record:
    """One piece of a packet.

    Attributes:
        flags: FIRST, LAST and the lane.
        piece: its bytes; empty only in a packet that is.
    """

    flags: int
    piece: bytes

    @property
    def lane(self) -> int:
        """0..3."""
        return self.flags >> LANE_SHIFT

    def encode(self) -> bytes:
        """The bytes of the record."""
        return HEADER.pack(self.flags, len(self.piece)) + self.piece


class RecordReader:
    """Finds the records in a stream whose bytes come in any portions."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Record] | None:
        """The records that `data` completes, or None if the stream cannot be a stream of records."""
        self._bytes += data
        records = []
        position = 0
        while len(self._bytes) - position >= HEADER.size:
            flags, length = HEADER.unpack_from(self._bytes, position)
            if flags & ~FLAGS or length > MAX_PIECE_BYTES:
                return None
            end = position + HEADER.size + length
            if end > len(self._bytes):
                break
            records.append(Record(flags, bytes(self._bytes[position + HEADER.size : end])))
            position = end
        del self._bytes[:position]
        return records

    def forget(self) -> None:
        """The rest of a record will not come: begin anew."""
        self._bytes.clear()
