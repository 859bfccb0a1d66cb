"""Who watches an endpoint sees every frame of either direction, and what came instead of one, with the reason."""

from __future__ import annotations

from zlib import crc32

import pytest

from gpiomux.wire import cobs
from gpiomux.wire.codec import MAX_FRAME_BYTES, WIDTHS, Decoder, Encoder
from gpiomux.wire.counters import Counters
from gpiomux.wire.frame import Kind
from gpiomux.wire.tap import Damage
from tests.wire.conftest import connected, numbered, packets, roundtrip

ACK = b"\x30\0\7"


class Tap:
    def __init__(self) -> None:
        self.seen: list[tuple[bool, bytes, Damage]] = []

    def frame(self, outgoing: bool, data: bytes, damage: Damage) -> None:
        self.seen.append((outgoing, data, damage))


def test_both_ends_see_the_same_frames() -> None:
    client, server = connected()
    taps = Tap(), Tap()
    client.set_tap(taps[0])
    server.set_tap(taps[1])
    client.send(numbered(1))
    for now_ns in (10_000_000, 20_000_000):  # the acknowledgement waits for data that could carry it
        roundtrip(client, server, now_ns)
    assert packets(server) == [numbered(1)]
    assert [(not outgoing, data, damage) for outgoing, data, damage in taps[0].seen] == taps[1].seen
    assert {data[0] >> 4 for _, data, _ in taps[0].seen} >= {Kind.DATA, Kind.ACK}
    assert {outgoing for outgoing, _, _ in taps[0].seen} == {True, False}


def test_nobody_sees_anything_after_it_is_taken_away() -> None:
    client, server = connected()
    tap = Tap()
    client.set_tap(tap)
    client.set_tap(None)
    client.send(numbered(1))
    roundtrip(client, server, 10_000_000)
    assert tap.seen == []


LINE = b"\1" + cobs.encode(ACK + crc32(ACK).to_bytes(4, "big"))
WRONG = ACK + (crc32(ACK) ^ 1).to_bytes(4, "big")
LONG = bytes(range(1, 201)) * 4


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (LINE, (ACK, Damage.NONE)),
        (b"\1" + cobs.encode(WRONG), (WRONG, Damage.CRC)),
        (b"\1" + cobs.encode(b"abcd"), (b"abcd", Damage.LENGTH)),
        (b"\3" + LINE[1:], (b"\3" + LINE[1:], Damage.FRAMING)),
        (b"\1\xf0ab", (b"\1\xf0ab", Damage.FRAMING)),
    ],
)
def test_what_came_instead(width: int, line: bytes, seen: tuple[bytes, Damage]) -> None:
    counters, tap = Counters(), Tap()
    decoder = Decoder(width, counters)
    decoder.tap = tap
    per_byte = 8 // width
    words = bytes(byte >> place * width & (1 << width) - 1 for byte in line + b"\0\0" for place in range(per_byte))
    decoder.decode(words)
    assert tap.seen == [(False, *seen)]
    errors = counters.rx_crc_errors + counters.rx_length_errors + counters.rx_framing_errors
    assert errors == (seen[1] is not Damage.NONE)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_does_not_end_is_seen_once_and_not_whole(width: int) -> None:
    tap = Tap()
    decoder = Decoder(width, Counters())
    decoder.tap = tap
    words = Encoder(width).encode(LONG)
    decoder.decode(words[: len(words) - 2 * (8 // width)])
    ((outgoing, data, damage),) = tap.seen
    assert (outgoing, damage) == (False, Damage.LENGTH)
    assert MAX_FRAME_BYTES < len(data) < len(LONG)
    assert cobs.encode(LONG).startswith(data[1:])
