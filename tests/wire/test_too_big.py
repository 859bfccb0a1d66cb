"""What the sender of a packet that is too big is told, and when a router keeps silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.checksums import internet_checksum
from gpiomux.wire.pmtu import LOWEST, LOWEST_IPV6, TooBig, fitted
from tests.wire.ip_packets import DF, HEADS, ICMP, ICMPV6, MACS, MF, TCP, UDP, ipv4, ipv6


def answer(mode: str, payload: bytes, limit: int) -> bytes | None:
    found = fitted(mode, payload, limit)
    assert isinstance(found, TooBig)
    return found.answer


@given(st.sampled_from(sorted(HEADS)), st.binary(min_size=1300, max_size=3000), st.integers(LOWEST, 1300))
def test_ipv4_that_must_not_be_cut_is_answered(mode: str, data: bytes, limit: int) -> None:
    packet = ipv4(data, flags=DF, protocol=TCP)
    told = answer(mode, HEADS[mode][0] + packet, limit)
    assert told is not None
    start = len(HEADS[mode][0])
    assert told[:start] == (MACS[6:] + MACS[:6] + b"\x08\0" if mode == "eth" else HEADS[mode][0])
    told = told[start:]
    assert len(told) == int.from_bytes(told[2:4], "big") <= 576
    assert (told[12:16], told[16:20]) == (packet[16:20], packet[12:16])
    assert (internet_checksum(told[:20]), internet_checksum(told[20:])) == (0, 0)
    assert (told[9], told[20], told[21]) == (ICMP, 3, 4)
    assert int.from_bytes(told[26:28], "big") == limit
    assert packet.startswith(told[28:])
    assert len(told[28:]) >= 28, "the header, and the 8 bytes by which the sender finds its socket"


@given(st.sampled_from(sorted(HEADS)), st.binary(min_size=1300, max_size=3000), st.integers(LOWEST, 1300))
def test_ipv6_is_answered_and_every_way_carries_1280(mode: str, data: bytes, limit: int) -> None:
    packet = ipv6(data, protocol=TCP)
    told = answer(mode, HEADS[mode][1] + packet, limit)
    assert told is not None
    told = told[len(HEADS[mode][1]) :]
    assert len(told) == 40 + int.from_bytes(told[4:6], "big") == 1280
    assert (told[8:24], told[24:40]) == (packet[24:40], packet[8:24])
    pseudo = told[8:40] + (len(told) - 40).to_bytes(4, "big") + bytes((0, 0, 0, ICMPV6))
    assert (told[6], internet_checksum(pseudo + told[40:])) == (ICMPV6, 0)
    assert told[40:42] == bytes((2, 0))
    assert int.from_bytes(told[44:48], "big") == max(limit, LOWEST_IPV6)
    assert packet.startswith(told[48:])


BIG = bytes(1400)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(ipv4(bytes((3,)) + BIG, flags=DF, protocol=ICMP), id="ICMP error"),
        pytest.param(ipv4(BIG, flags=DF | 10), id="not the first fragment"),
        pytest.param(ipv4(BIG, flags=DF, destination="224.0.0.1"), id="multicast"),
        pytest.param(ipv4(BIG, flags=DF, destination="255.255.255.255"), id="broadcast"),
        pytest.param(ipv4(BIG, flags=DF, source="0.0.0.0"), id="unspecified"),
        pytest.param(ipv4(BIG, flags=DF, source="127.0.0.1"), id="loopback"),
        pytest.param(ipv4(BIG, flags=DF, source="239.0.0.1"), id="from multicast"),
        pytest.param(ipv4(BIG, flags=DF, source="255.255.255.255"), id="from broadcast"),
        pytest.param(ipv6(bytes((1,)) + BIG, protocol=ICMPV6), id="ICMPv6 error"),
        pytest.param(ipv6(bytes((137,)) + BIG, protocol=ICMPV6), id="redirect"),
        pytest.param(ipv6(bytes((ICMPV6, 0, 0, 0, 0, 0, 0, 0, 1)) + BIG, protocol=0), id="behind options"),
        pytest.param(ipv6(bytes((UDP, 0, 0, 8)) + BIG, protocol=44), id="not the first fragment, IPv6"),
        pytest.param(ipv6(bytes((0, 255)) * 700, protocol=0), id="options without end"),
        pytest.param(ipv6(BIG, destination="ff02::1"), id="multicast, IPv6"),
        pytest.param(ipv6(BIG, source="::"), id="unspecified, IPv6"),
        pytest.param(ipv6(BIG, source="::1"), id="loopback, IPv6"),
    ],
)
def test_where_a_router_keeps_silent(packet: bytes) -> None:
    assert answer("net_hdr", packet, 1280) is None


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(ipv4(bytes((8,)) + BIG, flags=DF, protocol=ICMP), id="ping"),
        pytest.param(ipv4(BIG, flags=DF | MF), id="first fragment"),
        pytest.param(ipv6(bytes((128,)) + BIG, protocol=ICMPV6), id="ping, IPv6"),
        pytest.param(ipv6(bytes((UDP, 0, 0, 1)) + BIG, protocol=44), id="first fragment, IPv6"),
        pytest.param(ipv6(bytes((UDP, 0, 0, 0, 0, 0, 0, 0, 1)) + BIG, protocol=0), id="options, IPv6"),
    ],
)
def test_where_a_router_answers(packet: bytes) -> None:
    assert answer("net_hdr", packet, 1280) is not None


@pytest.mark.parametrize("macs", ["ffffffffffff 020000000001", "020000000002 030000000001"])
def test_a_frame_to_or_from_many_is_not_answered(macs: str) -> None:
    assert answer("eth", bytes.fromhex(macs) + b"\x08\0" + ipv4(BIG, flags=DF), 1280) is None
