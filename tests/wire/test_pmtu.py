"""Packets under a limit: fragments that make up the original, and answers that a sender believes."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.checksums import internet_checksum
from gpiomux.wire.pmtu import HIGHEST, LOWEST, LOWEST_IPV6, PathMtus, TooBig, fitted

DF, MF = 0x4000, 0x2000
NEAR, FAR = "10.10.0.1", "10.10.0.2"
NEAR6, FAR6 = "fd00::1", "fd00::2"
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
MACS = bytes.fromhex("020000000002 020000000001")
HEADS = {"net_hdr": (b"", b""), "raw": (b"\x08\0", b"\x86\xdd"), "eth": (MACS + b"\x08\0", MACS + b"\x86\xdd")}
"""What stands before an IPv4 and an IPv6 packet."""

RECORD_ROUTE = bytes((7, 7, 4, 0, 0, 0, 0))
"""Not copied into fragments."""
ROUTER_ALERT = bytes((0x94, 4, 0, 0))
"""Copied (RFC 2113)."""


def ipv4(
    data: bytes,
    *,
    flags: int = 0,
    options: bytes = b"",
    protocol: int = UDP,
    source: str = NEAR,
    destination: str = FAR,
) -> bytes:
    options += bytes(-len(options) % 4)
    length = 20 + len(options) + len(data)
    head = bytes((0x45 + len(options) // 4, 0x28)) + length.to_bytes(2, "big") + b"\x12\x34" + flags.to_bytes(2, "big")
    head += bytes((64, protocol, 0, 0)) + ip_address(source).packed + ip_address(destination).packed + options
    return head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:] + data


def ipv6(data: bytes, *, protocol: int = UDP, source: str = NEAR6, destination: str = FAR6) -> bytes:
    addresses = ip_address(source).packed + ip_address(destination).packed
    return b"\x60\0\0\0" + len(data).to_bytes(2, "big") + bytes((protocol, 64)) + addresses + data


def pieces(mode: str, packet: bytes, limit: int) -> tuple[bytes, ...]:
    """The fragments of an IPv4 packet without what stands before them."""
    head = HEADS[mode][0]
    found = fitted(mode, head + packet, limit)
    assert not isinstance(found, TooBig)
    assert all(piece.startswith(head) for piece in found)
    return tuple(piece.removeprefix(head) for piece in found)


def field(packet: bytes) -> int:
    return int.from_bytes(packet[6:8], "big")


def header_bytes(packet: bytes) -> int:
    return 4 * (packet[0] & 15)


def put_together(fragments: tuple[bytes, ...], begin: int) -> bytes:
    """The data of fragments as a receiver makes it of them, in any order (RFC 791), from byte `begin` on."""
    places = {8 * (field(it) & 0x1FFF): it[header_bytes(it) :] for it in fragments}
    data = b""
    while begin + len(data) in places:
        data += places.pop(begin + len(data))
    assert places == {}, "a gap, or pieces that overlap"
    return data


# IPv4 that may be cut.


@given(
    st.sampled_from(sorted(HEADS)),
    st.binary(min_size=1, max_size=4000),
    st.lists(st.sampled_from((RECORD_ROUTE, ROUTER_ALERT, b"\1")), max_size=4),
    st.integers(LOWEST, 2000),
    st.sampled_from((0, MF, 185, MF | 185)),
)
def test_fragments_make_up_the_packet_and_keep_the_limit(
    mode: str, data: bytes, options: list[bytes], limit: int, flags: int
) -> None:
    if flags & MF:
        data = data[: max(8, len(data) // 8 * 8)].ljust(8, b"\0")
    packet = ipv4(data, options=b"".join(options), flags=flags)
    found = pieces(mode, packet, limit)
    assert put_together(found, 8 * (flags & 0x1FFF)) == data
    if len(packet) <= limit:
        assert found == (packet,)
        return
    for number, piece in enumerate(found):
        last = number == len(found) - 1
        assert len(piece) == int.from_bytes(piece[2:4], "big") <= limit
        assert internet_checksum(piece[: header_bytes(piece)]) == 0, "header and checksum sum up to nothing"
        assert field(piece) & MF == (flags & MF if last else MF)
        assert last or (len(piece) - header_bytes(piece)) % 8 == 0
        assert len(piece) + 8 > limit or last, "no more fragments than need be"
        assert (piece[1], piece[4:6], piece[8:10], piece[12:20]) == (
            packet[1],
            packet[4:6],
            packet[8:10],
            packet[12:20],
        )


def test_only_some_options_stand_in_every_fragment() -> None:
    first, *others = pieces("net_hdr", ipv4(bytes(300), options=b"\1" + RECORD_ROUTE + ROUTER_ALERT), 128)
    assert first[20 : header_bytes(first)] == b"\1" + RECORD_ROUTE + ROUTER_ALERT
    assert {piece[20 : header_bytes(piece)] for piece in others} == {ROUTER_ALERT}


@pytest.mark.parametrize("options", [b"\x94\0\0\0", b"\x94\x28\0\0", b"\0\x94\4\0", b"\x94"])
def test_options_that_make_no_sense_are_not_copied(options: bytes) -> None:
    _, *others = pieces("net_hdr", ipv4(bytes(300), options=options), 128)
    assert {header_bytes(piece) for piece in others} == {20}


def test_a_packet_that_ends_beyond_the_last_byte_stays_as_it_is() -> None:
    """Its fragments would have offsets that do not fit into their field: the "ping of death"."""
    packet = ipv4(bytes(1000), flags=8190)
    assert pieces("net_hdr", packet, 576) == (packet,)


def test_padding_of_a_frame_is_not_part_of_the_packet() -> None:
    assert put_together(pieces("eth", ipv4(b"x" * 200) + bytes(30), 100), 0) == b"x" * 200
    short = ipv4(b"x" * 10) + bytes(200)
    assert pieces("eth", short, 100) == (short,)


@pytest.mark.parametrize("tag", [b"\x81\0\0\7", b"\x88\xa8\0\7"])
def test_a_frame_with_a_vlan_tag_is_cut_too(tag: bytes) -> None:
    head = MACS + tag + b"\x08\0"
    found = fitted("eth", head + ipv4(b"x" * 200), 100)
    assert not isinstance(found, TooBig)
    assert [piece[: len(head)] for piece in found] == [head] * 3
    assert put_together(tuple(piece[len(head) :] for piece in found), 0) == b"x" * 200


# What is told to the sender.


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


# What is left alone.


@given(st.sampled_from(sorted(HEADS)), st.binary(max_size=300), st.integers(LOWEST, 400))
def test_whatever_comes_is_sent_or_answered_and_raises_nothing(mode: str, payload: bytes, limit: int) -> None:
    for data in (payload, HEADS[mode][0] + b"\x45" + payload, HEADS[mode][1] + b"\x60" + payload):
        found = fitted(mode, data, limit)
        assert isinstance(found, TooBig) or found == (data,) or len(found) > 1


@pytest.mark.parametrize("kind", [b"\x08\x06", b"\x88\xb5", b"\x86\xdd"])
def test_other_protocols_are_not_looked_at(kind: bytes) -> None:
    """Nor IPv4 that says of itself that it is something else."""
    for mode, head in (("eth", MACS), ("raw", b"")):
        payload = head + kind + ipv4(bytes(500))
        assert fitted(mode, payload, 100) == (payload,)


# The limits of a link.


def test_the_limit_of_a_mark_holds_for_that_mark() -> None:
    limits = PathMtus("net_hdr")
    packet = ipv4(bytes(1000))
    assert limits.unchecked_bytes == HIGHEST
    limits.set_mtu(1500)
    limits.put(7, 576)
    assert limits.unchecked_bytes == 576
    assert [limits.fitted(mark, packet) for mark in (0, 8)] == [(packet,)] * 2
    assert len(limits.fitted(7, packet)) == 2
    limits.put(7, 600)
    limits.put(9, 580)
    assert limits.unchecked_bytes == 580
    limits.remove(9)
    limits.remove(7)
    assert limits.unchecked_bytes == 1500
    assert limits.fitted(7, packet) == (packet,)
    with pytest.raises(KeyError):
        limits.remove(7)


def test_the_mtu_of_the_link_holds_for_all_marks() -> None:
    limits = PathMtus("eth")
    limits.put(7, 9000)
    limits.set_mtu(1500)
    assert limits.unchecked_bytes == 1514
    frame = MACS + b"\x08\0" + ipv4(bytes(3000), flags=DF)
    for mark in (0, 7):
        found = limits.fitted(mark, frame)
        assert isinstance(found, TooBig)
        assert found.answer is not None
        assert int.from_bytes(found.answer[14 + 26 : 14 + 28], "big") == 1500
