"""Simulated lines: one end of a wire (`wire_file`) as a line driver, with the semantics of a GPIO chip.

What is as on a real chip: levels, direction, edge events with time and sequence numbers, a bounded queue that drops
its oldest events, edge detection that can be switched while lines are in use, levels that stay when a process dies.
What is not simulated: the time a real controller takes, interrupt threads that merge or reorder edges, bias and drive,
two outputs on one wire, and the removal of a chip; gpiomux.yaml(5) tells users so. For faults see delivery.py.

Order: an atomic driver changes all lines of a `set` at once. With `atomic=False` the lines change one after another in
ascending offset and `get` reads them one after another, as bcm2835 and rp1 do (gpio-kernel notes, section 6).

On a machine with weakly ordered memory the cells may be seen in another order than they were written; one cell holds
all levels, so a word and its `req` cannot part, and a missed wake-up ends with the next deadline of the link.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gpiomux.lines.delivery import Delivery
from gpiomux.lines.driver import EdgeEvent
from gpiomux.lines.wire_file import (
    EVENT_CAPACITY,
    EVENT_CELLS,
    Cell,
    block_of,
    cross,
    map_levels,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class SimulatedLines:
    """One end of a simulated wire; keeps the promises of `gpiomux.lines.driver.LineDriver`.

    *Threads and processes:* one thread; the far end may be in any process. Owns its three descriptors.
    """

    def __init__(
        self,
        fds: Sequence[int],
        end: str,
        *,
        inputs: Sequence[int],
        outputs: Sequence[int],
        atomic: bool = True,
        rising_only: bool = False,
    ) -> None:
        """Take over the descriptors of `wire_file.open_wire`; bit i of all levels is line i of `inputs` + `outputs`.

        Outputs keep the levels that an earlier holder of this end left. `rising_only`: falling edges are not told.

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
        self._delivery = Delivery(self._cells, end, fds)
        # Edges and wake-ups that an earlier holder left unread are not ours: a request counts from 1.
        self.set_edges(False)
        self._cells[self._base + Cell.RISING_ONLY] = int(rising_only)
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

    def get(self, inputs: int | None = None) -> int:
        """See LineDriver. All inputs cost as much as one."""
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
