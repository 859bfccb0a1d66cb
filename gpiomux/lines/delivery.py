"""How levels travel over a simulated wire: what faults make of them, then the levels, then edges and a wake-up.

Faults are those of a cable: flips, stuck lines, a cut, a delay. Three more are those of a cable with a repeater in it
that stores each word, as an isolator or a level shifter with latches does:

lost       the repeater answers a word and does not hand it on: the sender hears `ack`, the receiver no `req`
doubled    it hands a word on twice: when the receiver has answered, `req` moves again, and only the second answer
           comes back to the sender
reordered  `req` overtakes the data: the data lines follow with the next change of levels, so that the receiver may
           read the word before instead

Without such a thing in between, two-phase handshaking loses and doubles nothing, however slow the lines are: a `req`
that does not arrive stops both ends (a stuck line, a cut) until it does. In two-phase signalling a toggle is all that a
line tells; so a toggle left out, or one too many, leaves the line inverted from then on, and the fault's end does not
take that back.
"""

from __future__ import annotations

import fcntl
import math
import os
import random
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gpiomux.lines.wire_file import EVENT_CAPACITY, EVENT_CELLS, LINE_COUNT, WORDS, Cell, block_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Delivery:
    """Carries levels from one end of a wire to the other.

    *Threads and processes:* one object in one thread for each direction of a wire. While words are lost, doubled
    or reordered, either direction writes the levels of both ends, under a lock of the file of levels.
    """

    def __init__(self, cells: memoryview, near: str, fds: Sequence[int]) -> None:
        """Carry what end `near` drives; `fds` are those of `open_wire` for it, and stay the caller's."""
        self._cells = cells
        self._near = block_of(near)
        self._far = block_of("b" if near == "a" else "a")
        self._driven_at = self._far + Cell.DRIVEN
        self._levels_at = self._far + Cell.LEVELS
        self._edges_at = self._far + Cell.EDGES
        self._faulty_at = self._far + Cell.FAULTY
        self._levels_fd, near_wake_fd, far_wake_fd = fds
        self._wake_fds = {self._near: near_wake_fd, self._far: far_wake_fd}
        self._flips = _Flips()
        self._chances = _Chances()

    def deliver(self, levels: int) -> None:
        """Drive the far end's 32 lines to `levels` (already crossed)."""
        cells = self._cells
        if faulty := cells[self._faulty_at]:
            self._deliver_faultily(levels, words=faulty == WORDS)
            return
        cells[self._driven_at] = levels
        before = cells[self._levels_at]
        cells[self._levels_at] = levels
        # The far end switches edges on and then looks at the levels; we write them and then look at the switch.
        edges = (before ^ levels) & cells[self._edges_at]
        if edges:
            self._note_edges(self._far, edges, levels)

    def _deliver_faultily(self, levels: int, *, words: bool) -> None:
        cells, far = self._cells, self._far
        if cells[far + Cell.DELAY_NS]:
            time.sleep(cells[far + Cell.DELAY_NS] / 1e9)
        if words:
            with locked(self._levels_fd):
                arriving = self._repeat_words(levels)
                cells[self._driven_at] = levels
                self._arrive(far, self._spoil(arriving))
        else:
            cells[self._driven_at] = levels
            self._arrive(far, self._spoil(levels))

    def _spoil(self, levels: int) -> int:
        """What is left of levels at the far end."""
        cells, far = self._cells, self._far
        levels ^= cells[far + Cell.INVERTED]
        if cells[far + Cell.FLIP_RATE]:
            levels ^= self._flips.draw(cells[far + Cell.SEED], cells[far + Cell.FLIP_RATE], cells[far + Cell.DATA_MASK])
        stuck = cells[far + Cell.STUCK_MASK]
        levels = (levels & ~stuck) | (cells[far + Cell.STUCK_LEVELS] & stuck)
        return 0 if cells[far + Cell.CUT] else levels

    def _repeat_words(self, levels: int) -> int:
        """Lose or double the word that `levels` tell of, or do so at last with the one that they answer; what is left
        of the levels, but for `Cell.INVERTED`.
        """
        cells, near, far = self._cells, self._near, self._far
        before = cells[self._driven_at]
        moved = before ^ levels
        if cells[near + Cell.DOUBLING] and moved & cells[near + Cell.ACK]:
            cells[near + Cell.DOUBLING] = 0
            cells[far + Cell.INVERTED] ^= cells[near + Cell.ACK]
            self._invert(near, cells[near + Cell.REQ])
        if not moved & cells[far + Cell.REQ] or cells[far + Cell.CUT]:
            return levels
        chances = self._chances
        chances.seed(cells[far + Cell.SEED])
        if chances.draw(cells[far + Cell.LOSS_RATE]):
            cells[far + Cell.INVERTED] ^= cells[far + Cell.REQ]
            self._invert(near, cells[far + Cell.ACK])
        elif chances.draw(cells[far + Cell.DOUBLE_RATE]):
            cells[far + Cell.DOUBLING] = 1
        if chances.draw(cells[far + Cell.REORDER_RATE]):
            data = cells[far + Cell.DATA_MASK]
            return (levels & ~data) | (before & data)
        return levels

    def _invert(self, block: int, line: int) -> None:
        """Let a line of either end arrive inverted from now on; at once, if it arrives at all."""
        cells = self._cells
        cells[block + Cell.INVERTED] ^= line
        if not cells[block + Cell.CUT] and not cells[block + Cell.STUCK_MASK] & line:
            self._arrive(block, cells[block + Cell.LEVELS] ^ line)

    def _arrive(self, block: int, levels: int) -> None:
        cells = self._cells
        before = cells[block + Cell.LEVELS]
        cells[block + Cell.LEVELS] = levels
        edges = (before ^ levels) & cells[block + Cell.EDGES]
        if edges:
            self._note_edges(block, edges, levels)

    def _note_edges(self, block: int, edges: int, levels: int) -> None:
        cells = self._cells
        if cells[block + Cell.RISING_ONLY]:
            edges &= levels
            if not edges:
                return
        now_ns = time.monotonic_ns()
        for offset in range(LINE_COUNT):
            if edges >> offset & 1:
                written = cells[block + Cell.EVENTS_WRITTEN]
                line_seqno = (cells[block + Cell.LINE_SEQNO + offset] + 1) & 0xFFFFFFFF
                cells[block + Cell.LINE_SEQNO + offset] = line_seqno
                slot = block + Cell.EVENTS + written % EVENT_CAPACITY * EVENT_CELLS
                cells[slot] = now_ns
                cells[slot + 1] = offset | (levels >> offset & 1) << 32
                cells[slot + 2] = (written + 1) & 0xFFFFFFFF
                cells[slot + 3] = line_seqno
                cells[block + Cell.EVENTS_WRITTEN] = written + 1
        with suppress(BlockingIOError):  # a full pipe wakes as well as a fuller one
            os.write(self._wake_fds[block], b"\0")


class _Flips:
    """Which lines flip, by the distance from one flip to the next (geometric distribution)."""

    def __init__(self) -> None:
        self._random = random.Random()
        self._drawn_with: tuple[int, int] | None = None
        """Seed and rate of the draws so far."""
        self._trials_left = 0
        """Draws until the next flip."""

    def draw(self, seed: int, rate: int, mask: int) -> int:
        """Those of the lines in `mask` that flip this time."""
        if (seed, rate) == self._drawn_with and self._trials_left >= mask.bit_count():
            self._trials_left -= mask.bit_count()
            return 0
        if (seed, rate) != self._drawn_with:
            self._drawn_with = seed, rate
            self._random.seed(seed)
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

    def _distance(self, rate: int) -> int:
        return int(math.log(1.0 - self._random.random()) / math.log1p(-min(rate / 2**64, 1 - 2**-53)))


class _Chances:
    """What happens to words."""

    def __init__(self) -> None:
        self._random = random.Random()
        self._seed: int | None = None

    def seed(self, seed: int) -> None:
        """Begin anew if the seed is another one."""
        if seed != self._seed:
            self._seed = seed
            self._random.seed(seed)

    def draw(self, rate: int) -> bool:
        """Whether it happens, at a probability in units of 2^-64."""
        return rate > 0 and self._random.random() < rate / 2**64


@contextmanager
def locked(levels_fd: int) -> Iterator[None]:
    """Keep whoever else locks the wire out: the other end, and whoever changes faults."""
    fcntl.flock(levels_fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(levels_fd, fcntl.LOCK_UN)
