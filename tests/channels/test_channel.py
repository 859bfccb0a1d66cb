"""Tests of the two ends of a channel: against each other, the sample of the specification, and hostile bytes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.channels.fence import LockFence, fence_of, no_fence
from gpiomux.channels.reader import ChannelReader, Outcome
from gpiomux.channels.writer import ChannelWriter

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 0xBEEFBEEFBEEF
MARKER_BYTES = bytes.fromhex("6d9b9ab7b6127348")
"""As the specification prints them, for a little-endian machine."""


def pair(size: int, protocol: int = PROTOCOL) -> tuple[ChannelWriter, ChannelReader, bytearray]:
    memory = bytearray(size)
    writer = ChannelWriter(memoryview(memory), no_fence)
    return writer, ChannelReader(memoryview(memory).toreadonly(), protocol, no_fence), memory


def started(elements: int = 4, element_bytes: int = 3) -> tuple[ChannelWriter, ChannelReader, bytearray]:
    writer, reader, memory = pair(64 + elements * element_bytes)
    assert writer.start(protocol=PROTOCOL, element_bytes=element_bytes, epoch=1)
    assert reader.read() is Outcome.EPOCH_CHANGED
    return writer, reader, memory


def test_what_is_written_is_read_once_and_in_order() -> None:
    writer, reader, _ = started()
    assert reader.read() is Outcome.NO_DATA
    writer.write(b"abc")
    writer.write(b"def")
    assert [reader.read(), reader.read(), reader.read()] == [b"abc", b"def", Outcome.NO_DATA]


def test_elements_from_before_the_first_look_are_read() -> None:
    writer, reader, _ = pair(64 + 12)
    writer.start(protocol=PROTOCOL, element_bytes=3, epoch=1)
    writer.write(b"abc")
    assert [reader.read(), reader.read()] == [Outcome.EPOCH_CHANGED, b"abc"]


def test_a_reader_that_falls_behind_loses_what_waited_and_goes_on() -> None:
    writer, reader, _ = started(elements=4)
    for number in range(5):
        writer.write(bytes([number] * 3))
    assert [reader.read(), reader.read()] == [Outcome.OVERRUN, Outcome.NO_DATA]
    writer.write(b"new")
    assert reader.read() == b"new"


def test_an_element_that_is_being_overwritten_is_not_read() -> None:
    writer, reader, memory = started(elements=4)
    for number in range(4):
        writer.write(bytes([number] * 3))
    struct.pack_into("=Q", memory, 48, 5)  # the fifth has begun
    assert reader.read() is Outcome.OVERRUN


def test_the_sample_of_the_specification() -> None:
    header = MARKER_BYTES + struct.pack("<7Q", 1, PROTOCOL, 2, 8, 0, 10, 9)
    memory = bytearray(header + bytes(16))
    memory[64 : 64 + 16] = b"".join(bytes([number, number]) for number in (8, 99, 2, 3, 4, 5, 6, 7))
    reader = ChannelReader(memoryview(memory), PROTOCOL, no_fence)
    assert reader.read() is Outcome.EPOCH_CHANGED
    assert (reader.element_bytes, reader.elements) == (2, 8)
    assert reader.read() is Outcome.OVERRUN, "elements 0 and 1 are gone"
    struct.pack_into("<2Q", memory, 48, 10, 10)
    assert reader.read() == bytes([99, 99])


def test_the_header_as_the_specification_lays_it_out() -> None:
    writer, _, memory = pair(64 + 16)
    writer.start(protocol=PROTOCOL, element_bytes=2, epoch=7)
    writer.write(b"hi")
    assert bytes(memory[:8]) == MARKER_BYTES
    assert struct.unpack_from("<7Q", memory, 8) == (7, PROTOCOL, 2, 8, 0, 1, 1)
    writer.stop()
    assert struct.unpack_from("<Q", memory, 8) == (0,)


def test_a_writer_that_stops_and_starts_anew() -> None:
    writer, reader, _ = started()
    writer.write(b"abc")
    writer.stop()
    assert reader.read() is Outcome.INACTIVE
    writer.start(protocol=PROTOCOL, element_bytes=4, epoch=2)
    writer.write(b"abcd")
    assert [reader.read(), reader.read()] == [Outcome.EPOCH_CHANGED, b"abcd"]


def test_a_region_without_room_for_one_element_is_not_written() -> None:
    writer, reader, _ = pair(64 + 2)
    assert not writer.start(protocol=PROTOCOL, element_bytes=3, epoch=1)
    assert reader.read() is Outcome.INACTIVE


@pytest.mark.parametrize(
    ("at", "value", "fault"),
    [
        (0, 1, "holds no SHMStream version 2"),
        (16, 8, "peer writes 0x8, this link reads 0xbeefbeefbeef"),
        (24, 0, "4 elements of 0 bytes in a channel of 76 bytes"),
        (24, 4, "4 elements of 4 bytes in a channel of 76 bytes"),
        (32, 0, "0 elements of 3 bytes"),
        (32, 5, "5 elements of 3 bytes"),
        (32, 2**64 - 1, "elements of 3 bytes"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(at: int, value: int, fault: str) -> None:
    writer, reader, memory = pair(64 + 12)
    writer.start(protocol=PROTOCOL, element_bytes=3, epoch=1)
    struct.pack_into("=Q", memory, at, value)
    assert reader.read() is Outcome.INCOMPATIBLE
    assert fault in reader.fault
    assert not reader.waiting(), "it would be looked at without end"


def test_whether_something_waits() -> None:
    writer, reader, _ = pair(64 + 12)
    assert not reader.waiting()
    writer.start(protocol=PROTOCOL, element_bytes=3, epoch=1)
    assert reader.waiting()
    reader.read()
    assert not reader.waiting()
    writer.write(b"abc")
    assert reader.waiting()
    reader.read()
    assert not reader.waiting()
    writer.stop()
    assert reader.waiting()
    reader.read()
    assert not reader.waiting()


WORD = st.integers(0, 2**64 - 1) | st.integers(0, 20) | st.just(int.from_bytes(MARKER_BYTES, "little"))
SCRIBBLE = st.tuples(st.integers(0, 7), WORD)


@given(st.lists(st.lists(SCRIBBLE, max_size=4), min_size=1, max_size=30), st.integers(0, 200))
def test_whatever_stands_in_the_channel_is_read_within_its_bounds(
    rounds: list[list[tuple[int, int]]], room: int
) -> None:
    writer, reader, memory = pair(64 + room)
    writer.start(protocol=PROTOCOL, element_bytes=5, epoch=1)
    reader.read()
    for words in rounds:
        for number, value in words:
            struct.pack_into("=Q", memory, 8 * number, value)
        got = reader.read()
        assert isinstance(got, Outcome) or 0 < len(got) <= room


@given(st.lists(st.sampled_from(["write", "read"]), max_size=200), st.integers(1, 9))
def test_all_that_is_read_was_written_in_that_order(steps: list[str], elements: int) -> None:
    writer, reader, _ = started(elements, 4)
    written = 0
    last = -1
    for step in steps:
        if step == "write":
            writer.write(written.to_bytes(4, "big"))
            written += 1
            continue
        got = reader.read()
        if isinstance(got, bytes):
            number = int.from_bytes(got, "big")
            assert last < number < written
            last = number
        else:
            assert got in (Outcome.NO_DATA, Outcome.OVERRUN)
            last = written - 1


@pytest.mark.parametrize(
    ("machine", "kind"), [("x86_64", "function"), ("aarch64", "LockFence"), ("riscv64", "LockFence")]
)
def test_the_fence_of_a_machine(machine: str, kind: str) -> None:
    fence: Callable[[], None] = fence_of(machine)
    assert type(fence).__name__ == kind
    fence()
    fence()


def test_a_channel_works_with_the_other_fence() -> None:
    memory = bytearray(64 + 6)
    writer = ChannelWriter(memoryview(memory), LockFence())
    reader = ChannelReader(memoryview(memory), PROTOCOL, LockFence())
    writer.start(protocol=PROTOCOL, element_bytes=3, epoch=1)
    writer.write(b"abc")
    assert [reader.read(), reader.read()] == [Outcome.EPOCH_CHANGED, b"abc"]
    writer.close()
    reader.close()
    memory.append(0)  # a region that is still borrowed cannot grow
