"""Frames byte by byte, there and back, and bytes that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.frame import FIRST, LANE_SHIFT, LAST, VERSION, Ack, Data, Frame, Hello, WireMode, decode, encode

U16, U64 = st.integers(0, 0xFFFF), st.integers(0, (1 << 64) - 1)
HELLOS = st.builds(
    Hello,
    version=st.integers(0, 255),
    mode=st.integers(0, 255),
    mtu=U16,
    reader=U64,
    writer=U64,
    epoch=U64,
    peer_epoch=U64,
)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    HELLOS, st.builds(Data, U16, U16, st.integers(0, 15), st.binary(max_size=600)), st.builds(Ack, U16, U64)
)

EXAMPLES: list[tuple[Frame, str]] = [
    (
        Hello(mode=WireMode.net_hdr, mtu=1500, reader=0x12, writer=0x8, epoch=0x0123456789ABCDEF, peer_epoch=7),
        "10 01 02 05dc 0000000000000012 0000000000000008 0123456789abcdef 0000000000000007",
    ),
    (Data(0x1234, 0xFFFF, FIRST | LAST | 2 << LANE_SHIFT, b"hi"), "2b 1234 ffff 6869"),
    (Data(0, 1, 3 << LANE_SHIFT, b""), "2c 0000 0001"),
    (Ack(0xFFFE, 0x8000000000000001), "30 fffe 8000000000000001"),
]


@pytest.mark.parametrize(("frame", "data"), EXAMPLES)
def test_examples(frame: Frame, data: str) -> None:
    assert encode(frame) == bytes.fromhex(data)
    assert decode(bytes.fromhex(data)) == frame


@given(FRAMES)
def test_round_trip(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_are_a_frame_or_none(data: bytes) -> None:
    frame = decode(data)
    assert frame is None or isinstance(frame, Hello) or encode(frame)[1:] == data[1:]


@pytest.mark.parametrize("kind", [0, *range(4, 16)])
def test_an_unknown_kind_is_none(kind: int) -> None:
    assert decode(bytes([kind << 4]) + bytes(40)) is None


@pytest.mark.parametrize(("frame", "data"), EXAMPLES)
def test_a_short_header_is_none(frame: Frame, data: str) -> None:
    header_bytes = len(encode(frame)) - (len(frame.fragment) if isinstance(frame, Data) else 0)
    for length in range(1, header_bytes):
        assert decode(bytes.fromhex(data)[:length]) is None


def test_the_hello_of_a_later_version_may_be_longer() -> None:
    hello = Hello(mode=9, mtu=1500, reader=1, writer=2, epoch=3, version=VERSION + 1)
    assert decode(encode(hello) + b"what only later versions know") == hello


def test_an_ack_has_one_length() -> None:
    assert decode(encode(Ack(1, 0)) + b"\0") is None


def test_the_modes_are_numbered_as_documented() -> None:
    assert {mode.name: mode.value for mode in WireMode} == {"eth": 1, "net_hdr": 2, "raw": 3}
