"""Room in a channel: a writer that heeds it makes no reader lose anything, and nothing it reads keeps it for ever."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from gpiomux.channels.fence import no_fence
from gpiomux.channels.link import ChannelLink
from gpiomux.channels.taken import TAKEN_BYTES, Room, Taken
from gpiomux.config.model import Mode, ProtocolIds
from gpiomux.wire.elements import region_bytes
from gpiomux.wire.packet import Packet

IDS = ProtocolIds(reader=1, writer=1)


def links(elements: int) -> tuple[ChannelLink, ChannelLink]:
    size = region_bytes("eth", 100, elements)
    regions = [memoryview(bytearray(size)) for _ in range(2)]
    words = [memoryview(bytearray(TAKEN_BYTES)) for _ in range(2)]

    def link(out: int, epoch: int) -> ChannelLink:
        return ChannelLink(
            out=regions[out],
            into=regions[1 - out],
            out_taken=words[out],
            into_taken=words[1 - out],
            mode=Mode.ETH,
            protocol=IDS,
            mtu=100,
            draw_epoch=lambda: epoch,
            fence=no_fence,
        )

    return link(0, 5), link(1, 6)


@given(st.integers(1, 9), st.lists(st.tuples(st.booleans(), st.integers(1, 12)), max_size=60))
def test_a_writer_that_heeds_the_room_makes_nobody_lose_anything(elements: int, steps: list[tuple[bool, int]]) -> None:
    near, far = links(elements)
    while far.waiting():
        far.receive()
    far.tell()
    sent: deque[bytes] = deque()
    number = 0
    for sends, count in steps:
        if sends:
            for _ in range(min(count, near.room())):
                number += 1
                payload = number.to_bytes(20, "big")
                near.send(Packet(0, payload))
                sent.append(payload)
            continue
        for _ in range(count):
            packet = far.receive()
            assert (packet.payload if packet else None) == (sent.popleft() if sent else None)
        far.tell()
    assert near.room() == elements - len(sent)
    assert far.counters.rx_overruns == 0


def test_who_waits_for_room_is_told_of_it() -> None:
    near, far = links(4)
    far.receive()
    assert not far.tell()
    while near.room():
        near.send(Packet(0, bytes(20)))
    far.receive()
    assert far.tell(), "the channel was full"
    assert near.room() == 1


def test_a_reader_that_has_stopped_is_waited_for_once() -> None:
    near, far = links(4)
    far.receive()
    far.tell()
    while near.room():
        near.send(Packet(0, bytes(20)))
    near.waited_in_vain()
    assert near.room() == 4
    far.receive()
    far.tell()
    assert near.room() == 1, "it goes on, so it is heeded again"


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(1, 2**16))
def test_whatever_a_reader_claims_the_room_is_possible(epoch: int, count: int, written: int, elements: int) -> None:
    words = memoryview(bytearray(TAKEN_BYTES))
    Taken(words).tell(epoch, count)
    room = Room(words)
    assert 0 <= room.left(epoch=epoch, written=written, elements=elements) <= elements
    room.waited_in_vain()
    assert room.left(epoch=epoch, written=written, elements=elements) == elements


def test_a_reader_of_another_stream_counts_for_nothing() -> None:
    words = memoryview(bytearray(TAKEN_BYTES))
    Taken(words).tell(7, 0)
    assert Room(words).left(epoch=8, written=100, elements=4) == 4
