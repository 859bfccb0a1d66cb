"""Frames to words and back: what goes over the data lines, and how a receiver finds its place again.

A frame travels as a start byte (0x01), the stuffed bytes (`cobs`) of the frame and its check sequence, and two zero
bytes. Words are 1, 2, 4 or 8 bits wide, the least significant bits of a byte first. Stuffed bytes hold no zero byte,
so never more than 14 zero bits in a row: 16 of them end a frame whatever was lost before, and the first word after
them that is not zero is the first of a start byte, which sets the byte boundary anew.

The check sequence is CRC-32 (ISO-HDLC, as in Ethernet and zlib) over the frame, most significant byte first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from gpiomux.wire import cobs
from gpiomux.wire.tap import Damage

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.wire.counters import Counters
    from gpiomux.wire.tap import FrameTap

START = 0x01
END = b"\0\0"
CRC_BYTES = 4
MAX_FRAME_BYTES = 640
"""Longest frame without check sequence; a longer one is an error of the peer or of the line."""
MAX_LINE_BYTES = 1 + MAX_FRAME_BYTES + CRC_BYTES + (MAX_FRAME_BYTES + CRC_BYTES) // cobs.GROUP + 1
"""Start byte and stuffed bytes of the longest frame."""
WIDTHS = (1, 2, 4, 8)


def _expansion(width: int) -> tuple[bytes, ...]:
    mask = (1 << width) - 1
    return tuple(bytes(byte >> shift & mask for shift in range(0, 8, width)) for byte in range(256))


def end_words(width: int) -> int:
    """Zero words in a row that end a frame."""
    return 16 // width


class Encoder:
    """Frames to words of one width."""

    def __init__(self, width: int) -> None:
        self._expansion = _expansion(width)
        self._identity = width == 8

    def encode(self, frame: bytes, *, resynchronise: bool = False) -> bytes:
        """One word in each byte of the result; with `resynchronise` led in by the end of whatever came before."""
        stuffed = cobs.encode(frame + crc32(frame).to_bytes(CRC_BYTES, "big"))
        line = b"%b%c%b%b" % (END if resynchronise else b"", START, stuffed, END)
        return line if self._identity else b"".join([self._expansion[byte] for byte in line])


class Decoder:
    """Words of one width to frames. Faults are counted, never raised.

    Attributes:
        tap: sees every frame that comes, also what is damaged; None: nobody looks.
    """

    def __init__(self, width: int, counters: Counters, on_damaged: Callable[[bytes], None] | None = None) -> None:
        """Begin between two frames; `on_damaged` is given the line bytes of each frame that is none any more."""
        self._width = width
        self._per_byte = 8 // width
        self._end = bytes(end_words(width))
        self._counters = counters
        self.tap: FrameTap | None = None
        self._on_damaged = on_damaged
        self._words = bytearray()
        # The frame before may have left zeros of its end in front, and the end of this one may have begun.
        self._limit = MAX_LINE_BYTES * self._per_byte + 2 * len(self._end)
        self._discarding = False
        """Too much has come without an end: nothing counts until the next one."""

    def decode(self, words: bytes | bytearray) -> list[bytes]:
        """The frames that these words complete, without check sequence."""
        buffer = self._words
        # The end may have begun in the words that came before.
        search_from = max(0, len(buffer) - len(self._end) + 1)
        buffer += words
        frames = []
        while (at := buffer.find(self._end, search_from)) >= 0:
            line = bytes(buffer[:at]).lstrip(b"\0")
            del buffer[: at + len(self._end)]
            search_from = 0
            if self._discarding:
                self._discarding = False
            elif line and (frame := self._unpack(self._join(line))) is not None:
                frames.append(frame)
        if len(buffer) > self._limit:
            if not self._discarding:
                self._counters.rx_length_errors += 1
                self._tell(self._join(bytes(buffer.lstrip(b"\0")[: MAX_LINE_BYTES * self._per_byte])), Damage.LENGTH)
            self._discarding = True
            del buffer[: -len(self._end)]
        return frames

    def _unpack(self, line: bytes) -> bytes | None:
        frame = self._check(line)
        if frame is None:
            if self._on_damaged is not None:
                self._on_damaged(line)
        elif self.tap is not None:
            self.tap.frame(False, frame, Damage.NONE)
        return frame

    def _check(self, line: bytes) -> bytes | None:
        if line[0] != START:
            self._counters.rx_framing_errors += 1
            self._tell(line, Damage.FRAMING)
            return None
        checked = cobs.decode(line[1:])
        if checked is None:
            self._counters.rx_framing_errors += 1
            self._tell(line, Damage.FRAMING)
            return None
        if not CRC_BYTES < len(checked) <= MAX_FRAME_BYTES + CRC_BYTES:
            self._counters.rx_length_errors += 1
            self._tell(checked, Damage.LENGTH)
            return None
        frame = checked[:-CRC_BYTES]
        if crc32(frame).to_bytes(CRC_BYTES, "big") != checked[-CRC_BYTES:]:
            self._counters.rx_crc_errors += 1
            self._tell(checked, Damage.CRC)
            return None
        return frame

    def _tell(self, data: bytes, damage: Damage) -> None:
        """Let who looks see what is no frame."""
        if self.tap is not None:
            self.tap.frame(False, data, damage)

    def _join(self, words: bytes) -> bytes:
        """Words to bytes; the zero words that the last byte shares with the end of the frame are put back."""
        per_byte, width = self._per_byte, self._width
        if per_byte == 1:
            return words
        words += bytes(-len(words) % per_byte)
        line = bytearray(len(words) // per_byte)
        for index in range(per_byte):
            # One big-integer shift for each word position instead of one for each word.
            part = int.from_bytes(words[index::per_byte], "big") << index * width
            line = bytearray((int.from_bytes(line, "big") | part).to_bytes(len(line), "big"))
        return bytes(line)
