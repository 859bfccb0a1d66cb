"""What kind of packet something is: by its header, however short, tagged or hostile it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire import protocols

TRANSPORTS = {"icmp": (1, 58), "tcp": (6, 6), "udp": (17, 17), "other": (132, 132)}
"""By name: the number in IPv4, and in IPv6."""
TAG, OUTER_TAG = b"\x81\x00\x00\x07", b"\x88\xa8\x00\x08"
ADDRESSES = bytes(12)


def ipv4(protocol: int) -> bytes:
    return b"\x45" + bytes(8) + bytes([protocol]) + bytes(10)


def ipv6(protocol: int, *extensions: tuple[int, bytes]) -> bytes:
    """Behind the fixed header the extension headers: their own number, and all but their first byte."""
    numbers = [*(number for number, _ in extensions), protocol]
    rest = b"".join(bytes([behind]) + tail for behind, (_, tail) in zip(numbers[1:], extensions, strict=True))
    return b"\x60" + bytes(5) + bytes([numbers[0]]) + bytes(33) + rest + bytes(8)


def names_of(mode: str, packet: bytes) -> set[str]:
    """The names that a packet counts under; each once."""
    counted = [0] * protocols.KINDS
    counted[protocols.KIND_OF[mode](packet)] += 1
    named = protocols.by_name(counted)
    assert set(named.values()) <= {0, 1}
    return {name for name, count in named.items() if count}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_ip_packet_counts_by_network_and_transport(transport: str) -> None:
    four, six = TRANSPORTS[transport]
    for version, packet, ethertype in (("ipv4", ipv4(four), b"\x08\x00"), ("ipv6", ipv6(six), b"\x86\xdd")):
        expected = {version, transport}
        assert names_of("net_hdr", packet) == expected
        for tags in (b"", TAG, OUTER_TAG + TAG):
            assert names_of("eth", ADDRESSES + tags + ethertype + packet) == expected


@pytest.mark.parametrize(
    ("packet", "names"),
    [
        (ipv4(1), {"ipv4", "icmp"}),
        (ipv4(58), {"ipv4", "other"}),
        (ipv6(58), {"ipv6", "icmp"}),
        (ipv6(1), {"ipv6", "other"}),
    ],
)
def test_icmp_has_a_number_of_its_own_in_each_network_protocol(packet: bytes, names: set[str]) -> None:
    assert names_of("net_hdr", packet) == names


HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = (
    (0, b"\0" + bytes(6)),
    (43, b"\1" + bytes(14)),
    (44, bytes(7)),
    (60, bytes(7)),
)


@pytest.mark.parametrize(
    "extensions",
    [
        (HOP_BY_HOP,),
        (FRAGMENT,),
        (DESTINATION,),
        (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION),
        ((44, b"\xff" + bytes(6)),),
    ],
    ids=["multicast-report", "fragment", "destination", "all", "reserved-byte-of-a-fragment"],
)
def test_extension_headers_are_passed_over(extensions: tuple[tuple[int, bytes], ...]) -> None:
    packet = ipv6(58, *extensions)
    assert names_of("net_hdr", packet) == {"ipv6", "icmp"}
    assert names_of("eth", ADDRESSES + b"\x86\xdd" + packet) == {"ipv6", "icmp"}


@pytest.mark.parametrize(
    "packet",
    [
        ipv6(58, *[HOP_BY_HOP] * 9),
        ipv6(58, (0, b"\xff" + bytes(6)))[:48],
        ipv6(58, HOP_BY_HOP)[:41],
    ],
    ids=["too-many", "behind-the-end", "cut-short"],
)
def test_extension_headers_that_lead_nowhere_are_ipv6_all_the_same(packet: bytes) -> None:
    assert names_of("net_hdr", packet) <= {"ipv6", "other", "icmp"}
    assert "ipv6" in names_of("net_hdr", packet)


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        (ADDRESSES + b"\x08\x06" + bytes(28), {"arp"}),
        (ADDRESSES + TAG + b"\x08\x06" + bytes(28), {"arp"}),
        (ADDRESSES + b"\x88\xb5data", {"other"}),
        (ADDRESSES + b"\x08\x00" + ipv4(6)[:19], {"ipv4", "other"}),
        (ADDRESSES + b"\x86\xdd" + ipv6(6)[:39], {"ipv6", "other"}),
        (ADDRESSES + TAG * 3 + b"\x08\x00" + ipv4(6), {"other"}),
        (ADDRESSES + b"\x81\x00", {"other"}),
        (b"", {"other"}),
    ],
    ids=["arp", "tagged-arp", "experimental", "short-ipv4", "short-ipv6", "three-tags", "cut-in-the-tag", "empty"],
)
def test_a_frame_counts_by_its_ethertype(frame: bytes, names: set[str]) -> None:
    assert names_of("eth", frame) == names


@pytest.mark.parametrize("packet", [b"", b"\x45", b"\x10" + bytes(40), ipv4(6)[:19]])
def test_what_is_no_ip_packet_is_other(packet: bytes) -> None:
    assert names_of("net_hdr", packet) == {"other"}


def test_everything_in_raw_mode_is_raw() -> None:
    assert names_of("raw", b"\x08\x00" + ipv4(6)) == {"raw"}


@given(st.sampled_from(sorted(protocols.KIND_OF)), st.binary(max_size=120))
def test_any_bytes_have_a_kind_and_count_once(mode: str, packet: bytes) -> None:
    names = names_of(mode, packet)
    assert len(names & {"arp", "icmp", "tcp", "udp", "other", "raw"}) == 1
    assert len(names & {"ipv4", "ipv6"}) <= 1


@given(st.integers(0, 255), st.binary(max_size=200), st.sampled_from([b"", b"\x86\xdd"]))
def test_hostile_extension_headers_come_to_an_end(number: int, rest: bytes, ethertype: bytes) -> None:
    packet = ipv6(number)[:40] + rest
    frame = ADDRESSES + ethertype + packet if ethertype else packet
    assert "ipv6" in names_of("eth" if ethertype else "net_hdr", frame)
