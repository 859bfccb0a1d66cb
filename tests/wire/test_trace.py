"""Frames in one line: every field of each kind, and never a fault, whatever the bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire import frame as frames
from gpiomux.wire.frame import Ack, Data, Frame, Hello, Probe
from gpiomux.wire.packet import Packet
from gpiomux.wire.record import FIRST, LANE_SHIFT, LAST, Record
from gpiomux.wire.trace import LEVELS, Trace

TRACE = Trace(mode="raw", datagram=False)
PACKET = Packet(7, b"\x88\xb5" + bytes(10)).encode()
WHOLE = Record(FIRST | LAST, PACKET).encode()
FIRST_PIECE = Record(FIRST | 2 << LANE_SHIFT, PACKET[:12]).encode()


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (
            Hello(mode=2, mtu=1500, reader=18, writer=8, epoch=10, peer_epoch=11),
            "hello version 1, net_hdr, mtu 1500, reads 0x12, writes 0x8, epoch 0xa, hears 0xb, length 37",
        ),
        (
            Hello(mode=9, mtu=1, reader=1, writer=2, epoch=3, datagram=True),
            "hello version 1, unknown (9), datagram, mtu 1, reads 0x1, writes 0x2, epoch 0x3, hears 0x0, length 37",
        ),
        (Ack(7), "ack 7, length 3"),
        (Ack(7, ((10, 5), (65535, 2))), "ack 7, and 10:15 65535:1, length 11"),
        (
            Data(3, 4, WHOLE + FIRST_PIECE),
            "data 3, 38 bytes, ack 4; whole on lane 0, 20 bytes: mark 0x7, packet of 12"
            "; first on lane 2, 12 bytes: mark 0x7, packet of 12, length 43",
        ),
        (Data(3, 4, Record(LAST, b"rest").encode()), "data 3, 7 bytes, ack 4; last on lane 0, 4 bytes, length 12"),
        (Probe(1, 2, 3, 40, 5, bytes(18)), "probe 1, received 2, damaged 3, 5 of 40 bits wrong, length 39"),
        (
            Probe(1, 2, 3, 40, 5, bytes(18), reply=True),
            "reply to probe 1, received 2, damaged 3, 5 of 40 bits wrong, length 39",
        ),
        (Data(3, 4, WHOLE[1:]), "data 3, 22 bytes, ack 4, length 27"),
    ],
)
def test_frames(frame: Frame, words: str) -> None:
    assert TRACE.text("frame", "out", "", frames.encode(frame)) == f"wire Out {words}"


def test_a_datagram_has_one_long_position() -> None:
    data = frames.encode(Data(3, 1, b"x"))
    assert Trace(mode="raw", datagram=True).text("frame", "in", "", data) == "wire In  data 65539, 1 bytes, length 6"


def test_what_is_no_frame() -> None:
    assert TRACE.text("frame", "in", "crc", b"\x30\0\1") == "wire In  damaged frame (crc), 300001, length 3"
    assert TRACE.text("frame", "in", "", b"\xf0\1") == "wire In  frame of an unknown kind, f001, length 2"


def test_packets() -> None:
    words = [TRACE.text("packet", "in", "geth0", mark, 300, b"\x88\xb5" + bytes(200)) for mark in (0, 7)]
    assert words == ["geth0 In  protocol 0x88b5, length 298", "geth0 In  mark 0x7 protocol 0x88b5, length 298"]


def test_each_level_holds_those_before_it() -> None:
    kinds = [set(LEVELS[level]) for level in ("off", "on", "packets", "frames")]
    assert all(less <= more for less, more in pairwise(kinds))


@given(st.sampled_from(("", "crc", "framing", "length")), st.binary(max_size=100), st.booleans())
def test_any_bytes_are_one_printable_line(damage: str, data: bytes, datagram: bool) -> None:
    assert Trace(mode="eth", datagram=datagram).text("frame", "in", damage, data).isprintable()
