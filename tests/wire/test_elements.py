"""Tests of `gpiomux.wire.elements`: the bytes of muennet's elements, and elements that lie."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.elements import LAYOUTS, region_bytes
from gpiomux.wire.packet import Packet

IPV4 = bytes.fromhex("45b80017 00004000 40110000 0a000001 0a000002") + b"abc"
IPV6 = bytes.fromhex("6b800000 0003 11 40") + bytes(32) + b"abc"
FRAME = bytes(range(12)) + b"\x08\x00" + IPV4

pytestmark = pytest.mark.skipif(
    sys.byteorder != "little", reason="the bytes below are those of a little-endian machine"
)


@pytest.mark.parametrize(("mode", "element_bytes"), [("net_hdr", 1508), ("eth", 1516), ("raw", 1500)])
def test_sizes_are_those_of_muennet(mode: str, element_bytes: int) -> None:
    assert LAYOUTS[mode].element_bytes(1500) == element_bytes
    assert region_bytes(mode, 1500, 4) == 64 + 4 * element_bytes


@pytest.mark.parametrize(
    ("mode", "packet", "element"),
    [
        ("net_hdr", Packet(0x01020304, IPV4), bytes.fromhex("04030201 1700 04 2e") + IPV4 + bytes(5)),
        ("net_hdr", Packet(7, IPV6), bytes.fromhex("07000000 2b00 29 2e") + IPV6 + bytes(5)),
        ("eth", Packet(0, FRAME), FRAME + bytes(5) + bytes.fromhex("2500")),
        ("raw", Packet(0, b"\x88\xb5abc"), b"abc" + bytes(5)),
    ],
)
def test_a_packet_in_an_element(mode: str, packet: Packet, element: bytes) -> None:
    assert LAYOUTS[mode].encode(packet, len(element)) == element
    got = LAYOUTS[mode].decode(element)
    assert got == (Packet(0, b"\x88\xb5" + element) if mode == "raw" else packet)


@pytest.mark.parametrize(
    ("mode", "packet", "size"),
    [
        ("net_hdr", Packet(0, IPV4), len(IPV4) + 7),
        ("net_hdr", Packet(0, b"\x08\x06 no IP packet"), 100),
        ("net_hdr", Packet(0, b""), 100),
        ("eth", Packet(0, FRAME), len(FRAME) + 1),
        ("raw", Packet(0, b"\x88\xb5abc"), 2),
    ],
)
def test_a_packet_that_has_no_place(mode: str, packet: Packet, size: int) -> None:
    assert LAYOUTS[mode].encode(packet, size) is None


@pytest.mark.parametrize(
    ("mode", "element"),
    [
        ("net_hdr", b""),
        ("net_hdr", bytes(8) + b"\x45\x00\x00\x18" + bytes(19)),  # 24 bytes, and 23 are there
        ("net_hdr", bytes(8) + b"\x45\x00\x00\x13" + bytes(30)),  # shorter than a header
        ("net_hdr", bytes(8) + IPV6[:4] + b"\xff\xff" + IPV6[6:]),
        ("net_hdr", bytes(8) + b"\x15" + IPV4[1:]),
        ("eth", b"\0"),
        ("eth", bytes(20) + b"\x0d\x00"),
        ("eth", bytes(20) + b"\x15\x00"),
        ("eth", bytes(20) + b"\xff\xff"),
    ],
)
def test_an_element_that_lies_is_refused(mode: str, element: bytes) -> None:
    assert LAYOUTS[mode].decode(element) is None


@given(st.sampled_from(sorted(LAYOUTS)), st.binary(max_size=200))
def test_no_element_gives_more_than_it_holds(mode: str, element: bytes) -> None:
    packet = LAYOUTS[mode].decode(element)
    assert packet is None or packet.payload[2:] in element


@given(st.sampled_from(["net_hdr", "eth"]), st.integers(0, 2**32 - 1), st.binary(max_size=60), st.integers(0, 20))
def test_what_is_encoded_is_decoded(mode: str, mark: int, body: bytes, padding: int) -> None:
    if mode == "net_hdr":
        packet = Packet(mark, IPV4[:2] + (20 + len(body)).to_bytes(2, "big") + IPV4[4:20] + body)
    else:
        packet = Packet(0, FRAME[:14] + body)
    size = LAYOUTS[mode].element_bytes(len(packet.payload)) + padding
    element = LAYOUTS[mode].encode(packet, size)
    assert element is not None
    assert len(element) == size
    assert LAYOUTS[mode].decode(element) == packet
