"""Checksums that were left out, against sums made word by word."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.checksums import complete_checksum

MACS = bytes.fromhex("464554483031464554483032")
FIELD = {6: 16, 17: 6}


def ones_complement_sum(data: bytes) -> int:
    total = 0
    for (word,) in struct.iter_unpack(">H", data + b"\0" * (len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


def frames(version: int, protocol: int, payload: bytes, *, extension: bytes = b"") -> tuple[bytes, bytes]:
    """A frame as gpiosk sends it, and the same as its sender's hardware should have made it."""
    head = struct.pack(">HH", 40000, 7000) + (bytes(16) if protocol == 6 else struct.pack(">HH", 8 + len(payload), 0))
    segment = bytearray(head + payload)
    if version == 4:
        addresses = ip_address("10.10.0.2").packed + ip_address("10.10.0.1").packed
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, protocol, 0) + addresses
        kind = b"\x08\x00"
    else:
        addresses = ip_address("fd00::2").packed + ip_address("fd00::1").packed
        following = 60 if extension else protocol
        ip = struct.pack(">IHBB", 6 << 28, len(extension) + len(segment), following, 64) + addresses + extension
        kind = b"\x86\xdd"
    pseudo = addresses + struct.pack(">IBBBB", len(segment), 0, 0, 0, protocol)
    at = FIELD[protocol]
    left_out, whole = bytearray(segment), bytearray(segment)
    left_out[at : at + 2] = ones_complement_sum(pseudo).to_bytes(2, "big")
    checksum = ~ones_complement_sum(pseudo + bytes(segment)) & 0xFFFF
    whole[at : at + 2] = (checksum or (0xFFFF if protocol == 17 else 0)).to_bytes(2, "big")
    return MACS + kind + ip + left_out, MACS + kind + ip + whole


@given(st.sampled_from([4, 6]), st.sampled_from([6, 17]), st.binary(max_size=200), st.binary(max_size=20))
def test_what_was_left_out_is_completed(version: int, protocol: int, payload: bytes, padding: bytes) -> None:
    left_out, whole = frames(version, protocol, payload)
    assert complete_checksum(left_out + padding) == whole + padding
    again = complete_checksum(whole + padding)
    assert again in (None, whole + padding), "a checksum that is there stays"


def test_behind_options_of_ipv6() -> None:
    left_out, whole = frames(6, 6, b"text", extension=bytes((6, 0, 1, 4, 0, 0, 0, 0)))
    assert complete_checksum(left_out) == whole


def test_a_checksum_that_is_there_stays() -> None:
    _, whole = frames(4, 17, b"hello")
    assert complete_checksum(whole) is None


@given(st.binary(max_size=120), st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06"]))
def test_any_bytes_are_a_packet_or_none(rest: bytes, kind: bytes) -> None:
    frame = MACS + kind + rest
    found = complete_checksum(frame)
    assert found is None or len(found) == len(frame)


@pytest.mark.parametrize("at", [20, 21])
def test_fragments_are_left_alone(at: int) -> None:
    left_out = bytearray(frames(4, 17, b"hello")[0])
    left_out[at] |= 0x20 if at == 20 else 1
    assert complete_checksum(bytes(left_out)) is None


def test_udp_without_a_checksum_stays_without() -> None:
    left_out = bytearray(frames(4, 17, b"hello")[0])
    left_out[14 + 20 + 6 : 14 + 20 + 8] = bytes(2)
    assert complete_checksum(bytes(left_out)) is None
