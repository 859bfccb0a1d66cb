"""Frames to words and back: exact words, any garbage, the way back to the next frame, and a buffer that stays small."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire import cobs
from gpiomux.wire.codec import MAX_FRAME_BYTES, MAX_LINE_BYTES, WIDTHS, Decoder, Encoder, end_words
from gpiomux.wire.counters import Counters

if TYPE_CHECKING:
    from random import Random

FRAMES = st.binary(min_size=1, max_size=MAX_FRAME_BYTES)


def crc_by_bits(data: bytes) -> bytes:
    """CRC-32/ISO-HDLC straight from its parameters: reflected 0x04C11DB7, start and final inversion."""
    register = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            low = register & 1 ^ byte >> bit & 1
            register = register >> 1 ^ (0xEDB88320 if low else 0)
    return (register ^ 0xFFFFFFFF).to_bytes(4, "big")


def words_of(line: bytes, width: int) -> bytes:
    """Bytes as words, the least significant bits first, one bit at a time."""
    bits = [byte >> bit & 1 for byte in line for bit in range(8)]
    groups = (bits[at : at + width] for at in range(0, len(bits), width))
    return bytes(sum(bit << place for place, bit in enumerate(group)) for group in groups)


def faults(counters: Counters) -> int:
    return counters.rx_crc_errors + counters.rx_framing_errors + counters.rx_length_errors


@st.composite
def words_and_width(draw: st.DrawFn) -> tuple[bytes, int]:
    """Any words, with long rows of zeros among them more often than chance would make."""
    width = draw(st.sampled_from(WIDTHS))
    row = st.one_of(st.lists(st.integers(0, (1 << width) - 1), max_size=200).map(bytes), st.integers(0, 20).map(bytes))
    return b"".join(draw(st.lists(row, max_size=8))), width


def test_the_check_value_of_the_catalogue() -> None:
    assert crc_by_bits(b"123456789") == bytes.fromhex("cbf43926")


@given(st.binary(max_size=300))
def test_the_check_sequence_is_crc_32(data: bytes) -> None:
    assert crc32(data).to_bytes(4, "big") == crc_by_bits(data)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (8, "01 06 30 f4 db df 21 00 00"),
        (4, "1 0  6 0  0 3  4 f  b d  f d  1 2  0 0  0 0"),
        (2, "1000  2100  0030  0133  3213  3313  1020  0000  0000"),
        (1, "10000000 01100000 00001100 00101111 11011011 11111011 10000100 00000000 00000000"),
    ],
)
def test_a_frame_word_by_word(width: int, words: str) -> None:
    expected = bytes.fromhex(words) if width == 8 else bytes(int(digit, 16) for digit in words if digit != " ")
    assert Encoder(width).encode(b"\x30") == expected
    assert Encoder(width).encode(b"\x30", resynchronise=True) == bytes(end_words(width)) + expected
    counters = Counters()
    assert Decoder(width, counters).decode(expected) == [b"\x30"]
    assert faults(counters) == 0


@given(FRAMES, st.sampled_from(WIDTHS))
def test_words_of_any_frame(frame: bytes, width: int) -> None:
    line = b"\x01" + cobs.encode(frame + crc_by_bits(frame)) + b"\0\0"
    assert len(line) - 2 <= MAX_LINE_BYTES
    assert Encoder(width).encode(frame) == words_of(line, width)


@given(st.lists(FRAMES, max_size=5), st.sampled_from(WIDTHS), st.randoms(use_true_random=False), st.booleans())
def test_round_trip_in_any_pieces(frames: list[bytes], width: int, random: Random, resynchronise: bool) -> None:
    words = b"".join(Encoder(width).encode(frame, resynchronise=resynchronise) for frame in frames)
    counters = Counters()
    decoder, decoded, position = Decoder(width, counters), [], 0
    while position < len(words):
        piece = random.choice((1, 2, 7, 100, 5000))
        decoded += decoder.decode(words[position : position + piece])
        position += piece
    assert decoded == frames
    assert faults(counters) == 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("filler", [1, 0xFF])
def test_the_longest_frame_word_by_word(width: int, filler: int) -> None:
    """Neither the zeros of its end nor those that the frame before has left may count as its own length."""
    frame = bytes([filler]) * MAX_FRAME_BYTES
    words = Encoder(width).encode(frame) * 2
    counters = Counters()
    decoder = Decoder(width, counters)
    assert [found for word in words for found in decoder.decode(bytes([word]))] == [frame, frame]
    assert faults(counters) == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_a_longer_frame_is_counted_once(width: int) -> None:
    counters = Counters()
    decoder, encoder = Decoder(width, counters), Encoder(width)
    for word in encoder.encode(b"x" * (MAX_FRAME_BYTES + 1)):
        assert decoder.decode(bytes([word])) == []
    assert decoder.decode(encoder.encode(b"next")) == [b"next"]
    assert faults(counters) == counters.rx_length_errors == 1


@given(words_and_width())
def test_no_words_raise_and_every_fault_is_counted(case: tuple[bytes, int]) -> None:
    """Whatever stands between two ends is nothing, a frame, or one fault."""
    words, width = case
    end = end_words(width)
    text = "".join("0" if word == 0 else "x" for word in words)
    lines, rest = 0, text
    while (at := rest.find("0" * end)) >= 0:
        lines += bool(rest[:at].strip("0"))
        rest = rest[at + end :]
    counters = Counters()
    frames = Decoder(width, counters).decode(words)
    assert len(frames) + faults(counters) == lines
    in_pieces = Counters()
    decoder = Decoder(width, in_pieces)
    assert [frame for word in words for frame in decoder.decode(bytes([word]))] == frames
    assert faults(in_pieces) == faults(counters)


@given(words_and_width(), FRAMES, st.booleans())
def test_the_next_clean_frame_is_found(case: tuple[bytes, int], frame: bytes, resynchronise: bool) -> None:
    """One end of a frame is all it takes: the next frame arrives, or the one after it where nothing leads it in."""
    garbage, width = case
    encoder, decoder = Encoder(width), Decoder(width, Counters())
    decoder.decode(garbage)
    if not resynchronise:
        decoder.decode(encoder.encode(b"lost, perhaps"))
    assert decoder.decode(encoder.encode(frame, resynchronise=resynchronise)) == [frame]


@given(words_and_width(), st.lists(st.binary(min_size=1, max_size=80), min_size=3, max_size=6), st.data())
def test_the_way_back_is_one_frame_and_its_end(case: tuple[bytes, int], sent: list[bytes], data: st.DataObject) -> None:
    """After the last fault on the line no more passes in vain than one whole frame and its end.

    Any words may have come, and the line may begin to be right in the middle of a frame: at its end, or if that was hit
    at the end of the one that follows, the receiver knows where it is. Every frame that begins after that arrives.
    """
    garbage, width = case
    encoder, decoder = Encoder(width), Decoder(width, Counters())
    lines = [encoder.encode(frame) for frame in sent]
    after_fault = data.draw(st.integers(0, len(lines[0])))
    decoder.decode(garbage)
    found = decoder.decode(lines[0][after_fault:] + b"".join(lines[1:]))
    # At once, if the first end came whole; else after the second frame and its end.
    whole_end = len(lines[0]) - after_fault >= end_words(width)
    awaited = sent[1:] if whole_end else sent[2:]
    assert found[len(found) - len(awaited) :] == awaited


@pytest.mark.parametrize("width", WIDTHS)
def test_the_way_back_in_words(width: int) -> None:
    """The bound of the test above in words, at its worst: the end of a frame is hit, and the longest frame follows."""
    longest, most_words = b"\xff" * MAX_FRAME_BYTES, (MAX_LINE_BYTES + 2) * 8 // width
    encoder, decoder = Encoder(width), Decoder(width, Counters())
    hit = bytearray(encoder.encode(b"its end is hit"))
    hit[-max(1, end_words(width) // 2)] ^= 1
    assert decoder.decode(hit) == []
    in_vain = encoder.encode(longest)
    assert len(in_vain) <= most_words
    assert decoder.decode(in_vain) == []
    assert decoder.decode(encoder.encode(b"next")) == [b"next"]


@given(FRAMES, st.sampled_from(WIDTHS), st.data())
def test_one_wrong_bit_is_one_fault(frame: bytes, width: int, data: st.DataObject) -> None:
    """CRC-32 finds every error burst of up to 32 bits; flips that hit the stuffing may show as another fault."""
    words = bytearray(Encoder(width).encode(frame))
    at = data.draw(st.integers(0, len(words) - end_words(width) - 1))
    words[at] ^= 1 << data.draw(st.integers(0, width - 1))
    counters = Counters()
    decoder = Decoder(width, counters)
    assert frame not in decoder.decode(words)
    assert decoder.decode(Encoder(width).encode(b"next", resynchronise=True)) == [b"next"]
    assert faults(counters) >= 1


@pytest.mark.parametrize(
    ("line", "counter"),
    [
        ("02 0630f4dbdf21", "rx_framing_errors"),  # no start byte
        ("01 0830f4dbdf21", "rx_framing_errors"),  # a code byte that points beyond the end
        ("01 0630f4dbdf22", "rx_crc_errors"),
        ("01 0521f4dbdf", "rx_length_errors"),  # a check sequence and nothing else
        ("01", "rx_framing_errors"),
    ],
)
@pytest.mark.parametrize("width", WIDTHS)
def test_each_fault_has_its_counter(line: str, counter: str, width: int) -> None:
    counters = Counters()
    assert Decoder(width, counters).decode(words_of(bytes.fromhex(line) + b"\0\0", width)) == []
    assert getattr(counters, counter) == faults(counters) == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_the_buffer_stays_small(width: int) -> None:
    """A peer that never ends a frame costs one fault and no memory, a line that is always inactive nothing."""
    counters = Counters()
    decoder = Decoder(width, counters)
    bound_bytes = len(pickle.dumps(decoder)) + 2 * MAX_LINE_BYTES * 8 // width
    for _ in range(50):
        assert decoder.decode(b"\x01" * 5000) == []
        assert len(pickle.dumps(decoder)) < bound_bytes
    assert faults(counters) == counters.rx_length_errors == 1
    assert decoder.decode(Encoder(width).encode(b"lost with it")) == []
    assert decoder.decode(Encoder(width).encode(b"next")) == [b"next"]
    assert decoder.decode(bytes(100_000)) == []
    assert len(pickle.dumps(decoder)) < bound_bytes
    assert faults(counters) == 1
