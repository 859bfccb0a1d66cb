"""Packets of the traffic generator: as long as asked, numbered, with checksums that a second sum finds right."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.generated import arp_request, carried, udp_packet

V4, V6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
NUMBERS = st.integers(0, (1 << 64) - 1)


def plain_sum(data: bytes) -> int:
    """The one's complement sum of RFC 1071, word by word; 0xFFFF over what holds its own checksum."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(V4, V4, NUMBERS, st.integers(28, 1500))
def test_udp_over_ipv4(source: IPv4Address, destination: IPv4Address, number: int, size: int) -> None:
    packet = udp_packet(source, destination, number, size)
    assert len(packet) == size == int.from_bytes(packet[2:4], "big")
    assert plain_sum(packet[:20]) == 0xFFFF
    pseudo = source.packed + destination.packed + b"\0\x11" + packet[24:26]
    assert plain_sum(pseudo + packet[20:]) == 0xFFFF
    assert packet[26:28] != b"\0\0"
    assert packet[9] == 17
    assert packet[12:20] == source.packed + destination.packed
    assert packet[20:24] == b"\0\x09\0\x09"
    assert packet[28:] == carried(number, size - 28)


@given(V6, V6, NUMBERS, st.integers(48, 1500))
def test_udp_over_ipv6(source: IPv6Address, destination: IPv6Address, number: int, size: int) -> None:
    packet = udp_packet(source, destination, number, size)
    assert len(packet) == size
    assert packet[:8] == b"\x60\0\0\0" + (size - 40).to_bytes(2, "big") + b"\x11\x40"
    assert packet[8:40] == source.packed + destination.packed
    assert plain_sum(packet[8:40] + packet[44:46] + b"\0\x11" + packet[40:]) == 0xFFFF
    assert packet[46:48] != b"\0\0"


def test_a_checksum_of_zero_is_said_as_ones() -> None:
    """0 would say that there is none (RFC 768); of 65536 numbers in the last word one makes the sum come out so."""
    source, destination = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
    sums = {udp_packet(source, destination, number << 48, 36)[26:28] for number in range(1 << 16)}
    assert b"\0\0" not in sums
    assert b"\xff\xff" in sums


@pytest.mark.parametrize("size", [28, 29, 60])
def test_an_arp_request(size: int) -> None:
    packet = arp_request(b"\2\0\0\0\0\1", IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), size)
    known = "0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"
    assert packet == bytes.fromhex(known) + bytes(size - 28)


@given(NUMBERS, NUMBERS, st.integers(8, 2000))
def test_no_two_packets_are_alike(one: int, other: int, size: int) -> None:
    assert len(carried(one, size)) == size
    assert (carried(one, size) == carried(other, size)) == (one == other)
