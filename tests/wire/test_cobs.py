"""Byte stuffing against an oracle that follows the program in the appendix of Cheshire and Baker's paper."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpiomux.wire import cobs


def stuff_as_in_the_paper(data: bytes) -> bytes:
    """`StuffData`, byte by byte: a block is finished by a zero, by 254 other bytes, and by the end."""
    out, block = bytearray(), bytearray()
    for byte in data:
        if byte:
            block.append(byte)
        if not byte or len(block) == 254:
            out += bytes([len(block) + 1]) + block
            block.clear()
    return bytes(out) + bytes([len(block) + 1]) + block


def unstuff_as_in_the_paper(stuffed: bytes) -> bytes:
    """`UnStuffData`; the zero that the last block implies stands for the end of the packet and is taken away."""
    out, position = bytearray(), 0
    while position < len(stuffed):
        code = stuffed[position]
        out += stuffed[position + 1 : position + code]
        position += code
        if code < 0xFF:
            out.append(0)
    return bytes(out[:-1]) if code < 0xFF else bytes(out)


RUNS = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 3)), max_size=4).map(
    lambda runs: b"".join(b"\xa5" * length + bytes(zeros) for length, zeros in runs)
)
"""Long runs without a zero, which plain random bytes never hold."""
DATA = st.one_of(st.binary(max_size=700), RUNS)


@pytest.mark.parametrize(
    ("data", "stuffed"),
    [
        (b"", b"\x01"),
        (b"\0", b"\x01\x01"),
        (b"\0\0", b"\x01\x01\x01"),
        (b"\x11\x22\x00\x33", b"\x03\x11\x22\x02\x33"),
        (b"\x11\x22\x33\x44", b"\x05\x11\x22\x33\x44"),
        (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
        (bytes(range(1, 254)), b"\xfe" + bytes(range(1, 254))),
        (bytes(range(1, 255)), b"\xff" + bytes(range(1, 255)) + b"\x01"),
        (bytes(range(256)), b"\x01\xff" + bytes(range(1, 255)) + b"\x02\xff"),
    ],
)
def test_examples(data: bytes, stuffed: bytes) -> None:
    assert cobs.encode(data) == stuffed
    assert cobs.decode(stuffed) == data


@given(DATA)
@example(b"x" * 254)
@example(b"x" * 508 + b"\0")
def test_encoding_follows_the_paper(data: bytes) -> None:
    stuffed = cobs.encode(data)
    assert stuffed == stuff_as_in_the_paper(data)
    assert 0 not in stuffed
    assert len(stuffed) <= len(data) + 1 + len(data) // 254
    assert cobs.decode(stuffed) == data


@given(st.binary(min_size=1, max_size=700).map(lambda data: data.replace(b"\0", b"\x01")))
@example(b"\xff" + b"x" * 254)
def test_decoding_follows_the_paper(stuffed: bytes) -> None:
    position = 0
    while position < len(stuffed):
        position += stuffed[position]
    expected = unstuff_as_in_the_paper(stuffed) if position == len(stuffed) else None
    assert cobs.decode(stuffed) == expected


@pytest.mark.parametrize("stuffed", [b"", b"\0", b"\x02\0", b"\x01\0\x01", b"\x02", b"\x03\x11", b"\x02\x11\x05\x22"])
def test_what_no_encoder_makes_is_refused(stuffed: bytes) -> None:
    assert cobs.decode(stuffed) is None
