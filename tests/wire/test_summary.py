"""Packets in one line: what tcpdump says of the same, and never a fault, wherever a packet ends."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.summary import summary

A, B = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
A6, B6 = bytes.fromhex("fd00" + "00" * 13 + "01"), bytes.fromhex("fd00" + "00" * 13 + "02")
MACS = bytes.fromhex("0200000000020200000000 01".replace(" ", ""))
TCP = struct.pack(">HHIIBBHHH", 80, 5000, 7, 9, 0x50, 0x12, 1000, 0, 0)
ECHO = struct.pack(">BBHHH", 8, 0, 0, 5, 1)
ARP = bytes.fromhex("0001080006040001020000000001") + A + bytes(6) + B


def ipv4(protocol: int, data: bytes, fragment: int = 0) -> bytes:
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 0, fragment, 64, protocol, 0, A, B) + data


def ipv6(protocol: int, data: bytes) -> bytes:
    return struct.pack(">IHBB16s16s", 6 << 28, len(data), protocol, 64, A6, B6) + data


@pytest.mark.parametrize(
    ("mode", "packet", "words"),
    [
        ("net_hdr", ipv4(1, ECHO + bytes(56)), "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 5, seq 1, length 64"),
        ("net_hdr", ipv4(1, b"\x03\x04" + bytes(6)), "IP 10.0.0.1 > 10.0.0.2: ICMP unreachable, length 8"),
        ("net_hdr", ipv4(1, b"\x63\x04" + bytes(6)), "IP 10.0.0.1 > 10.0.0.2: ICMP type 99 code 4, length 8"),
        (
            "net_hdr",
            ipv4(6, TCP + b"abc"),
            "IP 10.0.0.1.80 > 10.0.0.2.5000: Flags [S.], seq 7, ack 9, win 1000, length 3",
        ),
        ("net_hdr", ipv4(17, struct.pack(">HHHH", 53, 1, 9, 0) + b"x"), "IP 10.0.0.1.53 > 10.0.0.2.1: UDP, length 1"),
        ("net_hdr", ipv4(253, b"xyz"), "IP 10.0.0.1 > 10.0.0.2: ip-proto-253, length 3"),
        ("net_hdr", ipv4(17, bytes(16), 0x2003), "IP 10.0.0.1 > 10.0.0.2: UDP, length 16, fragment at 24 of more"),
        ("net_hdr", ipv4(17, b"a"), "IP 10.0.0.1 > 10.0.0.2: UDP [cut], length 1"),
        ("net_hdr", ipv4(6, bytes(15)), "IP 10.0.0.1.0 > 10.0.0.2.0: TCP [cut], length 15"),
        ("net_hdr", ipv6(58, b"\x80" + ECHO[1:]), "IP6 fd00::1 > fd00::2: ICMP6 echo request, id 5, seq 1, length 8"),
        ("net_hdr", b"", "no IP packet, length 0"),
        ("raw", b"\x88\xb5abc", "protocol 0x88b5, length 3"),
        (
            "eth",
            MACS + b"\x08\x06" + ARP,
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype ARP (0x0806), length 42: "
            "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28",
        ),
        (
            "eth",
            MACS + b"\x81\x00\x00\x07\x08\x00",
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype 802.1Q (0x8100), vlan 7, length 18",
        ),
        (
            "eth",
            MACS + b"\x12\x34",
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0x1234), length 14",
        ),
        ("eth", b"abc", "ethernet [cut], length 3"),
    ],
)
def test_words(mode: str, packet: bytes, words: str) -> None:
    assert summary(mode, packet, len(packet)) == words


@given(
    st.sampled_from(("eth", "net_hdr", "raw")),
    st.sampled_from((b"", ipv4(6, TCP), ipv4(1, ECHO), ipv6(6, TCP), MACS + b"\x08\x00" + ipv4(6, TCP))),
    st.binary(max_size=60),
    st.integers(0, 100),
)
def test_anything_is_one_printable_line(mode: str, head: bytes, tail: bytes, cut: int) -> None:
    packet = (head + tail)[:cut]
    words = summary(mode, packet, len(packet))
    assert words.isprintable()
    assert "length" in words
