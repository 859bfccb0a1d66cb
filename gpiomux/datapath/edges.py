"""Edge detection of the lines: on while the process may sleep on it, off while the lines are busy.

Switching has a price that differs by three orders of magnitude: nothing on simulated lines, on real ones an interrupt
and its thread made or taken away for each line (drivers/gpio/gpiolib-cdev.c), and then the kernel waits until nobody
uses them. So the price is measured, and edges that are on stay on until the lines have been busy for much longer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpiomux.lines.driver import LineDriver

PATIENCE = 8
"""Edges go off when the lines have been busy for as many times what it costs to switch."""


class Edges:
    """Switches the edges of a driver.

    *Threads and processes:* one thread, that of the driver, which it does not own.
    """

    def __init__(self, driver: LineDriver) -> None:
        self._driver = driver
        self._are_on = False
        self._awake_since_ns = 0
        self._price_ns = {True: 0, False: 0}

    def switch_on(self) -> None:
        """Before the last look at the lines and the sleep after it.

        Raises:
            OSError: the chip is gone, or an input has no interrupt.
        """
        if not self._are_on:
            self._switch(True)

    def woke_up(self) -> None:
        """After a sleep: from now on it counts how long the lines are busy."""
        self._awake_since_ns = time.monotonic_ns()

    def lines_are_busy(self) -> None:
        """While words move: edges cost time then, and tell nothing.

        Raises:
            OSError: the chip is gone.
        """
        if self._are_on:
            busy_ns = time.monotonic_ns() - self._awake_since_ns
            if busy_ns > PATIENCE * (self._price_ns[True] + self._price_ns[False]):
                self._switch(False)

    def _switch(self, on: bool) -> None:
        before_ns = time.monotonic_ns()
        self._driver.set_edges(on)
        self._price_ns[on] = time.monotonic_ns() - before_ns
        self._are_on = on
