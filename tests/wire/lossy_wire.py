"""Two ends and a wire that takes its time, spoils words, is cut and mended; and a ledger of every packet.

Everything follows from one seed, time is virtual. What is not simulated: the lines below the words (that is
`tests/lines/test_handshake.py`).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.wire.events import LinkUp, PacketReceived
from gpiomux.wire.flow import flow_of
from tests.wire.conftest import facing, make_endpoint

if TYPE_CHECKING:
    from gpiomux.wire.endpoint import Settings
    from gpiomux.wire.packet import Packet

MAX_IDLE_TURNS = 1000
"""Turns of the loop in which time stands still; more is an end that asks to be called again and again for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoil:
    """What happens to each word on its way, as probabilities."""

    flip: float = 0.0
    loss: float = 0.0
    doubling: float = 0.0

    @property
    def rate(self) -> float:
        return self.flip + self.loss + self.doubling


@dataclass(frozen=True, slots=True)
class Sent:
    """One packet that an end took."""

    session: int
    """Counts the carriers of the sender."""
    flow: bytes
    packet: Packet


class Line:
    """Words from one end to the other."""

    def __init__(self, width: int, word_ns: int, draws: random.Random) -> None:
        self.spoil = Spoil()
        self.cut = ""
        """`held`: no word moves; `lost`: words go out and never arrive."""
        self.most_delay_ns = 0
        """Each piece comes later than it could, by up to so much."""
        self.due_ns: int | None = None
        """When the next words arrive; None: the line is free."""
        self.words_carried = 0
        self._width = width
        self._word_ns = word_ns
        self._draws = draws
        self._words = b""
        self._piece = b""
        self._until_fault: int | None = None

    def load(self, words: bytes, now_ns: int) -> None:
        self._words = words
        self._take_piece(now_ns)

    def arrive(self, now_ns: int) -> tuple[bytes, bool]:
        """Words that arrive now, and whether they were the last of what was loaded."""
        piece = b"" if self.cut == "lost" else self._spoiled(self._piece)
        self.words_carried += len(self._piece)
        self._take_piece(now_ns)
        return piece, self.due_ns is None

    def break_off(self) -> None:
        """The sender has died: what it has not said stays unsaid."""
        self._words, self.due_ns = b"", None

    def _take_piece(self, now_ns: int) -> None:
        if not self._words:
            self.due_ns = None
            return
        length = self._draws.choice((len(self._words), 200, 30))
        self._piece, self._words = self._words[:length], self._words[length:]
        delay_ns = self._draws.randrange(self.most_delay_ns) if self.most_delay_ns else 0
        self.due_ns = now_ns + len(self._piece) * self._word_ns + delay_ns

    def _spoiled(self, words: bytes) -> bytes:
        if not self.spoil.rate:
            self._until_fault = None
            return words
        spoiled = bytearray()
        position = 0
        while True:
            if self._until_fault is None:
                self._until_fault = int(math.log(1 - self._draws.random()) / math.log1p(-self.spoil.rate))
            if position + self._until_fault >= len(words):
                self._until_fault -= len(words) - position
                return bytes(spoiled + words[position:])
            spoiled += words[position : position + self._until_fault]
            position += self._until_fault
            self._until_fault = None
            spoiled += self._instead_of(words[position])
            position += 1

    def _instead_of(self, word: int) -> bytes:
        (kind,) = self._draws.choices("fld", (self.spoil.flip, self.spoil.loss, self.spoil.doubling))
        if kind == "l":
            return b""
        return bytes((word, word)) if kind == "d" else bytes((word ^ 1 << self._draws.randrange(self._width),))


class End:
    """An endpoint, the line away from it, and what went in and came out."""

    def __init__(self, settings: Settings, seed: int, line: Line) -> None:
        self.settings = settings
        self.line = line
        self.session = 0
        self.sent: list[Sent] = []
        self.received: list[Packet] = []
        self.waiting: list[Packet] = []
        """To be sent as soon as the endpoint takes them without dropping any."""
        self.eager = False
        """The endpoint gets all at once, as from the loop of a datapath, and drops what it has no room for."""
        self.owed: set[Packet] = set()
        """Sent with this carrier and not received yet."""
        self.peer: End
        self._epochs = random.Random(seed)
        self.endpoint = make_endpoint(settings, self._epochs.random().__hash__())

    def restart(self, now_ns: int) -> None:
        self.line.break_off()
        self._begin()
        self.endpoint = make_endpoint(self.settings, self._epochs.random().__hash__(), now_ns)

    def serve(self, now_ns: int) -> None:
        """What the loop of a datapath does in one turn."""
        self.endpoint.on_deadline(now_ns)
        self._read_events()
        while self.waiting and self.endpoint.peering.up and (self.eager or self.endpoint.can_send()):
            packet = self.waiting.pop(0)
            flow = flow_of(self.settings.mode, packet.mark, packet.payload)
            self.sent.append(Sent(self.session, flow, packet))
            self.owed.add(packet)
            self.endpoint.send(packet)
        if self.line.due_ns is None and (words := self.endpoint.to_send(now_ns)):
            self.line.load(words, now_ns)

    def _read_events(self) -> None:
        while (event := self.endpoint.next_event()) is not None:
            if isinstance(event, LinkUp):
                self._begin()
            elif isinstance(event, PacketReceived):
                self.received.append(event.packet)
                self.peer.owed.discard(event.packet)

    def _begin(self) -> None:
        self.session += 1
        self.owed.clear()


class Pair:
    """Two ends, the lines between them, and the time."""

    def __init__(self, settings: Settings, *, seed: int, word_ns: int) -> None:
        self.now_ns = 0
        self.draws = random.Random(seed)
        self.ends = tuple(
            End(one, seed + number, Line(one.width_out, word_ns, random.Random(self.draws.random())))
            for number, one in enumerate((settings, facing(settings)))
        )
        self.ends[0].peer, self.ends[1].peer = self.ends[::-1]

    @property
    def up(self) -> bool:
        """Both have a carrier."""
        return all(end.endpoint.peering.up for end in self.ends)

    @property
    def quiet(self) -> bool:
        """Both have a carrier, and all that was sent with this carrier has arrived; datagrams: has gone out."""
        return self.up and not any(
            end.waiting or (end.endpoint.packets() if end.settings.datagram else end.owed) for end in self.ends
        )

    def run(self, duration_ns: int, *, until_quiet: bool = False) -> None:
        """Let time pass."""
        end_ns = self.now_ns + duration_ns
        turns = 0
        while True:
            for end in self.ends:
                end.serve(self.now_ns)
            if until_quiet and self.quiet:
                return
            next_ns = min(self._times_ns(), default=end_ns + 1)
            if next_ns > end_ns:
                self.now_ns = end_ns
                return
            turns = turns + 1 if next_ns <= self.now_ns else 0
            assert turns < MAX_IDLE_TURNS, "an end asks for attention and then has nothing to do"
            self.now_ns = max(next_ns, self.now_ns)
            for end, other in (self.ends, self.ends[::-1]):
                self._carry(end, other)

    def check(self) -> None:
        """Compare every packet that arrived with what was sent.

        Within a flow all arrive in order and once, unchanged; as long as a carrier lasted, without a gap, unless
        datagrams were sent.
        """
        for sender, receiver in (self.ends, self.ends[::-1]):
            by_packet = {sent.packet: (number, sent) for number, sent in enumerate(sender.sent)}
            assert len(by_packet) == len(sender.sent), "the test needs packets that differ"
            last_of_flow: defaultdict[bytes, int] = defaultdict(lambda: -1)
            arrived: set[int] = set()
            for packet in receiver.received:
                assert packet in by_packet, f"invented, or changed on the way: {packet}"
                number, sent = by_packet[packet]
                assert number not in arrived, f"packet {number} arrived twice"
                assert number > last_of_flow[sent.flow], f"packet {number} arrived late"
                last_of_flow[sent.flow] = number
                arrived.add(number)
            if sender.settings.datagram:
                continue
            broken: set[tuple[int, bytes]] = set()
            for number, sent in enumerate(sender.sent):
                if number not in arrived:
                    broken.add((sent.session, sent.flow))
                else:
                    assert (sent.session, sent.flow) not in broken, f"packet {number} arrived, one before it did not"

    def _times_ns(self) -> list[int]:
        times_ns = []
        for end in self.ends:
            if end.line.due_ns is not None and end.line.cut != "held":
                times_ns.append(end.line.due_ns)
            deadline_ns = end.endpoint.deadline_ns(can_send=end.line.due_ns is None)
            if deadline_ns is not None:
                times_ns.append(deadline_ns)
        return times_ns

    def _carry(self, end: End, other: End) -> None:
        line = end.line
        if line.due_ns is None or line.due_ns > self.now_ns or line.cut == "held":
            return
        words, last = line.arrive(self.now_ns)
        other.endpoint.receive(words, self.now_ns)
        if last:
            end.endpoint.gone_out(self.now_ns)
