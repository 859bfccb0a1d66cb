"""The dissector for Wireshark on frames of every kind: what it says is what our decoder says."""

from __future__ import annotations

import random
import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from gpiomux.cli import pcapng
from gpiomux.wire import frame as frames
from gpiomux.wire.frame import Ack, Data, Hello, Probe
from gpiomux.wire.packet import Packet
from gpiomux.wire.record import FIRST, LANE_SHIFT, LAST, Record
from tests.cli.dissector import FIELDS, decoded, dissected, need_tshark

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.wire.frame import Frame

U16, U32, U64 = (1 << 16) - 1, (1 << 32) - 1, (1 << 64) - 1
UNKNOWN = (b"\xf0", b"\x00\1", b"\x10" * 36, b"\x20" * 5, b"\x30\0\1\2", b"\x40" * 21)
"""Kinds that there are not, and lengths that the kinds do not have."""
FAULTS = "_ws.malformed || gpiomux.no_records || gpiomux.unknown_kind || gpiomux.gap"


@pytest.fixture(autouse=True)
def tshark() -> None:
    need_tshark()


def write(path: Path, *said: bytes, mode: str = "net_hdr") -> Path:
    """A capture of frames that went out, one in each nanosecond."""
    path.write_bytes(
        pcapng.header("test", "geth0", f"mode {mode}, delivery reliable, mtu 1500")
        + b"".join(pcapng.frame(time_ns, "out", "", data) for time_ns, data in enumerate(said))
    )
    return path


def any_frame(draw: random.Random) -> Frame:
    match draw.randrange(4):
        case 0:
            ids = [draw.choice((1, U64, draw.getrandbits(64))) for _ in range(4)]
            mode = draw.choice((1, 2, 3, 9))
            return Hello(mode=mode, mtu=U16, reader=ids[0], writer=ids[1], epoch=ids[2], peer_epoch=ids[3])
        case 1:
            return Data(draw.randint(0, U16), draw.randint(0, U16), draw.randbytes(draw.randint(1, 512)))
        case 2:
            ranges = tuple((draw.randint(0, U16), draw.randint(0, U16)) for _ in range(draw.randint(0, 8)))
            return Ack(draw.randint(0, U16), ranges)
        case _:
            counted = [draw.choice((0, U32, draw.getrandbits(32))) for _ in range(5)]
            number, received, damaged, pattern_bits, wrong_bits = counted
            body = bytes(draw.randint(18, 514))
            return Probe(number, received, damaged, pattern_bits, wrong_bits, body, draw.random() < 0.5)


def test_fields_of_frames_of_every_kind(tmp_path: Path) -> None:
    draw = random.Random(1)
    said = [frames.encode(any_frame(draw)) for _ in range(400)] + list(UNKNOWN)
    path = write(tmp_path / "x", *said)
    assert dissected(path, *FIELDS) == [decoded(data, datagram=False) for data in said]
    unknown = dissected(path, "frame.len", only="gpiomux.unknown_kind")
    assert unknown == [[str(len(data))] for data in UNKNOWN]


IPV4 = bytes.fromhex("4500001c0001000040fd0000 0a000001 0a000002") + bytes(8)
IPV6 = bytes.fromhex("6000000000083b40") + bytes(15) + b"\1" + bytes(15) + b"\2"
ARP = bytes.fromhex("ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a000001 000000000000 0a000002")


@pytest.mark.parametrize(
    ("mode", "payload", "protocols"),
    [
        ("net_hdr", IPV4, "gpiomux:ip:data"),
        ("net_hdr", IPV6, "gpiomux:ipv6"),
        ("eth", ARP, "gpiomux:eth:ethertype:arp"),
        ("raw", b"\x08\x06" + ARP[14:], "gpiomux:arp"),
    ],
)
def test_packets_are_handed_on(tmp_path: Path, mode: str, payload: bytes, protocols: str) -> None:
    record = Record(FIRST | LAST | 3 << LANE_SHIFT, Packet(7, payload).encode()).encode()
    path = write(tmp_path / "x", frames.encode(Data(0, 0, record)), mode=mode)
    names = ("frame.protocols", "gpiomux.packet.mark", "gpiomux.packet.length", "gpiomux.record.lane")
    assert dissected(path, *names) == [[protocols, "0x00000007", str(len(payload)), "3"]]
    assert dissected(path, "frame.number", only=FAULTS) == []


def test_pieces_are_put_together_whatever_their_order(tmp_path: Path) -> None:
    """Two packets on two lanes, frames that cut records anywhere, one of them lost on the way and sent again."""
    draw = random.Random(2)
    payloads = [IPV4[:2] + struct.pack(">H", 900) + IPV4[4:20] + draw.randbytes(880) for _ in range(2)]
    stream = b""
    for at in range(0, 908, 100):
        for lane, payload in enumerate(payloads):
            packet = Packet(lane + 1, payload).encode()
            flags = (FIRST if not at else 0) | (LAST if at + 100 >= len(packet) else 0) | lane << LANE_SHIFT
            stream += Record(flags, packet[at : at + 100]).encode()
    cuts = [0, *sorted(draw.sample(range(1, len(stream)), 8)), len(stream)]
    pieces = [(begin, stream[begin:end]) for begin, end in pairwise(cuts)]
    order = [*pieces[:3], *pieces[4:], pieces[2], pieces[3]]
    said = [frames.encode(Data(begin, 0, part)) for begin, part in order]
    path = write(tmp_path / "x", *said)
    marks = [mark for (shown,) in dissected(path, "gpiomux.packet.mark") for mark in shown.split(",") if mark]
    assert sorted(marks) == ["0x00000001", "0x00000002"]
    assert dissected(path, "ip.len", only="ip") == [["900,900"]]
    assert dissected(path, "frame.number", only="gpiomux.no_records || _ws.malformed") == []
    assert dissected(path, "frame.number", only="gpiomux.again") == [[str(len(said) - 1)]]


def test_frames_are_shown_alike_a_second_time(tmp_path: Path) -> None:
    """Wireshark asks for a frame again whenever somebody looks at it, whatever came after it."""
    record = Record(FIRST | LAST, Packet(7, IPV4).encode()).encode()
    way = {"mode": 2, "mtu": 1500, "reader": 1, "writer": 2}
    hellos = [Hello(**way, epoch=number, datagram=bool(number % 2)) for number in (1, 2)]
    said = [
        frames.encode(each) for hello in hellos for each in (hello, Data(0, 0, record), Data(len(record), 0, record))
    ]
    path = write(tmp_path / "x", *said)
    once, twice = (dissected(path, *FIELDS, "gpiomux.packet.mark", "ip.src", passes=number) for number in (1, 2))
    assert once == twice
    assert [mark for *_, mark, _ in once] == ["", *["0x00000007"] * 2] * 2


def test_a_packet_that_another_dissector_cannot_read_hides_no_other(tmp_path: Path) -> None:
    """As a name server's question of one byte, which is what anyone may send to its port."""
    udp = bytes.fromhex("0035 1388 0009 0000 78")
    dns = IPV4[:2] + struct.pack(">H", 20 + len(udp)) + IPV4[4:9] + b"\x11" + IPV4[10:20] + udp
    records = [Record(FIRST | LAST, Packet(mark, payload).encode()).encode() for mark, payload in ((7, dns), (9, IPV4))]
    path = write(tmp_path / "x", frames.encode(Data(0, 0, b"".join(records))))
    assert dissected(path, "gpiomux.packet.mark") == [["0x00000007,0x00000009"]]
    assert dissected(path, "_ws.expert.message", only="_ws.lua.error || gpiomux.no_records") == []
