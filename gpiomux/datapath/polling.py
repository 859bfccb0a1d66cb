"""How the loop of a link with lines waits for its peer: what `poll` of the configuration says, and what it has learnt.

`auto` looks on for a while when words stop, and then sleeps on the edges of the lines; `irq` sleeps at once, and leaves
edge detection on; `busy` never sleeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.model import Poll, PollMode
from gpiomux.datapath.patience import BRIEF, Courtesy, Patience

if TYPE_CHECKING:
    from gpiomux.lines.handshake import Handshake

WORDS_PER_TURN = 4096
"""Readings of the lines after which interfaces and the daemon get their turn, unless the budget says otherwise."""
LOOKS = 400
"""The most of `auto` without an idle time, in vain: on lines that are quick to look at, about what a sleep costs."""
ROUND = BRIEF
"""Looks between two looks at the clock, at the interfaces and at the daemon."""
STUCK_NS = 400_000_000
"""A word that nobody takes is driven again after so long: an edge may have been lost on the way."""


class Polling:
    """What the pump asks about looking.

    Attributes:
        poll: as it was set.
        looks: fruitless looks after which to stop and ask `goes_on`.
        budget: looks in all before others get their turn.
        keeps_edges: whether edge detection stays on while words move.
    """

    def __init__(self, poll: Poll, now_ns: int) -> None:
        self._courtesy = Courtesy()
        self._word_ns = self._driven_ns = now_ns
        """When a word has moved, and when the lines were driven last."""
        self._words = 0
        self.set(poll)

    def set(self, poll: Poll) -> None:
        """Wait in this way from now on; what was learnt is forgotten."""
        self.poll = poll
        self.budget = poll.budget or WORDS_PER_TURN
        self.keeps_edges = poll.mode is PollMode.IRQ
        self._idle_ns = 1000 * (poll.idle_us or 0)
        self._patience = Patience(ROUND if self._idle_ns else LOOKS)
        self._looked = 0
        """Looks in vain since the last word, in the turns before."""

    @property
    def looks(self) -> int:
        match self.poll.mode:
            case PollMode.AUTO:
                return min(self._patience.looks, self.budget)
            case PollMode.IRQ:
                return 1
            case PollMode.BUSY:
                return min(ROUND, self.budget)

    def words_moved(self, now_ns: int) -> None:
        """Words move, and have not stopped."""
        self._word_ns = self._driven_ns = now_ns
        self._looked = 0
        self._patience.paid_off()

    def goes_on(self, handshake: Handshake, now_ns: int) -> bool:
        """Whether to look again, after others had their turn, although the last looks were in vain."""
        words = handshake.words_in + handshake.words_out
        if words != self._words:
            self._words = words
            self._word_ns = self._driven_ns = now_ns
            self._looked = 0
        match self.poll.mode:
            case PollMode.AUTO:
                return self._is_patient(handshake, now_ns)
            case PollMode.IRQ:
                return False
            case PollMode.BUSY:
                if not handshake.idle and now_ns - self._driven_ns > STUCK_NS:
                    handshake.repeat()
                    self._driven_ns = now_ns
                return True

    def _is_patient(self, handshake: Handshake, now_ns: int) -> bool:
        if self._looks_on(now_ns):
            return True
        if not handshake.mid_frame:  # that nothing follows the end of a frame says nothing about the peer
            return False
        self._patience.in_vain()
        return self._courtesy.give_way(handshake.pending)

    def _looks_on(self, now_ns: int) -> bool:
        """Whether the time, or the number of looks, after which to give up is not over yet."""
        if self._idle_ns:
            return self._patience.tries and now_ns - self._word_ns < self._idle_ns
        self._looked += self.looks
        if self._looked < self._patience.looks:
            return True
        self._looked = 0
        return False
