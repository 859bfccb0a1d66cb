"""IPv4 packets cut into fragments (RFC 791, section 3.2). Pure."""

from __future__ import annotations

from gpiomux.wire.checksums import internet_checksum

MORE_FRAGMENTS = 0x2000
DONT_FRAGMENT = 0x4000
OFFSET = 0x1FFF
"""Bits of the field that holds flags and fragment offset."""
UNIT_BYTES = 8
"""What fragment offsets are counted in."""

_HEADER_BYTES = 20
_HIGHEST_BYTE = 0xFFFF
_COPIED = 0x80
"""Bit of an option's type: it stands in every fragment."""
_END, _NO_OPERATION = 0, 1
"""Options of a single byte."""


def fragments(packet: bytes, limit_bytes: int) -> tuple[bytes, ...] | None:
    """The fragments of a packet, which may be one itself.

    Args:
        packet: an IPv4 packet as long as its header says, longer than the limit, that may be cut.
        limit_bytes: the most of a fragment, 68 at least: every header has room in it, and 8 bytes of data.

    Returns:
        None for a packet that no host could put together: it would end behind byte 65535.
    """
    header_bytes = 4 * (packet[0] & 15)
    flags = int.from_bytes(packet[6:8], "big")
    first, data = packet[:header_bytes], packet[header_bytes:]
    position = (flags & OFFSET) * UNIT_BYTES
    if position + len(data) > _HIGHEST_BYTE:
        return None
    other = first[:_HEADER_BYTES] + _copied_options(first[_HEADER_BYTES:])
    found = []
    header, begin = first, 0
    while begin < len(data):
        end = begin + limit_bytes - len(header)
        if end < len(data):
            end -= (end - begin) % UNIT_BYTES
        more = flags if end >= len(data) else flags | MORE_FRAGMENTS
        found.append(_fragment(header, more & ~OFFSET | (position + begin) // UNIT_BYTES, data[begin:end]))
        header, begin = other, end
    return tuple(found)


def _fragment(header: bytes, flags: int, data: bytes) -> bytes:
    """A packet with the fields filled in that are its own."""
    words = len(header) // 4
    length = len(header) + len(data)
    bare = b"".join(
        (
            bytes((header[0] & 0xF0 | words, header[1])),
            length.to_bytes(2, "big"),
            header[4:6],
            flags.to_bytes(2, "big"),
            header[8:10],
            b"\0\0",
            header[12:],
        )
    )
    return bare[:10] + internet_checksum(bare).to_bytes(2, "big") + bare[12:] + data


def _copied_options(options: bytes) -> bytes:
    """The options that every fragment bears, up to one that makes no sense."""
    kept = b""
    at = 0
    while at < len(options) and options[at] != _END:
        length = 1 if options[at] == _NO_OPERATION else int.from_bytes(options[at + 1 : at + 2], "big")
        if at + length > len(options) or (length < 2 and options[at] != _NO_OPERATION):
            break
        if options[at] & _COPIED:
            kept += options[at : at + length]
        at += length
    return kept + bytes(-len(kept) % 4)
