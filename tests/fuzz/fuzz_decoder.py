"""Whatever comes over the lines: an end neither raises nor grows, and finds the next frame.

`make fuzz` runs this file: atheris looks for inputs that reach new code. Options are those of libFuzzer:
`python -m tests.fuzz.fuzz_decoder -max_total_time=60 [CORPUS]`; a file named as the only argument is replayed.
`make test` feeds `one_input` a few inputs from hypothesis (`test_fuzz_decoder.py`), for which atheris is not needed.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from functools import cache, partial

from gpiomux.wire import frame as frames
from gpiomux.wire.codec import MAX_FRAME_BYTES, MAX_LINE_BYTES, WIDTHS, Decoder, Encoder
from gpiomux.wire.counters import Counters
from gpiomux.wire.endpoint import Endpoint, Settings
from gpiomux.wire.frame import Hello, WireMode

MS = 1_000_000
SETTINGS = Settings(mode="net_hdr", mtu=1500, reader=1, writer=2, width_in=8, width_out=8)
PEER = Hello(mode=WireMode.net_hdr, mtu=1500, reader=2, writer=1, epoch=77)
MAX_FRAMES_OUT = 2000
"""More than an end can have to say about one input."""


def one_input(data: bytes) -> None:
    """Take one input: its first byte says how to read the rest.

    Raises:
        AssertionError: an end did not do what it must.
    """
    if not data:
        return
    width, rest = WIDTHS[data[0] & 3], data[1:]
    if data[0] & 4:
        words_in(width, bytes(byte & (1 << width) - 1 for byte in rest))
    else:
        frames_in(rest, datagram=bool(data[0] & 8))


@cache
def encoder(width: int) -> Encoder:
    """Made once: its table costs more than most inputs."""
    return Encoder(width)


def words_in(width: int, words: bytes) -> None:
    """Any words: the same frames however they are cut up, and then the next frame that is right."""
    counters = Counters()
    decoder = Decoder(width, counters)
    found = decoder.decode(words)
    assert all(0 < len(one) <= MAX_FRAME_BYTES for one in found)
    pieces, draws = Decoder(width, Counters()), random.Random(len(words))
    again, position = [], 0
    while position < len(words):
        length = draws.choice((1, 3, 40, 3000))
        again += pieces.decode(words[position : position + length])
        position += length
    assert again == found
    assert len(decoder._words) <= MAX_LINE_BYTES * 8 // width + 2 * 16 // width
    for data in found:
        frames.decode(data)
    assert decoder.decode(encoder(width).encode(b"next", resynchronise=True)) == [b"next"]


def frames_in(data: bytes, *, datagram: bool) -> None:
    """Any frames with right check sequences: the first byte of each says its length and the time that passes."""
    end = Endpoint(replace(SETTINGS, datagram=datagram), partial(random.Random(1).randrange, 1, 1 << 64), 0)
    hello = replace(PEER, peer_epoch=end.peering.own.epoch, datagram=datagram)
    end.receive(encoder(8).encode(frames.encode(hello)), 0)
    assert end.peering.up
    now_ns = position = 0
    while position + 1 < len(data):
        length = data[position] & 0x3F or 1
        now_ns += (data[position] >> 6) * 300 * MS
        end.on_deadline(now_ns)
        end.receive(encoder(8).encode(data[position + 1 : position + 1 + length]), now_ns)
        position += 1 + length
        drain(end, now_ns)


def drain(end: Endpoint, now_ns: int) -> None:
    """Take all that the end has to say; it must fall silent."""
    for _ in range(MAX_FRAMES_OUT):
        if not end.to_send(now_ns):
            break
        end.gone_out(now_ns)
    else:
        raise AssertionError("the end never falls silent")
    while end.next_event() is not None:
        pass


def main() -> None:
    """Fuzz until the time is over or an input is found that fails."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
