"""Sends frames as pulses on two lines, so that nothing but a SIGKILL leaves a gpiosk board with half of a delimiter.

Whatever lengthens a pulse is harmless, because nothing times out at the receiver; what shortens one is not. So the
sender waits by looking at the clock, and nobody else hurries it.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from gpiomux.wire.pulses import CTL, LEAST_FRAME_BYTES, pulses_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.lines.driver import LineDriver

SLICE_NS = 20_000_000
"""A part of a frame after which interfaces and the daemon get their turn."""
EDGES_PER_DRAIN = 8
"""What the peer sends meanwhile is taken off the kernel's queue every so many edges."""
FINISH_NS = 3_000_000_000
"""How long a frame may go on after the link was stopped; the daemon kills after 5 s."""

_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM, signal.SIGPIPE})
_ENDING |= {signal.SIGUSR1, signal.SIGUSR2}
"""Signals whose default is to end the process."""
_OUT_CTL, _OUT_DATA = 1 << 2, 1 << 3
"""Bits of the outputs in a request of the pulse code: its inputs come first; see `lines.backends.chip_offsets`."""


class PulseSender:
    """One direction of a link.

    *Threads and processes:* the main thread, because it blocks signals while it sends. Does not own the driver.

    Attributes:
        edges: rising edges that were driven.
    """

    def __init__(self, driver: LineDriver, interval_us: int, drain: Callable[[], None]) -> None:
        """Drive both lines low, whatever an earlier process has left on them: that is a falling edge, or none.

        Args:
            driver: of the lines.
            interval_us: from one rising edge to the next.
            drain: called between edges; takes what has come.

        Raises:
            OSError: the chip is gone.
        """
        self._driver = driver
        self._interval_ns = interval_us * 1000
        self._drain = drain
        self._pulses: list[bytes] = []
        """Of the frame that is being sent: start, bytes, end."""
        self._position = 0
        self._due_ns = 0
        """Of the next rising edge."""
        self._unblocked: set[signal.Signals] = set()
        self.edges = 0
        driver.set(0)

    def set_driver(self, driver: LineDriver) -> None:
        """Go on through another driver of the same lines."""
        self._driver = driver

    @property
    def busy(self) -> bool:
        """A frame has begun that has not ended."""
        return self._position < len(self._pulses)

    def begin(self, frame: bytes) -> None:
        """Begin a frame; the sender must not be busy. From now on signals wait for its end."""
        self._pulses, self._position = pulses_of(frame), 0
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        self._unblocked = {each for each in _ENDING if each not in blocked}

    def send_some(self) -> None:
        """Send for a while, up to the end of the frame; ends after a whole byte or delimiter.

        Raises:
            OSError: the chip is gone.
        """
        until_ns = time.monotonic_ns() + SLICE_NS
        while self.busy:
            for line in self._pulses[self._position]:
                self._pulse(_OUT_CTL if line == CTL else _OUT_DATA)
            self._position += 1
            if time.monotonic_ns() >= until_ns:
                break
        if not self.busy:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._unblocked)

    def finish(self) -> None:
        """End what has begun. A frame that would take too long is cut short after a whole byte, and properly ended: a
        short packet does no harm, a missing end would.

        Raises:
            OSError: the chip is gone.
        """
        until_ns = time.monotonic_ns() + FINISH_NS
        while self.busy:
            if time.monotonic_ns() >= until_ns and self._position > LEAST_FRAME_BYTES:
                self._position = len(self._pulses) - 1
            self.send_some()

    def _pulse(self, bit: int) -> None:
        """One rising edge, as late as it must be, and the falling one half an interval later."""
        clock = time.monotonic_ns
        while clock() < self._due_ns:
            pass
        self._driver.set(bit)
        risen_ns = clock()
        self._due_ns = risen_ns + self._interval_ns
        self.edges += 1
        if self.edges % EDGES_PER_DRAIN == 0:
            self._drain()
        fall_ns = risen_ns + self._interval_ns // 2
        while clock() < fall_ns:
            pass
        self._driver.set(0)
