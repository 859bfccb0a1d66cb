"""Lines that are noted: nothing changes for the line code, and what was noted are the levels that were there."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.defaults import SIM_LINES, SIM_PULSE_LINES
from gpiomux.lines.handshake import Handshake
from gpiomux.lines.noted import CHUNK_BYTES, PULSE_NS, SAMPLE, NotedLines
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import make_wire, open_wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiomux.config.model import Lines

IN_WORD, IN_REQ, OUT_ACK = 0xFF, 1 << 8, 1 << 9
OUT_WORD_AT = 10


class Noted:
    """An end of a wire whose samples are kept."""

    def __init__(self, path: Path, end: str, lines: Lines, *, rising_only: bool = False) -> None:
        self.driver = SimulatedLines(
            open_wire(path, end), end, inputs=lines.inputs, outputs=lines.outputs, rising_only=rising_only
        )
        self.chunks: list[bytes] = []
        self.lines = NotedLines(self.driver, lines, lambda note_ns, samples: self.chunks.append(samples))

    def samples(self) -> list[tuple[int, int, int]]:
        self.lines.flush()
        return list(SAMPLE.iter_unpack(b"".join(self.chunks)))

    def history(self) -> list[int]:
        """All levels one after the other, each change once."""
        levels, found = 0, []
        for _, told, now in sorted(self.samples()):
            levels = levels & ~told | now
            found.append(levels)
        return found


@pytest.fixture
def wire(tmp_path: Path) -> Path:
    make_wire(tmp_path / "w")
    return tmp_path / "w"


@pytest.fixture
def ends(wire: Path) -> Iterator[tuple[Noted, SimulatedLines]]:
    near = Noted(wire, "a", SIM_LINES)
    far = SimulatedLines(open_wire(wire, "b"), "b", inputs=SIM_LINES.inputs, outputs=SIM_LINES.outputs)
    yield near, far
    near.driver.close()
    far.close()


def test_words_pass_as_without_it_and_show_on_the_lines(ends: tuple[Noted, SimulatedLines]) -> None:
    noted, far_lines = ends
    near = Handshake(noted.driver, width_in=8, width_out=8)
    far = Handshake(far_lines, width_in=8, width_out=8)
    near.set_driver(noted.lines)
    sent, back = bytes(range(1, 200)) + b"\0\0", bytes(range(200, 1, -1)) + b"\0\0"
    near.load(sent)
    far.load(back)
    for _ in range(2000):
        near.run(4, 50)
        far.run(4, 50)
    assert (bytes(far.received), bytes(near.received)) == (sent, back)
    levels = noted.history()
    went_out = [now >> OUT_WORD_AT & 0xFF for before, now in pairwise(levels) if (before ^ now) >> OUT_WORD_AT + 8 & 1]
    came_in = [now & IN_WORD for before, now in pairwise(levels) if (before ^ now) >> OUT_WORD_AT + 9 & 1]
    assert bytes(went_out) == sent
    assert bytes(came_in) == back


def test_only_changes_are_noted(ends: tuple[Noted, SimulatedLines]) -> None:
    noted, far = ends
    for _ in range(5):
        noted.lines.get()
        noted.lines.get(IN_REQ | OUT_ACK)
        noted.lines.set(0)
    assert len(noted.samples()) == 1, "how it stood at first"
    far.set(0x5 << OUT_WORD_AT)
    noted.lines.get(IN_REQ | OUT_ACK)
    assert noted.lines.get() & IN_WORD == 0x5
    assert noted.history()[-1] & IN_WORD == 0x5


def test_no_chunk_is_longer_than_an_answer_holds(ends: tuple[Noted, SimulatedLines]) -> None:
    noted, _ = ends
    for number in range(3000):
        noted.lines.set((number % 2) << OUT_WORD_AT)
    assert {len(chunk) for chunk in noted.chunks} == {CHUNK_BYTES}
    assert len(noted.samples()) == 3000


def test_pulses_come_with_the_time_of_their_edges(wire: Path) -> None:
    noted = Noted(wire, "a", SIM_PULSE_LINES, rising_only=True)
    far = SimulatedLines(
        open_wire(wire, "b"), "b", inputs=SIM_PULSE_LINES.inputs, outputs=SIM_PULSE_LINES.outputs, rising_only=True
    )
    noted.lines.set_edges(True)
    for level in (1, 0, 1, 0):
        far.set(level << 2)
    events = noted.lines.read_events()
    assert [event.rising for event in events] == [True, True]
    _, *pulses = noted.samples()
    assert [levels for _, told, levels in pulses if told == 1] == [1, 0, 1, 0]
    assert pulses[1][0] - pulses[0][0] == PULSE_NS
    assert pulses[2][0] - pulses[0][0] == events[1].timestamp_ns - events[0].timestamp_ns
    noted.driver.close()
    far.close()
