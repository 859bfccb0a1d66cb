"""How long to look at the lines in vain before sleeping on their edges, learnt from how it went.

A peer on another CPU, or behind real lines, answers within a few looks, and sleeping would cost more than looking. A
peer that needs this very CPU to answer never does while we look. So the first is tried, and each time it fails the
pause until the next try is doubled; in between, looking is given up almost at once. A try that pays off lasts as long
as it does so. (Learning the number of looks itself has a trap: two ends that both sleep for each word take longer to
wake than either is then willing to look, and never leave that state.)
"""

from __future__ import annotations

BRIEF = 16
"""Looks while looking does not pay."""
LONGEST_PAUSE = 256
"""Sleeps between two tries, at most."""


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
        self._sleeps_left = 0
        self.looks = most

    def paid_off(self) -> None:
        """What was looked for has come in time."""
        if not self._sleeps_left:
            self._pause = 1

    def in_vain(self) -> None:
        """It has not; a sleep follows."""
        if self._sleeps_left:
            self._sleeps_left -= 1
        else:
            self._sleeps_left = self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self.looks = self._brief if self._sleeps_left else self._most
