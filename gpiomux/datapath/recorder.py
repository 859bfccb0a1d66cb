"""Keeps for a while what a link carries, for whoever asks: packets on its interfaces, frames and levels on its lines.

Nothing is kept unless somebody asks, and nobody leaves it on: each asking renews a lease of 10 seconds, and what
nobody asks for any more is switched off with the next that would have been kept. Those who ask for the same kinds share
a ring, which is bounded in bytes; those who ask for others do not take room from each other.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections import deque
from typing import TYPE_CHECKING, Any

from gpiomux.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from gpiomux.wire.tap import Damage

PACKET, FRAME, LEVELS = "packet", "frame", "levels"
KINDS = (PACKET, FRAME, LEVELS)
"""What there is to be recorded. The fields of each record are described at the method of `Recorder` that makes it."""
FROM_NOW = -1
LEASE_NS = 10_000_000_000
"""How long what was asked for is kept after the last asking."""
RING_BYTES = 4 * 1024 * 1024
"""What one ring may hold."""
RECORD_BYTES = 250
"""What a record takes in memory beside its data, about."""
ANSWER_BYTES = 44 * 1024
"""What one answer holds at most, as JSON: with all that is put around it, it must fit into 48 KiB."""
PACKET_BYTES = 256
"""Of a packet that is recorded, the first bytes: enough to say what it is."""
_JSON_BYTES = 100
"""What a record takes in an answer beside its data, at most."""

Record = tuple[Any, ...]
"""Time in nanoseconds since 1970, kind, then the fields of the kind."""
Answer = dict[str, Any]


class Recorder:
    """What is recorded of one link.

    *Threads and processes:* one thread, that of the pump.
    """

    def __init__(
        self,
        set_tap: Callable[[str, Recorder | None], None],
        clock_ns: Callable[[], int] = time.monotonic_ns,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Record nothing yet.

        Args:
            set_tap: has the pump hand everything of a kind to a recorder from now on, or to nobody; raises UsageError
                if the link has nothing of that kind.
            clock_ns: for the leases.
            time_ns: for the records.
        """
        self._set_tap = set_tap
        self._clock_ns = clock_ns
        self._time_ns = time_ns
        self._rings: dict[frozenset[str], _Ring] = {}
        self._watchers: dict[str, Callable[[Record], None]] = {}
        self._tapped: frozenset[str] = frozenset()

    # Asking.

    def ask(self, kinds: Collection[str], after: int) -> Answer:
        """Hand out what was recorded, and go on recording for as long as the lease lasts.

        Args:
            kinds: one or more of `KINDS`; order does not matter.
            after: `next` of the answer before, or FROM_NOW.

        Returns:
            `records` [[number, time_ns, kind, fields...]], oldest first, bytes as base64; `next`, to be handed in with
            the next asking; `more`, true if there is more than one answer holds; `lost`, how many records were
            overwritten before they could be handed out, or None if the recording had ended meanwhile, because nobody
            asked for too long or the process was started anew: then it goes on from now.

        Raises:
            UsageError: the link has nothing of one of these kinds.
        """
        asked, now_ns = frozenset(kinds), self._clock_ns()
        self._drop_expired(now_ns)
        ring = self._rings.get(asked)
        if ring is None:
            self._take_up(self._wanted() | asked)
            # Numbers begin with the time: those of a recording that has ended are never taken for those of this one.
            ring = self._rings[asked] = _Ring(now_ns)
        ring.until_ns = now_ns + LEASE_NS
        if after == FROM_NOW:
            return {"records": [], "next": ring.last, "more": False, "lost": 0}
        return ring.answer(after)

    def watch(self, kinds: Collection[str], watcher: Callable[[Record], None]) -> None:
        """Hand each record of some kinds to `watcher` as it comes, and of no other kind; without a lease.

        Raises:
            UsageError: the link has nothing of one of these kinds.
        """
        asked = frozenset(kinds)
        self._take_up(asked.union(*self._rings))
        self._watchers = dict.fromkeys(asked, watcher)

    # Taps: called by the pump.

    def packet(self, outgoing: bool, interface: str, mark: int, payload: bytes) -> None:
        """A packet leaves through an interface, or arrives on it: direction, interface, mark, length, first bytes."""
        self._add(PACKET, (_direction(outgoing), interface, mark, len(payload), bytes(payload[:PACKET_BYTES])))

    def frame(self, outgoing: bool, data: bytes, damage: Damage) -> None:
        """A frame goes out or has come: direction, damage, bytes. See `gpiomux.wire.tap.FrameTap`."""
        self._add(FRAME, (_direction(outgoing), damage.value, data))

    def levels(self, note_ns: int, samples: bytes) -> None:
        """Changes of levels: what noting one of them takes, and samples. See `gpiomux.lines.noted`."""
        self._add(LEVELS, (note_ns, samples))

    def _add(self, kind: str, fields: tuple[Any, ...]) -> None:
        """Keep a record wherever it is wanted; the last of its fields is its data."""
        record = (self._time_ns(), kind, *fields)
        self._drop_expired(self._clock_ns())
        for kinds, ring in self._rings.items():
            if kind in kinds:
                ring.add(record)
        watcher = self._watchers.get(kind)
        if watcher is not None:
            watcher(record)

    def _drop_expired(self, now_ns: int) -> None:
        expired = [kinds for kinds, ring in self._rings.items() if now_ns > ring.until_ns]
        if expired:
            for kinds in expired:
                del self._rings[kinds]
            self._follow(self._wanted())

    def _wanted(self) -> frozenset[str]:
        return frozenset(self._watchers).union(*self._rings)

    def _take_up(self, kinds: frozenset[str]) -> None:
        """Have these kinds handed to us; if the link does not have one of them, all stays as it was."""
        try:
            self._follow(kinds)
        except UsageError:
            self._follow(self._wanted())
            raise

    def _follow(self, kinds: frozenset[str]) -> None:
        """Have exactly these kinds handed to us."""
        for kind in sorted(kinds - self._tapped):
            self._set_tap(kind, self)
            self._tapped |= {kind}
        for kind in sorted(self._tapped - kinds):
            self._set_tap(kind, None)
            self._tapped -= {kind}


class _Ring:
    """The last records of some kinds."""

    def __init__(self, last: int) -> None:
        """Begin with number `last` + 1."""
        self._base = last
        self.last = last
        """Number of the newest record."""
        self.until_ns = 0
        """When its lease ends."""
        self._records: deque[Record] = deque()
        self._bytes = 0

    def add(self, record: Record) -> None:
        """Keep a record; the oldest go if there is no room."""
        self._records.append(record)
        self.last += 1
        self._bytes += len(record[-1]) + RECORD_BYTES
        while self._bytes > RING_BYTES:
            self._bytes -= len(self._records.popleft()[-1]) + RECORD_BYTES

    def answer(self, after: int) -> Answer:
        """What is kept from behind a number on, as much as fits."""
        if not self._base <= after <= self.last:
            return {"records": [], "next": self.last, "more": False, "lost": None}
        before = self.last - len(self._records)
        number, room = max(after, before), ANSWER_BYTES
        found: list[list[Any]] = []
        while number < self.last:
            record = self._records[number - before]
            room -= _JSON_BYTES + (len(record[-1]) + 2) // 3 * 4
            if room < 0:
                break
            number += 1
            found.append([number, *record[:-1], b64encode(record[-1]).decode()])
        return {"records": found, "next": number, "more": number < self.last, "lost": max(0, before - after)}


def _direction(outgoing: bool) -> str:
    """As seen from this end, like the `out` and `in` lines of a configuration."""
    return "out" if outgoing else "in"
