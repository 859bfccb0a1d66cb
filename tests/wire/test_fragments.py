"""IPv4 packets in fragments, which make up the original and keep the limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.checksums import internet_checksum
from gpiomux.wire.pmtu import LOWEST, TooBig, fitted
from tests.wire.ip_packets import HEADS, MACS, MF, ipv4

RECORD_ROUTE = bytes((7, 7, 4, 0, 0, 0, 0))
"""Not copied into fragments."""
ROUTER_ALERT = bytes((0x94, 4, 0, 0))
"""Copied (RFC 2113)."""


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
