"""A receiver written from the description of the wire alone: words -> frames -> stream -> records -> packets.

It shares nothing with gpiomux, not even a constant, and does everything the plain way: bit by bit, byte by byte. What
it is written from are the docstrings of `codec.py`, `cobs.py`, `frame.py`, `record.py` and `packet.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


def crc32(data: bytes) -> int:
    """CRC-32 (ISO-HDLC)."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def unstuff(stuffed: bytes) -> bytes | None:
    """A code byte says how far it is to the next one; where it is not 255, a zero stood there."""
    data, position = b"", 0
    while position < len(stuffed):
        code = stuffed[position]
        if code == 0 or position + code > len(stuffed):
            return None
        data += stuffed[position + 1 : position + code]
        position += code
        if code != 255 and position < len(stuffed):
            data += b"\0"
    return data if stuffed else None


@dataclass
class SecondReceiver:
    """One direction of a link.

    Attributes:
        packets: (mark, payload) of each packet, in order.
        hellos: the hellos that were heard, as bytes.
    """

    width: int
    datagram: bool = False
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    hellos: list[bytes] = field(default_factory=list)
    frames: int = 0
    _bits: list[int] = field(default_factory=list)
    """Since the start byte of a frame, least significant bit of each byte first."""
    _zeros: int = 0
    _positions: dict[int, int] = field(default_factory=dict)
    """Bytes that have come early, by position."""
    _expected: int = 0
    _record: bytes = b""
    _lanes: dict[int, bytes] = field(default_factory=dict)

    def begin_session(self) -> None:
        """Both ends have a carrier again: positions count from 0."""
        self._positions, self._expected, self._record, self._lanes = {}, 0, b"", {}

    def hear(self, words: bytes) -> None:
        """Take words as they stand on the data lines."""
        for word in words:
            if not self._bits and word == 0:
                continue  # between frames
            for line in range(self.width):
                self._bits.append(word >> line & 1)
            self._zeros = self._zeros + self.width if word == 0 else 0
            if self._zeros == 16:
                self._end_of_frame()

    def _end_of_frame(self) -> None:
        bits, self._bits, self._zeros = self._bits[:-16], [], 0
        bits += [0] * (-len(bits) % 8)  # the last byte may share its zeros with the end
        line = bytes(sum(bits[at + place] << place for place in range(8)) for at in range(0, len(bits), 8))
        if line[0] != 0x01:
            return
        checked = unstuff(line[1:])
        if checked is None or len(checked) < 5 or crc32(checked[:-4]) != int.from_bytes(checked[-4:], "big"):
            return
        self.frames += 1
        self._frame(checked[:-4])

    def _frame(self, frame: bytes) -> None:
        if frame[0] >> 4 == 1:
            self.hellos.append(frame)
        elif frame[0] >> 4 == 2:
            position, beside = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            if self.datagram:
                self._datagram(position + 65536 * beside, frame[5:])
            else:
                self._data(position, frame[5:])

    def _data(self, position: int, data: bytes) -> None:
        distance = (position - self._expected) % 65536
        start = self._expected + (distance if distance < 32768 else distance - 65536)
        for number, byte in enumerate(data):
            if start + number >= self._expected:
                self._positions[start + number] = byte
        while self._expected in self._positions:
            self._byte(self._positions.pop(self._expected))
            self._expected += 1

    def _datagram(self, position: int, data: bytes) -> None:
        if position != self._expected:
            self._lanes = {}
        for byte in data:
            self._byte(byte)
        self._expected = (position + len(data)) % (1 << 32)

    def _byte(self, byte: int) -> None:
        self._record += bytes([byte])
        if len(self._record) < 3:
            return
        flags, length = self._record[0], int.from_bytes(self._record[1:3], "big")
        if len(self._record) == 3 + length:
            piece, self._record = self._record[3:], b""
            self._piece(flags, piece)

    def _piece(self, flags: int, piece: bytes) -> None:
        lane = flags >> 2
        if flags & 1:
            self._lanes[lane] = b""
        if lane not in self._lanes:
            return
        self._lanes[lane] += piece
        if flags & 2:
            packet = self._lanes.pop(lane)
            mark, length = int.from_bytes(packet[0:4], "big"), int.from_bytes(packet[4:6], "big")
            if length == len(packet) - 8:
                self.packets.append((mark, packet[8:]))
