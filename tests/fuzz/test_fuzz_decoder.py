"""The entry of the fuzz target, with a few inputs that need no search; `make fuzz` searches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpiomux.wire import frame as frames
from gpiomux.wire.codec import WIDTHS, Decoder, Encoder
from gpiomux.wire.frame import Ack, Data, Probe
from gpiomux.wire.probing import PATTERN
from gpiomux.wire.record import FIRST, LAST, Record
from tests.fuzz import fuzz_decoder
from tests.fuzz.fuzz_decoder import one_input

INPUTS = 150


@given(st.binary(max_size=1500))
@settings(max_examples=INPUTS)
def test_any_words(words: bytes) -> None:
    for number in range(4):
        one_input(bytes([4 | number]) + words)


KINDS = (0x10, 0x20, 0x30, 0x40, 0x41)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(KINDS), st.binary(max_size=60)), max_size=20))
@settings(max_examples=INPUTS)
def test_any_frames(described: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(bytes([late << 6 | 1 + len(rest), kind]) + rest for late, kind, rest in described)
    for delivery in (0, 8):
        one_input(bytes([delivery]) + data)


@pytest.mark.parametrize("delivery", [0, 8])
def test_frames_reach_the_records(monkeypatch: pytest.MonkeyPatch, delivery: int) -> None:
    """The input's own format is understood: what is meant to arrive does."""
    ends = []
    monkeypatch.setattr(fuzz_decoder, "drain", lambda end, _now_ns: ends.append(end))
    data = Record(FIRST | LAST, bytes(5) + b"\x01" + bytes(2) + b"x").encode()
    said = [frames.encode(Data(0, 0, data)), frames.encode(Ack(0))]
    one_input(bytes([delivery]) + b"".join(bytes([len(one)]) + one for one in said))
    assert ends[-1].counters.rx_packets == 1
    assert ends[-1].counters.rx_frames == 3


def test_frames_reach_the_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    monkeypatch.setattr(fuzz_decoder, "drain", lambda end, _now_ns: ends.append(end))
    probe = frames.encode(Probe(1, 0, 0, 0, 0, b"\0%b\0" % PATTERN[:16]))
    one_input(bytes([0, len(probe)]) + probe)
    assert ends[-1].probing.own.pattern_bits == 8 * 17


def test_a_fault_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "decode", lambda _self, _words: [])
    for number in range(len(WIDTHS)):
        with pytest.raises(AssertionError):
            one_input(bytes([4 | number]) + Encoder(8).encode(b"x"))
