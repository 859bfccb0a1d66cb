"""How long to look at the lines in vain before sleeping on their edges, learnt from how it went.

A peer on another CPU, or behind real lines, answers within a few looks, and sleeping would cost more than looking. A
peer that needs this very CPU to answer never does while we look. So the first is tried, and each time it fails the
pause until the next try is doubled; in between, looking is given up almost at once. A try that pays off lasts as long
as it does so. (Learning the number of looks itself has a trap: two ends that both sleep for each word take longer to
wake than either is then willing to look, and never leave that state.)
"""

from __future__ import annotations

import time
from os import sched_yield
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BRIEF = 16
"""Looks while looking does not pay."""
GRACE = 3
"""Failures that are forgiven: a peer that sleeps takes longer to wake than a look is willing to wait."""
LONGEST_PAUSE = 256
"""Sleeps between two tries, at most."""

WAYS = 3
"""Times that the CPU is given to others before a sleep."""
SLOW_NS = 300_000
"""A turn of the CPU that comes back later was taken by somebody who has nothing to do with our lines."""
SLOW_PAUSE = 500
"""Sleeps before it is given away again after that."""


class Patience:
    """The number of looks for the next time.

    Attributes:
        looks: fruitless looks after which to sleep.
    """

    def __init__(self, most: int) -> None:
        """Begin with a try; `most` looks are never exceeded."""
        self._most = most
        self._brief = min(BRIEF, most)
        self._pause = 1
        self._grace = GRACE
        self._sleeps_left = 0
        self.looks = most

    @property
    def tries(self) -> bool:
        """Whether this is a try, and not the pause between two of them."""
        return not self._sleeps_left

    def paid_off(self) -> None:
        """What was looked for has come in time."""
        if not self._sleeps_left:
            self._pause = 1
            self._grace = GRACE

    def in_vain(self) -> None:
        """It has not; a sleep follows."""
        if self._sleeps_left:
            self._sleeps_left -= 1
        elif self._grace:
            self._grace -= 1
        else:
            self._sleeps_left = self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self.looks = self._brief if self._sleeps_left else self._most


class Courtesy:
    """Gives the CPU to a peer that shares it: much cheaper than to sleep and be woken for each word.

    It pays only if it is the peer who takes it. A third process would keep it for milliseconds; that shows in the time
    until it comes back, and is then not tried again for a while.
    """

    def __init__(self) -> None:
        self._pause = 0

    def give_way(self, answered: Callable[[], bool]) -> bool:
        """Let others run for a moment; True as soon as `answered` says that the peer has used it."""
        if self._pause:
            self._pause -= 1
            return False
        for _ in range(WAYS):
            before_ns = time.monotonic_ns()
            sched_yield()
            if answered():
                return True
            if time.monotonic_ns() - before_ns > SLOW_NS:
                self._pause = SLOW_PAUSE
                return False
        return False
