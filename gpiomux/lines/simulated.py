"""Simulated lines: one end of a wire (`wire_file`) as a line driver, with the semantics of a GPIO chip.

What is as on a real chip: levels, direction, edge events with time and sequence numbers, a bounded queue that drops
its oldest events, edge detection that can be switched while lines are in use, levels that stay when a process dies.
What is not simulated: the time a real controller takes, interrupt threads that merge or reorder edges, bias and drive,
and the removal of a chip. Faults are those of the cable: flips, stuck lines, a cut, a delay.

Order: an atomic driver changes all lines of a `set` at once. With `atomic=False` the lines change one after another in
ascending offset and `get` reads them one after another, as bcm2835 and rp1 do (gpio-kernel notes, section 6).

On a machine with weakly ordered memory the cells may be seen in another order than they were written; one cell holds
all levels, so a word and its `req` cannot part, and a missed wake-up ends with the next deadline of the link.
"""

from __future__ import annotations

import math
import os
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gpiomux.lines.driver import EdgeEvent
from gpiomux.lines.wire_file import (
    EVENT_CAPACITY,
    EVENT_CELLS,
    LINE_COUNT,
    Cell,
    block_of,
    cross,
    map_levels,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Delivery:
    """Carries levels from one end of a wire to the other: faults, then the levels, then edges and a wake-up.

    *Threads and processes:* one object in one thread for each direction of a wire.
    """

    def __init__(self, cells: memoryview, far: str, wake_fd: int) -> None:
        self._cells = cells
        self._base = block_of(far)
        self._driven_at = self._base + Cell.DRIVEN
        self._levels_at = self._base + Cell.LEVELS
        self._edges_at = self._base + Cell.EDGES
        self._faulty_at = self._base + Cell.FAULTY
        self._wake_fd = wake_fd
        self._random = random.Random()
        self._drawn_with: tuple[int, int] | None = None
        """Seed and rate of the draws so far."""
        self._trials_left = 0
        """Draws until the next flip."""

    def deliver(self, levels: int) -> None:
        """Drive the far end's 32 lines to `levels` (already crossed)."""
        cells = self._cells
        cells[self._driven_at] = levels
        if cells[self._faulty_at]:
            levels = self._spoil(levels)
        before = cells[self._levels_at]
        cells[self._levels_at] = levels
        # The far end switches edges on and then looks at the levels; we write them and then look at the switch.
        edges = (before ^ levels) & cells[self._edges_at]
        if edges:
            self._note_edges(edges, levels)

    def _spoil(self, levels: int) -> int:
        """What becomes of levels on a faulty wire; waits out the delay."""
        cells, base = self._cells, self._base
        if cells[base + Cell.DELAY_NS]:
            time.sleep(cells[base + Cell.DELAY_NS] / 1e9)
        if cells[base + Cell.FLIP_RATE]:
            levels ^= self._draw_flips()
        stuck = cells[base + Cell.STUCK_MASK]
        levels = (levels & ~stuck) | (cells[base + Cell.STUCK_LEVELS] & stuck)
        return 0 if cells[base + Cell.CUT] else levels

    def _draw_flips(self) -> int:
        """The lines that flip this time, by the distance from one flip to the next (geometric distribution)."""
        cells, base = self._cells, self._base
        mask = cells[base + Cell.FLIP_MASK]
        drawn_with = (cells[base + Cell.SEED], cells[base + Cell.FLIP_RATE])
        if drawn_with == self._drawn_with and self._trials_left >= mask.bit_count():
            self._trials_left -= mask.bit_count()
            return 0
        rate = min(drawn_with[1] / 2**64, 1 - 2**-53)
        if drawn_with != self._drawn_with:
            self._drawn_with = drawn_with
            self._random.seed(drawn_with[0])
            self._trials_left = self._distance(rate)
        flips = 0
        for offset in range(LINE_COUNT):
            if mask >> offset & 1:
                if self._trials_left <= 0:
                    flips |= 1 << offset
                    self._trials_left = self._distance(rate)
                else:
                    self._trials_left -= 1
        return flips

    def _distance(self, rate: float) -> int:
        return int(math.log(1.0 - self._random.random()) / math.log1p(-rate))

    def _note_edges(self, edges: int, levels: int) -> None:
        cells, base = self._cells, self._base
        now_ns = time.monotonic_ns()
        for offset in range(LINE_COUNT):
            if edges >> offset & 1:
                written = cells[base + Cell.EVENTS_WRITTEN]
                line_seqno = (cells[base + Cell.LINE_SEQNO + offset] + 1) & 0xFFFFFFFF
                cells[base + Cell.LINE_SEQNO + offset] = line_seqno
                slot = base + Cell.EVENTS + written % EVENT_CAPACITY * EVENT_CELLS
                cells[slot] = now_ns
                cells[slot + 1] = offset | (levels >> offset & 1) << 32
                cells[slot + 2] = (written + 1) & 0xFFFFFFFF
                cells[slot + 3] = line_seqno
                cells[base + Cell.EVENTS_WRITTEN] = written + 1
        with suppress(BlockingIOError):  # a full pipe wakes as well as a fuller one
            os.write(self._wake_fd, b"\0")


class SimulatedLines:
    """One end of a simulated wire; keeps the promises of `gpiomux.lines.driver.LineDriver`.

    *Threads and processes:* one thread; the far end may be in any process. Owns its three descriptors.
    """

    def __init__(
        self, fds: Sequence[int], end: str, *, inputs: Sequence[int], outputs: Sequence[int], atomic: bool = True
    ) -> None:
        """Take over the descriptors of `wire_file.open_wire`; bit i of all levels is line i of `inputs` + `outputs`.

        Outputs keep the levels that an earlier holder of this end left.

        Raises:
            ProtocolError: the file of levels is not one.
        """
        self.atomic = atomic
        self._levels_fd, self._wake_fd, self._far_wake_fd = fds
        self._mapping = map_levels(self._levels_fd)
        self._cells = memoryview(self._mapping).cast("Q")
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)
        self._base = block_of(end)
        self._levels_at = self._base + Cell.LEVELS
        far = "b" if end == "a" else "a"
        self._delivery = Delivery(self._cells, far, self._far_wake_fd)
        # Edges and wake-ups that an earlier holder left unread are not ours: a request counts from 1.
        self.set_edges(False)
        self._drain_wake_up()
        self._begun = self._read = self._cells[self._base + Cell.EVENTS_WRITTEN]
        self._lines_begun = [self._cells[self._base + Cell.LINE_SEQNO + offset] for offset in self._inputs]
        chip = cross(self._cells[block_of(far) + Cell.DRIVEN])
        self._output_shift = len(self._inputs)
        self._chip = chip & sum(1 << offset for offset in self._outputs)
        self._driven = _gather(self._chip, self._outputs) << self._output_shift
        self._shift = _contiguous(self._inputs)
        self._mask = (1 << len(self._inputs)) - 1
        self._out_mask = (1 << len(self._outputs)) - 1
        self._out_shift = _contiguous(self._outputs)

    def get(self) -> int:
        """See LineDriver."""
        if self._shift is not None and self.atomic:
            return self._cells[self._levels_at] >> self._shift & self._mask | self._driven
        if self.atomic:
            return _gather(self._cells[self._levels_at], self._inputs) | self._driven
        levels = 0
        for offset in sorted(self._inputs):
            levels |= self._cells[self._levels_at] & 1 << offset
        return _gather(levels, self._inputs) | self._driven

    def set(self, bits: int) -> None:
        """See LineDriver."""
        word = bits >> self._output_shift & self._out_mask
        self._driven = word << self._output_shift
        chip = word << self._out_shift if self._out_shift is not None else _scatter(word, self._outputs)
        changed = chip ^ self._chip
        if self.atomic or not changed:
            self._chip = chip
            self._delivery.deliver(cross(chip))
            return
        for offset in sorted(self._outputs):
            if changed >> offset & 1:
                self._chip ^= 1 << offset
                self._delivery.deliver(cross(self._chip))

    def set_edges(self, on: bool) -> None:
        """See LineDriver."""
        self._cells[self._base + Cell.EDGES] = sum(1 << offset for offset in self._inputs) if on else 0

    def fileno(self) -> int:
        """See LineDriver."""
        return self._wake_fd

    def read_events(self) -> list[EdgeEvent]:
        """See LineDriver."""
        self._drain_wake_up()
        cells, base = self._cells, self._base
        written = cells[base + Cell.EVENTS_WRITTEN]
        self._read = max(self._read, written - EVENT_CAPACITY)
        events = []
        for index in range(self._read, written):
            slot = base + Cell.EVENTS + index % EVENT_CAPACITY * EVENT_CELLS
            timestamp_ns, line, seqno, line_seqno = cells[slot : slot + EVENT_CELLS]
            if cells[base + Cell.EVENTS_WRITTEN] - index >= EVENT_CAPACITY:
                continue  # overwritten, or about to be: dropped, like every oldest event of a full queue
            offset = line & 0xFF
            if offset in self._inputs:
                bit = self._inputs.index(offset)
                seqno = (seqno - self._begun) & 0xFFFFFFFF
                line_seqno = (line_seqno - self._lines_begun[bit]) & 0xFFFFFFFF
                events.append(EdgeEvent(timestamp_ns, bool(line >> 32), bit, seqno, line_seqno))
        self._read = written
        return events

    def _drain_wake_up(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_fd, 65536)

    def close(self) -> None:
        """See LineDriver. The levels stay as they are driven."""
        if self._mapping.closed:
            return
        self.set_edges(False)
        self._cells.release()
        self._mapping.close()
        for fd in (self._levels_fd, self._wake_fd, self._far_wake_fd):
            os.close(fd)


def _contiguous(offsets: Sequence[int]) -> int | None:
    """The first offset if the others follow one by one, so that a shift does for gathering; else None."""
    first = offsets[0]
    return first if list(offsets) == list(range(first, first + len(offsets))) else None


def _gather(chip: int, offsets: Sequence[int]) -> int:
    """Levels of a chip as levels of a request: bit i is line offsets[i]."""
    return sum((chip >> offset & 1) << bit for bit, offset in enumerate(offsets))


def _scatter(word: int, offsets: Sequence[int]) -> int:
    """The reverse of `_gather`."""
    return sum((word >> bit & 1) << offset for bit, offset in enumerate(offsets))
