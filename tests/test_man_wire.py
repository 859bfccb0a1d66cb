"""gpiomux-wire(7) against the code: every byte example, and every number that the page names."""

from __future__ import annotations

import re
from pathlib import Path

from gpiomux.wire import codec, frame, peering, probing, record, session, stream, timing
from gpiomux.wire.codec import Encoder
from gpiomux.wire.frame import Ack, Data, Hello, Probe, WireMode
from gpiomux.wire.packet import Packet
from gpiomux.wire.probing import PATTERN
from gpiomux.wire.record import FIRST, LAST, Record

PAGE = (Path(__file__).parents[1] / "man" / "gpiomux-wire.7").read_text()
TEXT = re.sub(r"\s+", " ", re.sub(r"^\.\w\w? ?", "", PAGE, flags=re.MULTILINE))
"""Without macros, in one line."""

HELLO = Hello(mode=WireMode.net_hdr, mtu=1500, reader=0x12, writer=8, epoch=0x0102030405060708)
ECHO = bytes.fromhex("4500001c00010000400166dd0a0a00010a0a00020800f7fd00010001")


def examples() -> list[tuple[str, bytes]]:
    """Name and bytes of each example, in order."""
    found: list[tuple[str, bytes]] = []
    for block in re.findall(r"^\.Bd -literal\n((?:.*\n)*?)\.Ed$", PAGE, flags=re.MULTILINE):
        for line in re.sub(r"\n\s+", " ", block).splitlines():
            name, _, text = line.partition(": ")
            found.append((name, bytes.fromhex(text)))
    return found


def test_the_byte_examples_are_what_the_code_says() -> None:
    packet = Packet(7, ECHO).encode()
    piece = Record(FIRST | LAST, packet).encode()
    hello, data = frame.encode(HELLO), frame.encode(Data(0, 0, piece))
    ack, short = frame.encode(Ack(len(piece), ((600, 512),))), frame.encode(Ack(len(piece)))
    pattern = b"\0%b\0" % PATTERN[:16]
    probe = frame.encode(Probe(1, 40, 0, 0, 0, pattern))
    eight, two = Encoder(8), Encoder(2)
    assert examples() == [
        ("hello", hello),
        ("words", eight.encode(hello, resynchronise=True)),
        ("packet", packet),
        ("record", piece),
        ("data", data),
        ("words", eight.encode(data)),
        ("ack", ack),
        ("words", eight.encode(ack)),
        ("ack", short),
        ("words of 2 bits", two.encode(short)),
        ("probe", probe),
        ("words", eight.encode(probe)),
        ("reply", frame.encode(Probe(1, 52, 1, 136, 0, pattern, reply=True))),
    ]


def test_the_numbers_are_those_of_the_code() -> None:
    second, millisecond = 1_000_000_000, 1_000_000
    for words in (
        f"version {frame.VERSION}",
        f"has 1 to {codec.MAX_FRAME_BYTES} bytes",
        f"every {peering.HELLO_INTERVAL_NS / second:g} seconds",
        f"after {peering.SILENCE_NS / second:g} seconds without a right frame",
        f"modulo {frame.POSITION_MODULUS}",
        f"at most {stream.WINDOW_BYTES} bytes on their way",
        f"up to {stream.MAX_RANGES} times",
        f"after {session.ACK_EVERY} data frames",
        f"within {session.ACK_DELAY_NS // millisecond} milliseconds",
        f"for {session.KEEPALIVE_NS / second:g} seconds",
        f"first {timing.INITIAL_TIMEOUT_NS / second:g} second",
        f"between {timing.MIN_TIMEOUT_NS // millisecond} milliseconds and {timing.MAX_TIMEOUT_NS / second:g} seconds",
        f"between {timing.MIN_FRAME_DATA_BYTES} and {timing.MAX_FRAME_DATA_BYTES}",
        f"square root of {timing.OVERHEAD_BYTES}",
        f"more than {timing.FRAME_NS / second:g} seconds",
        f"1 to {timing.MAX_FRAME_DATA_BYTES} bytes of the stream",
        f"length of the piece, at most {record.MAX_PIECE_BYTES}",
        f"0 to {record.LANES - 1}",
        f"{frame.MIN_PATTERN_BYTES} to {frame.MAX_PATTERN_BYTES} bytes of the pattern",
        f"At most {probing.MAX_WAITING} replies wait",
        f"{probing.LINE_OVERHEAD_BYTES} bytes longer than its pattern",
    ):
        assert words in TEXT, words


def test_every_field_has_its_offset() -> None:
    """The tables of offsets, added up from the sizes that they tell."""
    sizes = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
    rows = re.findall(r"^\.It (\d+) Ta (\w*)", PAGE, flags=re.MULTILINE)
    position = 0
    for offset, size in rows:
        if offset == "0":
            position = 0
        assert int(offset) == position, rows
        position += sizes.get(size, 0)
    assert len(rows) == 8 + 4 + 3 + 3 + 5 + 8
