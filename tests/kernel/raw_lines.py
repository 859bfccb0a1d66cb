"""Real lines as a line driver, just enough for the tests of the bed: gpiod requests them, ioctl moves levels."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from typing import TYPE_CHECKING

import gpiod
from gpiod.line import Direction, Edge

from gpiomux.lines.driver import EdgeEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

# linux/gpio.h: _IOWR(0xB4, 0x0E), _IOWR(0xB4, 0x0F), struct gpio_v2_line_values and gpio_v2_line_event
GET_VALUES, SET_VALUES = 0xC010B40E, 0xC010B40F
VALUES = struct.Struct("=QQ")
EVENT = struct.Struct("=QIIII24x")
RISING = 1
EVENTS = 1024


class RawLines:
    """See gpiomux.lines.driver.LineDriver; bit i is line i of `inputs` + `outputs`."""

    def __init__(self, chip: Path, *, inputs: Sequence[int], outputs: Sequence[int], atomic: bool = True) -> None:
        self.atomic = atomic
        self._offsets = (*inputs, *outputs)
        self._inputs = tuple(inputs)
        config: dict[Iterable[int | str] | int | str, gpiod.LineSettings | None] = {}
        if inputs:
            config[self._inputs] = gpiod.LineSettings(direction=Direction.INPUT)
        if outputs:
            config[tuple(outputs)] = gpiod.LineSettings(direction=Direction.OUTPUT)
        self._request = gpiod.request_lines(str(chip), config, consumer="test", event_buffer_size=EVENTS)
        os.set_blocking(self._request.fd, False)
        self._all = (1 << len(self._offsets)) - 1
        self._driven = self._all & ~((1 << len(inputs)) - 1)

    def get(self, inputs: int | None = None) -> int:
        """See LineDriver."""
        values = bytearray(VALUES.pack(0, self._all))
        fcntl.ioctl(self._request.fd, GET_VALUES, values)
        return int.from_bytes(values[:8], sys.byteorder)

    def set(self, bits: int) -> None:
        """See LineDriver."""
        fcntl.ioctl(self._request.fd, SET_VALUES, VALUES.pack(bits & self._driven, self._driven))

    def set_edges(self, on: bool) -> None:
        """See LineDriver."""
        edge = Edge.BOTH if on else Edge.NONE
        self._request.reconfigure_lines(
            {self._inputs: gpiod.LineSettings(direction=Direction.INPUT, edge_detection=edge)}
        )

    def fileno(self) -> int:
        """See LineDriver."""
        return self._request.fd

    def read_events(self) -> list[EdgeEvent]:
        """See LineDriver."""
        try:
            records = os.read(self._request.fd, EVENTS * EVENT.size)
        except BlockingIOError:
            return []
        events = [
            EdgeEvent(time_ns, kind == RISING, self._offsets.index(offset), seqno, line_seqno)
            for time_ns, kind, offset, seqno, line_seqno in EVENT.iter_unpack(records)
        ]
        return sorted(events, key=lambda event: event.seqno)

    def close(self) -> None:
        """See LineDriver."""
        self._request.release()
