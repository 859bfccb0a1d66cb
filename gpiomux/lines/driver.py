"""The one small interface between a line code and the lines it drives.

A driver stands for one request of lines on one chip, like `gpiod.LineRequest`: bit i of every value is the i-th line
of the request, outputs and inputs alike. The simulated lines and real GPIO keep the same promises; the tests of
`tests/lines/test_contract.py` run on each.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class EdgeEvent(NamedTuple):
    """One edge on an input line; the fields of the kernel's `struct gpio_v2_line_event`."""

    timestamp_ns: int
    """CLOCK_MONOTONIC."""
    rising: bool
    bit: int
    """Index of the line in the request."""
    seqno: int
    """Over all lines of the request, from 1; a gap means that events were dropped or merged."""
    line_seqno: int
    """Of this line, from 1."""


class LineDriver(Protocol):
    """Levels out, levels and edges in.

    *Threads and processes:* one driver, one thread. The descriptor belongs to the driver and is closed by `close`.
    """

    atomic: bool
    """True if `get` is a snapshot and `set` changes all lines at once. False: line by line, in ascending offset."""

    def get(self, inputs: int | None = None) -> int:
        """Levels of all lines of the request; an output reads as it is driven. Never blocks.

        Args:
            inputs: those that matter, bit by bit; others may read 0. Each may cost. None: all.

        Raises:
            OSError: the chip is gone (ENODEV).
        """

    def set(self, bits: int) -> None:
        """Drive every output to its bit of `bits`; bits of inputs are ignored. Never blocks for long.

        Raises:
            OSError: the chip is gone (ENODEV).
        """

    def set_edges(self, on: bool) -> None:
        """Switch edge detection (all inputs and both edges, unless the driver was made for less) on or off.

        Off at first. Queued events stay readable. It may take long: on real lines milliseconds for each.

        Raises:
            OSError: the chip is gone, or an input has no interrupt (ENXIO).
        """

    def fileno(self) -> int:
        """A descriptor that polls readable while events are queued; poll says POLLERR when the chip is gone."""

    def read_events(self) -> list[EdgeEvent]:
        """All queued events, oldest first by detection; empty if there are none. When the queue is full the oldest
        are dropped, which shows as a gap in `seqno`.

        Raises:
            OSError: the chip is gone (ENODEV).
        """

    def close(self) -> None:
        """Release the lines; a second call does nothing."""
