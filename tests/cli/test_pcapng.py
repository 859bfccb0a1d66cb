"""What is written is what the specification of pcapng describes, bit by bit."""

from __future__ import annotations

import struct

import pytest

from gpiomux.cli import pcapng
from tests.cli.pcapng_reader import INTERFACE, PACKET, SECTION, STATISTICS, blocks, frames

TIME_NS = 1_763_700_000_123_456_789


def test_a_file_begins_with_a_section_and_its_interface() -> None:
    section, interface = blocks(pcapng.header("gpiomux 1", "geth0", "mode eth"))
    assert (section.kind, interface.kind) == (SECTION, INTERFACE)
    assert struct.unpack("<IHHq", section.body) == (0x1A2B3C4D, 1, 0, -1)
    assert section.options == {4: b"gpiomux 1"}
    assert struct.unpack("<HHI", interface.body) == (147, 0, 0)
    assert interface.options == {2: b"geth0", 3: b"mode eth", 9: b"\x09"}


@pytest.mark.parametrize("data", [b"\x30\0\0", b"\x20" * 8, b"\x10" * 37])
@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_frame(direction: str, data: bytes) -> None:
    written = pcapng.frame(TIME_NS, direction, "", data)
    assert frames(written) == [(TIME_NS, direction, 0, data)]
    assert 1 not in blocks(written)[0].options


@pytest.mark.parametrize(
    ("damage", "data", "flags"),
    [
        ("crc", b"\x30\0\0\1\2\3\4", 1 << 24 | 4 << 5),
        ("length", bytes(700), 1 << 25),
        ("length", b"\1\2\3\4", 1 << 26),
        ("framing", b"\2\2", 1 << 31),
    ],
)
def test_damage_is_in_the_flags_and_in_a_comment(damage: str, data: bytes, flags: int) -> None:
    written = pcapng.frame(TIME_NS, "in", damage, data)
    assert frames(written) == [(TIME_NS, "in", flags, data)]
    assert blocks(written)[0].options[1].startswith(b"damaged: ")


def test_a_file_ends_with_what_is_missing_in_it() -> None:
    (block,) = blocks(pcapng.statistics(TIME_NS, TIME_NS + 5, received=12, dropped=2))
    assert block.kind == STATISTICS
    halves = struct.pack("<II", TIME_NS >> 32, TIME_NS & 0xFFFFFFFF)
    assert block.body == b"\0\0\0\0" + struct.pack("<II", TIME_NS + 5 >> 32, (TIME_NS + 5) & 0xFFFFFFFF)
    assert (block.options[2], block.options[4], block.options[5]) == (
        halves,
        struct.pack("<Q", 12),
        struct.pack("<Q", 2),
    )


def test_blocks_stand_for_themselves() -> None:
    """Whatever was written last, what came before it is a file."""
    parts = [pcapng.header("g", "geth0", "d"), pcapng.frame(1, "in", "", b"\x30\0\0")]
    assert [block.kind for block in blocks(b"".join(parts))] == [SECTION, INTERFACE, PACKET]
