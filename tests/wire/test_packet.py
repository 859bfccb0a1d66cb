"""The header in front of each packet."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.packet import HEADER, MAX_PACKET_BYTES, Packet

IPV4 = bytes.fromhex("45b80014 00000000 40110000 0a0a0001 0a0a0002")
IPV6 = bytes.fromhex("6b800000 00003b40") + bytes(32)


@pytest.mark.parametrize(
    ("mark", "payload", "header"),
    [
        (7, IPV4, "00000007 0014 04 2e"),
        (0xFFFFFFFF, IPV6, "ffffffff 0028 29 2e"),
        (0, IPV4[:19], "00000000 0013 00 00"),
        (0, IPV6[:39], "00000000 0027 00 00"),
        (0, b"", "00000000 0000 00 00"),
        (0, b"\x08\x00" + IPV4, "00000000 0016 00 00"),
    ],
)
def test_header(mark: int, payload: bytes, header: str) -> None:
    packet = Packet(mark, payload)
    assert packet.encode() == bytes.fromhex(header) + payload
    assert Packet.decode(packet.encode()) == packet


@given(st.integers(0, (1 << 32) - 1), st.binary(max_size=2000))
def test_round_trip(mark: int, payload: bytes) -> None:
    assert Packet.decode(Packet(mark, payload).encode()) == Packet(mark, payload)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_packet_of_the_told_length_or_none(data: bytes) -> None:
    packet = Packet.decode(data)
    told = HEADER.unpack_from(data)[1] if len(data) >= HEADER.size else None
    assert (packet is not None) == (told == len(data) - HEADER.size)


def test_the_longest_packet() -> None:
    packet = Packet(1, bytes(MAX_PACKET_BYTES))
    assert Packet.decode(packet.encode()) == packet
    with pytest.raises(struct.error):
        Packet(1, bytes(MAX_PACKET_BYTES + 1)).encode()
