"""Waveforms: samples put together, words and frames read off them, and the files and drawings made of them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config.defaults import SIM_LINES, SIM_PULSE_LINES
from gpiomux.lines.noted import SAMPLE as NOTED_SAMPLE
from gpiomux.waveform import drawing, picture
from gpiomux.waveform.decoded import Span, pulse_spans_of, spans_of, words_of
from gpiomux.waveform.vcd import write_vcd
from gpiomux.waveform.waveform import IN, OUT, SAMPLE, Waveform, first_ns, lines_of, waveform
from gpiomux.wire.codec import Encoder
from gpiomux.wire.frame import Ack, encode
from gpiomux.wire.pulses import CTL, pulses_of
from gpiomux.wire.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

IN_REQ, OUT_ACK, OUT_AT, OUT_REQ, IN_ACK = 1 << 8, 1 << 9, 10, 1 << 18, 1 << 19
"""Bits of the simulated lines, in the order of their request."""
EVERY = (1 << 20) - 1
FRAME = encode(Ack(acknowledgement=5, ranges=()))
TRACE = Trace(mode="net_hdr", datagram=False)
WIDTHS = {OUT: 8, IN: 8}


def samples_of(out: bytes, into: bytes) -> list[tuple[int, int, int]]:
    """The lines while words go both ways, a change every 10 ns."""
    time_ns, levels = 1_000_000, 0
    found = [(time_ns, EVERY, levels)]

    def step(changed: int) -> None:
        nonlocal time_ns, levels
        time_ns, levels = time_ns + 10, changed
        found.append((time_ns, EVERY, levels))

    for word in out:
        step(levels & ~(0xFF << OUT_AT) | word << OUT_AT)
        step(levels ^ OUT_REQ)
        step(levels ^ OUT_ACK)
    for word in into:
        step((levels & ~0xFF | word) ^ IN_REQ)
        step(levels ^ IN_ACK)
    return found


def shown(samples: list[tuple[int, int, int]]) -> Waveform:
    return waveform(SIM_LINES, [b"".join(SAMPLE.pack(*sample) for sample in samples)])


def test_samples_are_those_that_the_datapath_notes() -> None:
    assert SAMPLE.format == NOTED_SAMPLE.format


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_words_are_read_off_the_lines(out: bytes, into: bytes) -> None:
    words = words_of(shown(samples_of(out, into)))
    assert bytes(word.value for word in words if word.direction == OUT) == out
    assert bytes(word.value for word in words if word.direction == IN) == into
    assert all(word.begin_ns < word.end_ns for word in words)


@given(st.permutations(samples_of(b"ab", b"c")), st.integers(1, 5))
def test_order_and_chunks_make_no_difference(samples: list[tuple[int, int, int]], size: int) -> None:
    chunks = [
        b"".join(SAMPLE.pack(*it) for it in samples[start : start + size]) for start in range(0, len(samples), size)
    ]
    assert waveform(SIM_LINES, chunks) == shown(samples_of(b"ab", b"c"))


def test_samples_of_some_lines_leave_the_others() -> None:
    told = [(10, EVERY, 0b11), (30, 0b10, 0), (20, 0b01, 0)]
    assert shown(told).changes == ((10, 0b11), (20, 0b10), (30, 0))


def test_frames_are_read_off_the_words() -> None:
    words = Encoder(8).encode(FRAME)
    found = shown(samples_of(b"\x07rest of a frame\0\0" + words + words[:-4] + b"xxxx\0\0", words))
    spans = spans_of(words_of(found), WIDTHS, TRACE)
    assert [(span.direction, span.text.startswith("ack 5")) for span in spans if span.direction == OUT] == [
        (OUT, True),
        (OUT, False),
    ], "what had begun before is left out, what is damaged is not"
    assert "damaged frame (crc)" in spans[1].text or "damaged" in spans[1].text
    assert [span.text for span in spans if span.direction == IN] == ["ack 5, length 3"]


def test_nothing_is_made_up_about_what_was_lost() -> None:
    words = Encoder(8).encode(FRAME)
    samples = samples_of(words * 3, b"")
    cut = slice(len(samples) // 3 + 7, len(samples) // 3 + 13)  # within the second frame
    after_ns = samples[cut.stop][0]
    chunks = [b"".join(SAMPLE.pack(*it) for it in part) for part in (samples[: cut.start], samples[cut.stop :])]
    found = waveform(SIM_LINES, chunks, [first_ns(chunks[1])])
    assert found.gaps_ns == (after_ns,)
    seen = words_of(found)
    assert all(not word.begin_ns < after_ns <= word.end_ns for word in seen)
    spans = spans_of(seen, WIDTHS, TRACE, found.gaps_ns)
    assert [span.text for span in spans] == ["ack 5, length 3"] * 2, "the frame that was cut is no damaged one"
    assert any("damaged" in span.text for span in spans_of(seen, WIDTHS, TRACE)), "but would be"
    file = io.StringIO()
    write_vcd(file, "geth0", found, seen, spans, program="test")
    gap_ns = samples[cut.start - 1][0] - samples[0][0] + 1
    unknown = file.getvalue().partition(f"#{gap_ns}\n")[2].partition("\n#")[0].splitlines()
    assert sum(line.startswith("x") for line in unknown) >= len(found.lines)


def test_frames_of_pulses() -> None:
    frame = bytes(range(60, 120))
    samples, time_ns = [(0, 0xF, 0)], 1000
    for byte in pulses_of(frame):
        for line in byte:
            bit = 1 << 2 if line == CTL else 1 << 3
            samples += [(time_ns, 0xF, bit), (time_ns + 500, 0xF, 0)]
            time_ns += 64_000
    found = waveform(SIM_PULSE_LINES, [b"".join(SAMPLE.pack(*sample) for sample in samples)])
    (span,) = pulse_spans_of(found)
    assert (span.direction, span.begin_ns) == (OUT, 1000)
    assert "length 60" in span.text


def vcd_of(out: bytes, into: bytes) -> str:
    found = shown(samples_of(out, into))
    file, words = io.StringIO(), words_of(found)
    write_vcd(file, "geth0", found, words, spans_of(words, WIDTHS, TRACE), program="test")
    return file.getvalue()


def test_a_second_tool_reads_the_same_levels(tmp_path: Path) -> None:
    if shutil.which("sigrok-cli") is None:
        if "CI" in os.environ:
            pytest.fail("sigrok-cli is not installed")
        pytest.skip("sigrok-cli is not installed")
    out = Encoder(8).encode(FRAME)
    (tmp_path / "a.vcd").write_text(vcd_of(out, b"\x41\x42"))
    command = ["sigrok-cli", "--input-file", str(tmp_path / "a.vcd"), "--input-format", "vcd", "--output-format", "csv"]
    said = subprocess.run(command, check=True, text=True, capture_output=True).stdout.splitlines()
    (channels,) = [line for line in said if line.startswith("; Channels")]
    names = channels.partition("): ")[2].split(", ")
    rows = [list(map(int, line.split(","))) for line in said if line[:1].isdigit()]
    found = shown(samples_of(out, b"\x41\x42"))
    begin_ns = found.changes[0][0]
    wanted = dict(found.changes)
    levels = 0
    for offset_ns, row in enumerate(rows):
        levels = wanted.get(begin_ns + offset_ns, levels)
        told = dict(zip(names, row, strict=True))
        for line in found.lines:
            assert told[f"{line.direction}_{line.role}"] == levels >> line.bit & 1, (offset_ns, line)
    assert len(rows) == found.changes[-1][0] - begin_ns


def test_the_dump_holds_words_and_frames() -> None:
    text = vcd_of(Encoder(8).encode(FRAME), b"")
    assert "$scope module geth0 $end" in text
    assert "$var wire 1" in text
    assert r"sack\x205" in text or r"ack\x205" in text
    assert "out_word[7]" in text


def test_the_last_frames_are_listed_and_long_ones_folded_below_their_text() -> None:
    found = shown(samples_of(b"ab", b""))
    spans = [Span(direction=OUT, begin_ns=1_000_010 + it * 1_000_000, end_ns=0, text=f"ack {it}") for it in range(30)]
    rows = drawing.span_rows(found, spans, columns=80)
    assert [rows[0], rows[-1], len(rows)] == ["    10.000 ms  out ack 10", "    29.000 ms  out ack 29", 20]
    span = Span(direction=IN, begin_ns=1_000_010, end_ns=0, text="hello version 1, net_hdr")
    assert drawing.span_rows(found, [span], columns=40) == [
        "     0.000 ms  in  hello version 1,",
        "                   net_hdr",
    ]


def test_the_drawing_shows_edges_levels_and_words() -> None:
    found = shown(samples_of(b"\x01", b""))
    rows = drawing.drawn(found, words_of(found), columns=80, strokes=drawing.ASCII)
    assert rows[0] == "4 changes in 0 us, not to scale"
    assert rows[1:4] == ["out.req  ____/---", "out.ack  ______/-", "out.d0   __/-----"]
    assert "out.word     01" in rows
    narrow = drawing.drawn(found, words_of(found), columns=13, strokes=drawing.ASCII)
    assert narrow[1:4] == ["out.req  /---", "out.ack  __/-", "out.d0   ----"]


def test_the_picture_has_ink_for_every_row() -> None:
    out = Encoder(8).encode(FRAME)
    found = shown(samples_of(out, out))
    words = words_of(found)
    made = picture.picture("geth0", found, words, spans_of(words, WIDTHS, TRACE))
    rows = len(found.lines) + 4
    assert made.height == picture.TOP + picture.ROW * rows + 24
    for row in range(rows):
        top = picture.TOP + picture.ROW * row
        band = made.crop((picture.LEFT, top, made.width, top + picture.ROW))
        assert len(band.getcolors(1 << 16) or ()) > 1, row


@given(st.lists(st.binary(max_size=64), max_size=5))
def test_any_bytes_are_a_waveform(chunks: list[bytes]) -> None:
    found = waveform(SIM_LINES, chunks)
    words = words_of(found)
    spans_of(words, WIDTHS, TRACE)
    drawing.drawn(found, words, columns=40, strokes=drawing.UNICODE)
    drawing.span_rows(found, [], columns=40)


def test_names_of_lines() -> None:
    names = [f"{line.direction}.{line.role}" for line in lines_of(SIM_LINES)]
    assert names[:10] == [*(f"in.d{n}" for n in range(8)), "in.req", "out.ack"]
    assert names[10:] == [*(f"out.d{n}" for n in range(8)), "out.req", "in.ack"]
    assert [f"{line.direction}.{line.role}" for line in lines_of(SIM_PULSE_LINES)] == [
        "in.ctl",
        "in.data",
        "out.ctl",
        "out.data",
    ]
