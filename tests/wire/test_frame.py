"""Frames byte by byte, there and back, and bytes that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.frame import VERSION, Ack, Data, Frame, Hello, Probe, WireMode, decode, encode

U16, U32, U64 = st.integers(0, 0xFFFF), st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
HELLOS = st.builds(
    Hello,
    version=st.integers(0, 255),
    mode=st.integers(0, 255),
    mtu=U16,
    reader=U64,
    writer=U64,
    epoch=U64,
    peer_epoch=U64,
    datagram=st.booleans(),
)
RANGES = st.lists(st.tuples(U16, U16), max_size=20).map(tuple)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    HELLOS,
    st.builds(Data, U16, U16, st.binary(min_size=1, max_size=600)),
    st.builds(Ack, U16, RANGES),
    st.builds(Probe, U32, U32, U32, U32, U32, st.binary(min_size=18, max_size=514), st.booleans()),
)

EXAMPLES: list[tuple[Frame, str]] = [
    (
        Hello(mode=WireMode.net_hdr, mtu=1500, reader=0x12, writer=0x8, epoch=0x0123456789ABCDEF, peer_epoch=7),
        "10 01 02 05dc 0000000000000012 0000000000000008 0123456789abcdef 0000000000000007",
    ),
    (
        Hello(mode=WireMode.raw, mtu=0xFFFD, reader=1, writer=2, epoch=3, datagram=True),
        "11 01 03 fffd 0000000000000001 0000000000000002 0000000000000003 0000000000000000",
    ),
    (Data(0x1234, 0xFFFF, b"hi"), "20 1234 ffff 6869"),
    (Data(0, 1, b"\0"), "20 0000 0001 00"),
    (Ack(0xFFFE), "30 fffe"),
    (Ack(0xFFFE, ((2, 0x100), (0x1234, 1))), "30 fffe 0002 0100 1234 0001"),
    (Probe(1, 2, 3, 4, 5, bytes(18)), "40 00000001 00000002 00000003 00000004 00000005" + 18 * "00"),
    (Probe(0xFFFFFFFF, 0, 0, 0, 6, bytes(18), reply=True), "41 ffffffff" + 15 * "00" + "06" + 18 * "00"),
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


@given(FRAMES, st.integers(0, 15))
def test_flags_that_only_later_versions_know_are_passed_over(frame: Frame, flags: int) -> None:
    data = bytearray(encode(frame))
    data[0] |= flags & ~1
    assert decode(bytes(data)) == frame


@pytest.mark.parametrize("kind", [0, *range(5, 16)])
def test_an_unknown_kind_is_none(kind: int) -> None:
    assert decode(bytes([kind << 4]) + bytes(40)) is None


@pytest.mark.parametrize(("frame", "data"), EXAMPLES)
def test_a_short_frame_is_none(frame: Frame, data: str) -> None:
    # A data frame needs a byte of data, an ack no ranges, a probe a pattern of 16 bytes.
    least_bytes = {Hello: 37, Data: 6, Ack: 3, Probe: 39}[type(frame)]
    for length in range(1, least_bytes):
        assert decode(bytes.fromhex(data)[:length]) is None
    assert decode(bytes.fromhex(data)[:least_bytes]) is not None


def test_the_hello_of_a_later_version_may_be_longer() -> None:
    hello = Hello(mode=9, mtu=1500, reader=1, writer=2, epoch=3, version=VERSION + 1)
    assert decode(encode(hello) + b"what only later versions know") == hello


@pytest.mark.parametrize("rest_bytes", [1, 2, 3, 5])
def test_an_ack_has_whole_ranges(rest_bytes: int) -> None:
    assert decode(encode(Ack(1)) + bytes(rest_bytes)) is None


def test_a_probe_that_is_too_long_is_none() -> None:
    assert decode(encode(Probe(1, 0, 0, 0, 0, bytes(514)))) is not None
    assert decode(encode(Probe(1, 0, 0, 0, 0, bytes(515)))) is None


def test_the_modes_are_numbered_as_documented() -> None:
    assert {mode.name: mode.value for mode in WireMode} == {"eth": 1, "net_hdr": 2, "raw": 3}
