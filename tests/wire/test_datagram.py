"""The stream that resends nothing: what is sent leaves, and what is lost shows as a gap."""

from __future__ import annotations

import pytest

from gpiomux.wire.datagram import ReceiveDatagrams, SendDatagrams
from gpiomux.wire.frame import DATAGRAM_POSITION_MODULUS, Ack
from gpiomux.wire.stream import Arrival
from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES


def sent(stream: SendDatagrams, data: bytes) -> int:
    """Send one frame; returns its position."""
    stream.append(data)
    taken = stream.take()
    assert taken is not None
    assert taken[1] == data
    stream.gone_out(0)
    return taken[0]


def test_each_frame_has_the_position_of_its_first_byte() -> None:
    stream = SendDatagrams()
    assert stream.take() is None
    assert [sent(stream, bytes(length)) for length in (10, 1, 512, 5)] == [0, 10, 11, 523]
    assert stream.take() is None


def test_what_is_gone_has_left() -> None:
    """A packet counts as sent when its last word has gone out: more is never known of it."""
    stream = SendDatagrams()
    stream.append(b"first")
    assert (stream.base, stream.end, stream.unsent(), stream.room()) == (0, 5, 5, MAX_FRAME_DATA_BYTES - 5)
    assert stream.take() == (0, b"first")
    stream.append(b"next")
    assert (stream.base, stream.end, stream.unsent()) == (0, 9, 4)
    stream.gone_out(7)
    assert (stream.base, stream.end) == (5, 9)
    assert not stream.has_lost


def test_there_are_no_timers_and_no_acknowledgements() -> None:
    stream = SendDatagrams()
    sent(stream, b"data")
    assert stream.deadline_ns() is None
    assert not stream.on_deadline(1 << 60)
    assert stream.acknowledged(Ack(77, ((1, 2),)), 0)
    assert stream.take() is None
    assert ReceiveDatagrams().ack() == Ack(0)


@pytest.mark.parametrize("lengths", [(10, 20, 30), (512,) * 200])
def test_frames_in_a_row_have_no_gap(lengths: tuple[int, ...]) -> None:
    sender, receiver = SendDatagrams(), ReceiveDatagrams()
    for length in lengths:
        data = bytes(length)
        assert receiver.accept(sent(sender, data), data) == Arrival(data)


def test_a_lost_frame_shows_once() -> None:
    sender, receiver = SendDatagrams(), ReceiveDatagrams()
    sent(sender, b"lost")
    seen = [receiver.accept(sent(sender, data), data) for data in (b"second", b"third")]
    assert seen == [Arrival(b"second", lost=True), Arrival(b"third")]
    assert not receiver.has_gap


def test_positions_wrap() -> None:
    sender, receiver = SendDatagrams(), ReceiveDatagrams()
    start = DATAGRAM_POSITION_MODULUS - 1200
    sender._base = receiver._expected = start
    data = bytes(500)
    positions = []
    for _ in range(5):
        positions.append(sent(sender, data))
        assert not receiver.accept(positions[-1], data).lost
    assert positions == [(start + 500 * turn) % DATAGRAM_POSITION_MODULUS for turn in range(5)]
    sent(sender, data)
    assert receiver.accept(sent(sender, data), data).lost
