"""Edge detection of the lines: on while the process may sleep on it, off while the lines are busy.

Switching has a price that differs by four orders of magnitude: microseconds on simulated lines, on real ones an
interrupt and its thread made or taken away for each line (drivers/gpio/gpiolib-cdev.c), and then the kernel waits until
nobody uses them: 60 to 100 ms on the test kernel. Leaving it on has a price as well: each word wakes the threads of two
lines at either end. So the price is measured, and whatever is to be decided is decided as one decides whether to rent
skis or to buy them: wait until as much has been lost as the switch would cost. A pause that is shorter than the price
is slept through in naps without edges, and edges that are on go off when the lines have been busy for much longer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpiomux.lines.driver import LineDriver

PATIENCE = 8
"""Edges go off when the lines have been busy for as many times what it costs to switch."""
NAP_S = 250e-6
"""About as long as it takes to be woken by an edge, where switching costs much."""
LEAST_PRICE_NS = 1_000_000
"""A price below, of a few naps, is always paid."""


class Edges:
    """Switches the edges of a driver.

    *Threads and processes:* one thread, that of the driver, which it does not own.
    """

    def __init__(self, driver: LineDriver) -> None:
        self._driver = driver
        self._are_on = False
        self._asleep_since_ns = self._awake_since_ns = 0
        self._quiet_since_ns: int | None = None
        """When the first nap of a pause began."""
        self._price_ns = {True: 0, False: 0}

    def nap(self) -> bool:
        """Before a sleep: sleep for a moment with edges off; False if it is time for edges. The lines have to be looked
        at after either.
        """
        if self._are_on or self._price() < LEAST_PRICE_NS:
            return False
        now_ns = time.monotonic_ns()
        if self._quiet_since_ns is None:
            self._quiet_since_ns = now_ns
        if now_ns - self._quiet_since_ns >= self._price():
            return False
        time.sleep(NAP_S)
        return True

    def switch_on(self) -> None:
        """Before the last look at the lines and the sleep after it.

        Raises:
            OSError: the chip is gone, or an input has no interrupt.
        """
        if not self._are_on:
            self._switch(True)
        self._asleep_since_ns = time.monotonic_ns()

    def woke_up(self) -> None:
        """After a sleep: from now on it counts how long the lines are busy, unless naps would have done for it."""
        now_ns = time.monotonic_ns()
        if now_ns - self._asleep_since_ns >= self._price():
            self._awake_since_ns = now_ns

    def lines_are_busy(self) -> None:
        """While words move: edges cost time then, and tell nothing.

        Raises:
            OSError: the chip is gone.
        """
        self._quiet_since_ns = None
        if self._are_on and time.monotonic_ns() - self._awake_since_ns > PATIENCE * self._price():
            self._switch(False)

    def _price(self) -> int:
        return self._price_ns[True] + self._price_ns[False]

    def _switch(self, on: bool) -> None:
        before_ns = time.monotonic_ns()
        self._driver.set_edges(on)
        self._price_ns[on] = time.monotonic_ns() - before_ns
        self._are_on = on
