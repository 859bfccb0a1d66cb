"""Records byte by byte, and in a stream that comes in any portions."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.record import FIRST, FLAGS, HEADER, LANE_SHIFT, LANES, LAST, MAX_PIECE_BYTES, Record, RecordReader
from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES

if TYPE_CHECKING:
    from random import Random

RECORDS = st.builds(Record, st.integers(0, FLAGS), st.binary(max_size=MAX_PIECE_BYTES))


@pytest.mark.parametrize(
    ("record", "data"),
    [
        (Record(FIRST | LAST, b"hi"), "03 0002 6869"),
        (Record(3 << LANE_SHIFT, b""), "0c 0000"),
        (Record(FIRST | 2 << LANE_SHIFT, b"\0"), "09 0001 00"),
        (Record(LAST, b"x" * MAX_PIECE_BYTES), "02 01fd" + "78" * MAX_PIECE_BYTES),
    ],
)
def test_examples(record: Record, data: str) -> None:
    assert record.encode() == bytes.fromhex(data)
    assert RecordReader().feed(bytes.fromhex(data)) == [record]


def test_the_longest_record_fits_into_one_frame() -> None:
    assert len(Record(0, bytes(MAX_PIECE_BYTES)).encode()) == MAX_FRAME_DATA_BYTES


def test_the_lane_is_told_by_the_flags() -> None:
    assert [Record(flags, b"").lane for flags in range(FLAGS + 1)] == [lane for lane in range(LANES) for _ in range(4)]


@given(st.lists(RECORDS, max_size=8), st.randoms(use_true_random=False))
def test_any_portions(records: list[Record], random: Random) -> None:
    data = b"".join(record.encode() for record in records)
    reader, found, position = RecordReader(), list[Record](), 0
    while position < len(data):
        portion = random.choice((1, 2, 3, 50, 5000))
        found += reader.feed(data[position : position + portion]) or ()
        position += portion
    assert found == records


@pytest.mark.parametrize("wrong", [b"\x10\0\0", b"\x80\0\0", HEADER.pack(0, MAX_PIECE_BYTES + 1), b"\0\xff\xff"])
def test_what_no_sender_makes_is_refused(wrong: bytes) -> None:
    """Even behind a record that is right: one wrong header, and nobody knows where the next one is."""
    assert RecordReader().feed(wrong) is None
    assert RecordReader().feed(Record(0, b"right").encode() + wrong) is None
    reader = RecordReader()
    assert reader.feed(wrong[:2]) == []
    assert reader.feed(wrong[2:]) is None


def test_the_rest_of_a_record_can_be_forgotten() -> None:
    reader = RecordReader()
    assert reader.feed(Record(0, b"never ends").encode()[:-1]) == []
    reader.forget()
    assert reader.feed(Record(0, b"next").encode()) == [Record(0, b"next")]


@given(st.lists(st.binary(max_size=600), max_size=10))
def test_no_bytes_raise_or_are_kept(portions: list[bytes]) -> None:
    reader = RecordReader()
    for portion in portions:
        if reader.feed(portion) is None:
            return
        assert len(pickle.dumps(reader)) < MAX_FRAME_DATA_BYTES + 200
