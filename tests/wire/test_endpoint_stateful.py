"""Two endpoints in the hands of hypothesis: any order of sending, losing, spoiling, waiting and starting again."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gpiomux.wire.codec import WIDTHS
from gpiomux.wire.events import LinkUp, PacketReceived
from tests.wire.conftest import SETTINGS, facing, make_endpoint, numbered

if TYPE_CHECKING:
    from gpiomux.wire.endpoint import Endpoint, Settings
    from gpiomux.wire.packet import Packet

MS = 1_000_000
S = 1000 * MS
SIDES = st.integers(0, 1)
HEALING_TURNS = 400
"""Turns of half a second in which two ends without further faults must have finished."""


class Side:
    """One end, the frames on their way from it, and what it was given."""

    def __init__(self, described: Settings, seed: int) -> None:
        self.settings = described
        self.seed = seed
        self.epoch = 0
        self.endpoint: Endpoint
        self.going = b""
        """Words that go out; more is not said before they are out."""
        self.session = 0
        self.sent: list[tuple[int, int, Packet]] = []
        """Session and flow of each packet."""
        self.received: deque[Packet] = deque()

    def start(self, now_ns: int) -> None:
        self.epoch += 1
        self.endpoint = make_endpoint(self.settings, self.seed + 1000 * self.epoch, now_ns)
        self.going = b""
        self.session += 1

    def read(self) -> None:
        while (event := self.endpoint.next_event()) is not None:
            if isinstance(event, LinkUp):
                self.session += 1
            elif isinstance(event, PacketReceived):
                self.received.append(event.packet)


class TwoEnds(RuleBasedStateMachine):
    """The wire moves when a rule says so; the time too."""

    @initialize(widths=st.tuples(st.sampled_from(WIDTHS), st.sampled_from(WIDTHS)), datagram=st.booleans())
    def begin(self, widths: tuple[int, int], datagram: bool) -> None:
        described = replace(SETTINGS, width_in=widths[0], width_out=widths[1], datagram=datagram, tx_ring=8)
        self.now_ns, self.number, self.datagram = 0, 0, datagram
        self.sides = [Side(described, 1), Side(facing(described), 2)]
        for side in self.sides:
            side.start(0)
        self.talk(0)

    def teardown(self) -> None:
        """However a history ends, the ends recover from it."""
        if hasattr(self, "sides"):
            self.heal()

    @rule(at=SIDES, flow=st.integers(0, 5), length=st.sampled_from((0, 10, 100, 600, 1400)), count=st.integers(1, 30))
    def send(self, at: int, flow: int, length: int, count: int) -> None:
        side = self.sides[at]
        for _ in range(count):
            if not side.endpoint.peering.up or not side.endpoint.can_send():
                return
            self.number += 1
            packet = numbered(self.number, length, flow)
            side.endpoint.send(packet)
            side.sent.append((side.session, flow, packet))

    @rule(
        at=SIDES,
        flows=st.lists(st.integers(0, 5), min_size=1, max_size=8),
        fates=st.lists(st.sampled_from("aaalx"), min_size=5, max_size=40),
    )
    def carry(self, at: int, flows: list[int], fates: list[str]) -> None:
        """Frame by frame: each arrives, is lost or is spoilt; the other end answers when it has something to say."""
        for flow in flows:
            self.send(at, flow, 400, 1)
        for number, fate in enumerate(fates):
            self.load(at)
            words = self.sides[at].going
            self.arrive(at, {"a": words, "l": b"", "x": words[: len(words) // 2] + words[len(words) // 2 + 1 :]}[fate])
            if number % 3:
                self.load(1 - at)
                self.arrive(1 - at, self.sides[1 - at].going)
            self.now_ns += MS

    @rule(at=SIDES)
    def talk(self, at: int) -> None:
        """Both say all they have to say."""
        for _ in range(60):
            for one in (at, 1 - at):
                self.load(one)
                self.arrive(one, self.sides[one].going)

    @rule(at=SIDES, count=st.integers(1, 5))
    def lose(self, at: int, count: int) -> None:
        """So many frames go out and arrive nowhere."""
        for _ in range(count):
            self.load(at)
            self.arrive(at, b"")

    @rule(at=SIDES, places=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 2)), min_size=1, max_size=4))
    def spoil(self, at: int, places: list[tuple[int, int]]) -> None:
        """A frame arrives with a word changed, lost or doubled here and there."""
        self.load(at)
        words = bytearray(self.sides[at].going)
        for place, kind in places:
            if words:
                where = place % len(words)
                word = words[where]
                words[where : where + 1] = (bytes([word ^ 1]), b"", bytes([word, word]))[kind]
        self.arrive(at, bytes(words))

    @rule(at=SIDES, share=st.floats(0, 1))
    def carry_a_part(self, at: int, share: float) -> None:
        """The first words of a frame arrive; it goes on going out."""
        self.load(at)
        side = self.sides[at]
        length = int(len(side.going) * share)
        self.sides[1 - at].endpoint.receive(side.going[:length], self.now_ns)
        side.going = side.going[length:]
        if not side.going:
            side.endpoint.gone_out(self.now_ns)

    @rule(ms=st.sampled_from((1, 5, 30, 300, 1000)))
    def wait(self, ms: int) -> None:
        self.now_ns += ms * MS
        for side in self.sides:
            side.endpoint.on_deadline(self.now_ns)

    @rule(at=SIDES)
    def start_again(self, at: int) -> None:
        self.sides[at].start(self.now_ns)
        self.carry(at, [0], list("axaaa"))

    @rule(at=SIDES, on=st.booleans())
    def hold(self, at: int, on: bool) -> None:
        """Nobody takes what arrives at one end, or somebody does again."""
        self.sides[at].endpoint.hold(on, self.now_ns)
        self.carry(1 - at, [0, 1], list("aaa"))

    @rule(at=SIDES, mtu=st.sampled_from((1500, 1450)))
    def change_mtu(self, at: int, mtu: int) -> None:
        """First at one end, then at the other; something is under way meanwhile."""
        for one in (at, 1 - at):
            side = self.sides[one]
            side.settings = replace(side.settings, mtu=mtu)
            side.endpoint.set_mtu(mtu)
            self.carry(at, [0], list("aalaa"))

    @rule()
    def heal(self) -> None:
        """Without faults both find each other, and all that was sent with these carriers arrives."""
        for side in self.sides:
            side.endpoint.hold(False, self.now_ns)
        for _ in range(HEALING_TURNS):
            self.talk(0)
            self.observe()
            if all(side.endpoint.peering.up and not side.endpoint.packets() for side in self.sides):
                break
            self.wait(500)
        else:
            raise AssertionError("the ends do not finish")
        if not self.datagram:
            for side, other in (self.sides, self.sides[::-1]):
                wanted = {packet for session, _, packet in side.sent if session == side.session}
                assert wanted <= set(other.received)

    @invariant()
    def observe(self) -> None:
        """In order within each flow, once, unchanged; with one carrier without a gap, unless datagrams are sent."""
        for side, other in (self.sides, self.sides[::-1]):
            other.read()
            order = {packet: place for place, (_, _, packet) in enumerate(side.sent)}
            last: defaultdict[int, int] = defaultdict(lambda: -1)
            for packet in other.received:
                place = order[packet]
                flow = side.sent[place][1]
                assert place > last[flow], "twice, or late"
                last[flow] = place
            if not self.datagram:
                self.no_gap(side, set(other.received))

    def no_gap(self, side: Side, received: set[Packet]) -> None:
        broken = set()
        for session, flow, packet in side.sent:
            if packet not in received:
                broken.add((session, flow))
            else:
                assert (session, flow) not in broken, "one before it is lost"

    # The wire.

    def load(self, at: int) -> None:
        side = self.sides[at]
        side.endpoint.on_deadline(self.now_ns)
        side.read()
        if not side.going:
            side.going = side.endpoint.to_send(self.now_ns)

    def arrive(self, at: int, words: bytes) -> None:
        side, other = self.sides[at], self.sides[1 - at]
        if not side.going:
            return
        other.endpoint.receive(words, self.now_ns)
        side.going = b""
        side.endpoint.gone_out(self.now_ns)
        other.read()


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(max_examples=60, stateful_step_count=40)
