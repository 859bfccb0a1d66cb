"""Multicast reports of the kernel count as unmarked, and nothing else does."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.netdev.strays import without_stray
from tests.netdev.ends import udp

MLDV2 = bytes.fromhex(
    "6000000000240001" + "fe80000000000000000000000000aaaa" + "ff020000000000000000000000000016"
    "3a00050200000100" + "8f00000000000001" + "04000000ff0200000000000000000001ff00aaaa"
)
IGMPV3 = bytes.fromhex("46c00028000040000102000001020304e000001694040000" + "2200000000000001" + "04000000e00000fb")

FRONT = {"tun": b"", "tap": b"\x33\x33\0\0\0\x16" + b"\2\0\0\0\0\1", "tun-pi": b""}
PROTOCOL = {"tun": (b"", b""), "tap": (b"\x08\x00", b"\x86\xdd"), "tun-pi": (b"\x08\x00", b"\x86\xdd")}


def packet(kind: str, content: bytes) -> bytes:
    return FRONT[kind] + PROTOCOL[kind][content[0] >> 4 == 6] + content


kinds = pytest.mark.parametrize("kind", ["tap", "tun", "tun-pi"])


@kinds
@pytest.mark.parametrize("report", [MLDV2, IGMPV3], ids=["MLDv2", "IGMPv3"])
def test_reports_count_as_unmarked(kind: str, report: bytes) -> None:
    assert without_stray(kind, 0x1F40, packet(kind, report)) == 0
    assert without_stray(kind, 0, packet(kind, report)) == 0


@pytest.mark.parametrize("report", [MLDV2, IGMPV3], ids=["MLDv2", "IGMPv3"])
def test_reports_are_known_behind_vlan_tags(report: bytes) -> None:
    frame = packet("tap", report)
    tagged = frame[:12] + bytes.fromhex("88a80001" + "81000002") + frame[12:]
    assert without_stray("tap", 5, tagged) == 0


@kinds
@pytest.mark.parametrize("place", [24 + 15, 6, 40, 48], ids=["other group", "no options", "not ICMPv6", "other type"])
def test_what_is_nearly_an_mldv2_report_keeps_its_mark(kind: str, place: int) -> None:
    changed = bytearray(MLDV2)
    changed[place] ^= 0x01
    assert without_stray(kind, 5, packet(kind, bytes(changed))) == 5


@kinds
@pytest.mark.parametrize("place", [19, 9, 24], ids=["other group", "not IGMP", "other type"])
def test_what_is_nearly_an_igmpv3_report_keeps_its_mark(kind: str, place: int) -> None:
    changed = bytearray(IGMPV3)
    changed[place] ^= 0x01
    assert without_stray(kind, 5, packet(kind, bytes(changed))) == 5


@kinds
def test_other_packets_keep_their_mark(kind: str) -> None:
    for version, addresses in ((4, ("10.0.0.1", "10.0.0.2")), (6, ("fd00::1", "fd00::2"))):
        assert without_stray(kind, 5, packet(kind, udp(version, *addresses, b"payload"))) == 5


@kinds
@pytest.mark.parametrize("report", [MLDV2, IGMPV3], ids=["MLDv2", "IGMPv3"])
def test_a_report_cut_short_does_no_harm(kind: str, report: bytes) -> None:
    whole = packet(kind, report)
    for length in range(len(whole)):
        assert without_stray(kind, 5, whole[:length]) in (0, 5)
    assert without_stray(kind, 5, whole[: len(whole) - len(report) + 24]) == 5


@given(st.sampled_from(["tap", "tun", "tun-pi"]), st.integers(0, 0xFFFFFFFF), st.binary(max_size=100))
def test_no_packet_raises(kind: str, mark: int, content: bytes) -> None:
    assert without_stray(kind, mark, content) in (0, mark)


def test_the_samples_are_what_they_claim() -> None:
    assert socket.inet_ntop(socket.AF_INET6, MLDV2[24:40]) == "ff02::16"
    assert socket.inet_ntop(socket.AF_INET, IGMPV3[16:20]) == "224.0.0.22"
