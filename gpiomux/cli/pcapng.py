"""A writer of pcapng, the capture format of Wireshark: frames of one link, with direction and damage.

The format is that of draft-ietf-opsawg-pcapng. Written by hand because it is six structures, and the libraries that
write it are either packet analysers or not kept. Every block is complete when it is written, so a file that ends
early is valid up to there.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterable

LINKTYPE_USER0 = 147
"""For private use: https://www.tcpdump.org/linktypes.html."""
_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
"""Block types."""
_BYTE_ORDER, _VERSION, _UNKNOWN_LENGTH = 0x1A2B3C4D, (1, 0), -1
_NANOSECONDS = b"\x09"
"""if_tsresol: units of 10^-9 s."""
_END, _COMMENT = 0, 1
_SHB_USERAPPL = 4
_IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL = 2, 3, 9
_EPB_FLAGS = 2
_ISB_STARTTIME, _ISB_ENDTIME, _ISB_IFRECV, _ISB_IFDROP = 2, 3, 4, 5
_DIRECTIONS = {"in": 1, "out": 2}
"""Lowest bits of epb_flags."""
_ERRORS = {"crc": 1 << 24, "length": 1 << 25, "framing": 1 << 31}
"""Damage as epb_flags says it: wrong check sequence, packet too long, symbol error."""
_TOO_SHORT = 1 << 26
_CRC_BYTES_SHIFT = 5
_COMMENTS = {
    "crc": "damaged: the check sequence is wrong; its four bytes stand at the end",
    "length": "damaged: longer or shorter than a frame may be",
    "framing": "damaged: no start byte, or the stuffing cannot be undone; these are the bytes of the line, stuffed",
}
SHORTEST_DAMAGED_BYTES = 5
"""A damaged frame that is shorter is so because of its length: a byte of a frame and the check sequence."""


def header(program: str, link: str, description: str) -> bytes:
    """The begin of a file: which program has written it, and the one link whose frames follow."""
    section = struct.pack("<IHHq", _BYTE_ORDER, *_VERSION, _UNKNOWN_LENGTH)
    interface = struct.pack("<HHI", LINKTYPE_USER0, 0, 0)
    named = ((_IF_NAME, link.encode()), (_IF_DESCRIPTION, description.encode()), (_IF_TSRESOL, _NANOSECONDS))
    return _block(_SECTION, section, ((_SHB_USERAPPL, program.encode()),)) + _block(_INTERFACE, interface, named)


def frame(time_ns: int, direction: str, damage: str, data: bytes) -> bytes:
    """One frame, as `gpiomux.datapath.recorder.Recorder.frame` describes it."""
    flags = _DIRECTIONS[direction]
    options: list[tuple[int, bytes]] = []
    if damage:
        short = damage == "length" and len(data) < SHORTEST_DAMAGED_BYTES
        flags |= _TOO_SHORT if short else _ERRORS[damage]
        options.append((_COMMENT, _COMMENTS[damage].encode()))
    if damage == "crc":
        flags |= 4 << _CRC_BYTES_SHIFT
    options.append((_EPB_FLAGS, struct.pack("<I", flags)))
    head = struct.pack("<IIIII", 0, *_time(time_ns), len(data), len(data))
    return _block(_PACKET, head + _padded(data), options)


def statistics(begun_ns: int, ended_ns: int, *, received: int, dropped: int) -> bytes:
    """The end of a file: when it began and ended, how many frames the link carried, and how many are missing here."""
    options = (
        (_ISB_STARTTIME, struct.pack("<II", *_time(begun_ns))),
        (_ISB_ENDTIME, struct.pack("<II", *_time(ended_ns))),
        (_ISB_IFRECV, struct.pack("<Q", received)),
        (_ISB_IFDROP, struct.pack("<Q", dropped)),
    )
    return _block(_STATISTICS, struct.pack("<III", 0, *_time(ended_ns)), options)


def _block(kind: int, body: bytes, options: Iterable[tuple[int, bytes]]) -> bytes:
    said = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in (*options, (_END, b"")))
    length = struct.pack("<I", 12 + len(body) + len(said))
    return struct.pack("<I", kind) + length + body + said + length


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _time(time_ns: int) -> tuple[int, int]:
    """Upper and lower half."""
    return time_ns >> 32, time_ns & 0xFFFFFFFF
