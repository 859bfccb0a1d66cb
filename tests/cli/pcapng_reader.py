"""Reads pcapng as its specification says, for whoever writes it: every block, with its options."""

from __future__ import annotations

import struct
from dataclasses import dataclass

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6


@dataclass(frozen=True, slots=True)
class Block:
    """One block, padding and lengths checked."""

    kind: int
    body: bytes
    """Its fixed fields, and the data of a packet without padding."""
    options: dict[int, bytes]


def blocks(data: bytes) -> list[Block]:
    """All blocks of a file, which must end with one.

    Raises:
        AssertionError: something is not as the specification says.
    """
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0
        assert at + length <= len(data)
        assert struct.unpack_from("<I", data, at + length - 4) == (length,)
        found.append(_block(kind, data[at + 8 : at + length - 4]))
        at += length
    return found


def frames(data: bytes) -> list[tuple[int, str, int, bytes]]:
    """Time in nanoseconds, direction, flags and bytes of each frame in a file."""
    found = []
    for block in blocks(data):
        if block.kind == PACKET:
            _, upper, lower = struct.unpack_from("<III", block.body)
            (flags,) = struct.unpack("<I", block.options[2])
            found.append((upper << 32 | lower, {1: "in", 2: "out"}[flags & 3], flags & ~3, block.body[20:]))
    return found


def _block(kind: int, body: bytes) -> Block:
    fixed = {SECTION: 16, INTERFACE: 8, STATISTICS: 12, PACKET: 20}[kind]
    end = fixed
    if kind == PACKET:
        captured, original = struct.unpack_from("<II", body, 12)
        assert captured == original
        fixed += captured
        end = fixed + -captured % 4
    assert not any(body[fixed:end])
    return Block(kind, body[:fixed], _options(body[end:]))


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while True:
        code, length = struct.unpack_from("<HH", data, at)
        value = data[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4
        if not code:
            assert at == len(data)
            return found
        found[code] = value
