"""Streams that carry a known text, so that each byte tells whether it is in its place."""

from __future__ import annotations

import random

from gpiomux.wire.frame import POSITION_MODULUS, Ack
from gpiomux.wire.stream import Arrival, ReceiveStream, SendStream
from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES

MS = 1_000_000
PERIOD = 70_001
TEXT = random.Random(1).randbytes(PERIOD) * 2
"""What streams carry. It repeats itself, but not with positions modulo 2^16."""


def text(start: int, length: int) -> bytes:
    """The bytes that belong at a position."""
    start %= PERIOD
    return TEXT[start : start + length]


def put(stream: SendStream, length: int) -> None:
    """Append what belongs at the end of the stream."""
    stream.append(text(stream.end, length))


def fill(stream: SendStream, *lengths: int, now_ns: int = 0) -> list[int]:
    """Send a new frame of each length; returns their positions."""
    taken = []
    for length in lengths:
        put(stream, length)
        start = stream.end - length
        frame = stream.take()
        assert frame == (start % POSITION_MODULUS, text(start, length))
        stream.gone_out(now_ns)
        taken.append(frame[0])
    return taken


def resent(stream: SendStream, now_ns: int = 0) -> list[tuple[int, int]]:
    """Send all that is known to be lost again; returns positions and lengths in that order."""
    found = []
    while stream.has_lost:
        frame = stream.take()
        assert frame is not None
        stream.gone_out(now_ns)
        found.append((frame[0], len(frame[1])))
    return found


def advanced(position: int) -> SendStream:
    """A stream all of whose first `position` bytes have been sent and acknowledged."""
    stream = SendStream()
    while stream.base < position:
        fill(stream, min(MAX_FRAME_DATA_BYTES, position - stream.base))
        assert stream.acknowledged(Ack(stream.end % POSITION_MODULUS), 0)
    return stream


def at(position: int) -> int:
    """A position as frames say it."""
    return position % POSITION_MODULUS


def receiver_at(position: int) -> ReceiveStream:
    """A stream all of whose first `position` bytes have arrived."""
    stream = ReceiveStream()
    done = 0
    while done < position:
        length = min(MAX_FRAME_DATA_BYTES, position - done)
        assert stream.accept(at(done), text(done, length)) == Arrival(text(done, length))
        done += length
    return stream
