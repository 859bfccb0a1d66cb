"""Lines whose changes are noted, for whoever looks at them as at a logic analyser.

Stands between a line code and its driver only while somebody looks, so it costs nothing otherwise. It notes what the
line code has read and driven anyway and adds no access to the lines: levels are those at the moments at which the link
looked, not at which they changed. Only edges have the kernel's own time.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from gpiomux.config.model import PulseLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.config.model import Lines
    from gpiomux.lines.driver import EdgeEvent, LineDriver

SAMPLE = struct.Struct("<QII")
"""Time in nanoseconds since 1970, the lines that are told of, and their levels: bit i is line i of the request. Samples
of inputs and outputs need not be in the order of time."""
CHUNK_BYTES = 1000 * SAMPLE.size
"""Samples are handed on when they are so many, or when a turn of the pump ends."""
PULSE_NS = 1000
"""How long a line is shown high after a rising edge whose fall the kernel does not tell (code gpiosk)."""
_TRIALS = 200


class NotedLines:
    """A driver that notes every change of levels that goes through it; see `LineDriver` for its methods.

    *Threads and processes:* one thread, that of the driver, which it does not own: `close` does nothing.
    """

    def __init__(self, driver: LineDriver, lines: Lines, hand_on: Callable[[int, bytes], None]) -> None:
        """Begin with the levels as they are.

        Args:
            driver: what is looked at.
            lines: of the link, by their roles. Of pulses rising edges are all that is known of the inputs.
            hand_on: given the nanoseconds that noting one sample takes, about, and samples.

        Raises:
            OSError: the chip is gone.
        """
        self.atomic = driver.atomic
        self._driver = driver
        self._in_mask = (1 << len(lines.inputs)) - 1
        self._out_mask = (1 << len(lines.inputs) + len(lines.outputs)) - 1 & ~self._in_mask
        self._rising_only = isinstance(lines.into, PulseLines)
        self._hand_on = hand_on
        self._samples = bytearray()
        self._to_real_ns = time.time_ns() - time.monotonic_ns()
        self._levels = driver.get()
        self._note_ns = self._measured()
        self._note(time.time_ns(), self._in_mask | self._out_mask, self._levels)

    def get(self, inputs: int | None = None) -> int:
        """See LineDriver."""
        levels = self._driver.get(inputs)
        told = self._in_mask if inputs is None else inputs & self._in_mask
        if (levels ^ self._levels) & told:
            self._levels = self._levels & ~told | levels & told
            self._note(time.time_ns(), told, levels)
        return levels

    def set(self, bits: int) -> None:
        """See LineDriver."""
        self._driver.set(bits)
        if (bits ^ self._levels) & self._out_mask:
            self._levels = self._levels & ~self._out_mask | bits & self._out_mask
            self._note(time.time_ns(), self._out_mask, bits)

    def set_edges(self, on: bool) -> None:
        """See LineDriver."""
        self._driver.set_edges(on)

    def fileno(self) -> int:
        """See LineDriver."""
        return self._driver.fileno()

    def read_events(self) -> list[EdgeEvent]:
        """See LineDriver. Where edges are all that is known of the inputs, they are noted with the kernel's time."""
        events = self._driver.read_events()
        if self._rising_only:
            for event in events:
                rose_ns, line = event.timestamp_ns + self._to_real_ns, 1 << event.bit
                self._note(rose_ns, line, line)
                self._note(rose_ns + PULSE_NS, line, 0)
        return events

    def close(self) -> None:
        """Nothing: the lines are somebody else's."""

    def flush(self) -> None:
        """Hand on what was noted."""
        if self._samples:
            samples = bytes(self._samples)
            self._samples.clear()
            self._hand_on(self._note_ns, samples)

    def _note(self, time_ns: int, told: int, levels: int) -> None:
        if not self._samples and not self._rising_only:
            # Samples before these may be lost, so the first of a chunk tells of all lines.
            told, levels = self._in_mask | self._out_mask, self._levels
        self._samples += SAMPLE.pack(time_ns, told, levels & told)
        if len(self._samples) >= CHUNK_BYTES:
            self.flush()

    def _measured(self) -> int:
        """How long it takes to note one sample."""
        begun_ns = time.perf_counter_ns()
        for _ in range(_TRIALS):
            self._note(time.time_ns(), 0, 0)
        took_ns = time.perf_counter_ns() - begun_ns
        self._samples.clear()
        return took_ns // _TRIALS
