"""Words that are lost, doubled and reordered on the way, below the line code; and endpoints that talk all the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.model import Bundle, Faults
from gpiomux.lines.faults import set_faults
from gpiomux.lines.handshake import Handshake
from gpiomux.lines.wire_file import make_wire
from gpiomux.wire.events import LinkDown, PacketReceived
from tests.lines.conftest import WAYS, sim_end
from tests.wire.conftest import SETTINGS, facing, make_endpoint, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiomux.wire.packet import Packet

OFFSETS = tuple(range(WAYS))
INPUTS = tuple(offset + 16 for offset in OFFSETS)
INTO = Bundle(data=INPUTS[:8], req=INPUTS[8], ack=OFFSETS[9])
"""The way into either end."""


class Talk:
    """Both ends of a wire with the line code on them: words go from `a` to `b` and back."""

    def __init__(self, wire: Path) -> None:
        self.wire = wire
        self.lines = {end: sim_end(wire, end, OFFSETS) for end in "ab"}
        self.ends = {end: Handshake(lines, width_in=8, width_out=8) for end, lines in self.lines.items()}

    def faults(self, end: str, faults: Faults) -> None:
        set_faults(self.wire, end, faults, INTO)

    def carry(self, to_b: bytes, to_a: bytes = b"") -> tuple[bytes, bytes]:
        """Send words both ways at once; what came to `b` and to `a`."""
        self.ends["a"].load(to_b)
        self.ends["b"].load(to_a)
        moved = 1
        while moved:
            before = [(end.words_in, end.words_out) for end in self.ends.values()]
            for end in self.ends.values():
                end.run(spin=1, most=1)
            moved = before != [(end.words_in, end.words_out) for end in self.ends.values()]
        assert all(end.idle for end in self.ends.values()), "a word is stuck"
        came = bytes(self.ends["b"].received), bytes(self.ends["a"].received)
        for end in self.ends.values():
            end.received.clear()
        return came

    def close(self) -> None:
        for lines in self.lines.values():
            lines.close()


@pytest.fixture
def talk(wire: Path) -> Iterator[Talk]:
    one = Talk(wire)
    yield one
    one.close()


WORDS = bytes(random.Random(1).choices(range(1, 256), k=3000))
"""Without zeros, of which two in a row would end a frame."""


def test_lost_words_never_come_and_nobody_waits_for_them(talk: Talk) -> None:
    talk.faults("b", Faults(loss_rate=1.0))
    assert talk.carry(WORDS, WORDS) == (b"", WORDS), "and the other way loses none"
    talk.faults("b", Faults())
    assert talk.carry(WORDS, WORDS) == (WORDS, WORDS), "a line that stays inverted is no word"


def test_doubled_words_come_twice_and_the_sender_knows_nothing(talk: Talk) -> None:
    talk.faults("b", Faults(double_rate=1.0))
    doubled = bytes(word for word in WORDS for _ in range(2))
    assert talk.carry(WORDS, WORDS) == (doubled, WORDS)
    talk.faults("a", Faults(double_rate=1.0))
    assert talk.carry(WORDS, WORDS) == (doubled, doubled)
    for end in "ab":
        talk.faults(end, Faults())
    assert talk.carry(WORDS, WORDS) == (WORDS, WORDS)


def test_a_word_whose_req_is_early_reads_as_the_one_before(talk: Talk) -> None:
    talk.faults("b", Faults(reorder_rate=1.0))
    assert talk.carry(WORDS) == (b"\0" + WORDS[:-1], b"")
    talk.faults("b", Faults())
    assert talk.carry(WORDS) == (WORDS, b"")


@pytest.mark.parametrize(
    ("faults", "share"),
    [
        (Faults(loss_rate=0.05, seed=5), 0.95),
        (Faults(double_rate=0.05, seed=5), 1.05),
        (Faults(loss_rate=0.5, double_rate=1.0, seed=5), 1.0),
    ],
)
def test_words_are_hit_at_the_rate_asked_for(talk: Talk, faults: Faults, share: float) -> None:
    talk.faults("b", faults)
    came, _ = talk.carry(WORDS)
    # From a fixed seed; the standard deviation is 12 words where the rate is 0.05, and 55 where it is 0.5.
    assert abs(len(came) - share * len(WORDS)) < (50 if share != 1 else 200)
    other, _ = talk.carry(WORDS)
    assert other != came, "other words are hit"


@pytest.mark.parametrize("seed", range(8))
def test_each_word_comes_in_its_place_once_or_twice_or_never(talk: Talk, seed: int) -> None:
    """Both ways at once, faults changing meanwhile, the ends taking turns at random."""
    draws = random.Random(seed)
    sent = bytes(number % 251 + 1 for number in range(2000))  # tells which of its neighbours a word is
    for end in talk.ends.values():
        end.load(sent)
    fruitless = 0
    while fruitless < 100:
        if draws.random() < 0.01:
            rates = {name: draws.choice((0.0, 0.1, 0.5)) for name in ("loss", "double")}
            talk.faults(draws.choice("ab"), Faults(loss_rate=rates["loss"], double_rate=rates["double"], seed=seed))
        fruitless = (
            0 if draws.choice(tuple(talk.ends.values())).run(spin=1, most=draws.randrange(1, 5)) else fruitless + 1
        )
    for end in talk.ends.values():
        assert end.idle
        place, times = -1, 0
        for word in end.received:
            distance = (word - sent[place]) % 251 if place >= 0 else word
            place, times = place + distance, times + 1 if distance == 0 else 1
            assert times <= 2
            assert distance < 100
        assert place > len(sent) - 100
        assert len(end.received) != len(sent)


def test_faults_of_words_repeat_with_their_seed(tmp_path: Path) -> None:
    came = []
    for number, seed in enumerate((1, 1, 2)):
        make_wire(tmp_path / str(number))
        talk = Talk(tmp_path / str(number))
        talk.faults("b", Faults(loss_rate=0.01, double_rate=0.01, reorder_rate=0.01, seed=seed))
        came.append(talk.carry(WORDS)[0])
        talk.close()
    assert came[0] == came[1]
    assert came[0] != came[2]


def test_a_word_that_comes_again_raises_edges(talk: Talk) -> None:
    """An end that sleeps is woken by a word that is doubled, and by the answer to one that is lost."""
    talk.faults("b", Faults(double_rate=1.0))
    talk.lines["b"].set_edges(True)
    assert talk.carry(b"\1") == (b"\1\1", b"")
    req = len(INTO.data)
    assert [event.rising for event in talk.lines["b"].read_events() if event.bit == req] == [True, False]
    talk.faults("b", Faults(loss_rate=1.0))
    talk.lines["a"].set_edges(True)
    talk.lines["b"].read_events()
    assert talk.carry(b"\1") == (b"", b"")
    assert [event.bit for event in talk.lines["a"].read_events()] == [req + 1]
    assert talk.lines["b"].read_events() == []


def test_nothing_is_lost_on_a_wire_that_is_cut(talk: Talk) -> None:
    """The word stands on the lines, and comes when the wire is mended."""
    talk.faults("b", Faults(cut=True, loss_rate=1.0, double_rate=1.0))
    talk.ends["a"].load(b"\5")
    talk.ends["a"].run(spin=1, most=9)
    talk.faults("b", Faults())
    assert talk.carry(b"\6") == (b"\5\6", b"")


WORD_NS = 40_000
STUCK_NS = 400_000_000
"""The loop of a datapath drives a word again after so long."""
PHASE_NS = 300_000_000


class Station:
    """An endpoint on one end of a wire, with the loop of a datapath in virtual time."""

    def __init__(self, talk: Talk, end: str, seed: int) -> None:
        self.handshake = talk.ends[end]
        self.endpoint = make_endpoint(SETTINGS if end == "a" else facing(SETTINGS), seed)
        self.sent: list[Packet] = []
        self.received: list[Packet] = []
        self.losses = 0
        """Times that the carrier was lost."""
        self._loaded = False
        self._moved_ns = 0

    def offer(self, packet: Packet) -> None:
        """Send a packet if there is room."""
        if self.endpoint.peering.up and self.endpoint.can_send():
            self.sent.append(packet)
            self.endpoint.send(packet)

    def turn(self, now_ns: int) -> None:
        """Move one word each way."""
        endpoint, handshake = self.endpoint, self.handshake
        endpoint.on_deadline(now_ns)
        if handshake.idle:
            if self._loaded:
                endpoint.gone_out(now_ns)
            handshake.load(endpoint.to_send(now_ns))
            self._loaded = not handshake.idle
        if handshake.run(spin=1, most=1):
            self._moved_ns = now_ns
        elif now_ns - self._moved_ns > STUCK_NS:
            handshake.repeat()
            self._moved_ns = now_ns
        endpoint.receive(handshake.received, now_ns)
        handshake.received.clear()
        while (event := endpoint.next_event()) is not None:
            if isinstance(event, PacketReceived):
                self.received.append(event.packet)
            self.losses += isinstance(event, LinkDown)


class Conversation:
    """Two stations that send each other packets of three flows."""

    def __init__(self, talk: Talk) -> None:
        self.stations = Station(talk, "a", 1), Station(talk, "b", 2)
        self._now_ns = 0
        self._number = 0

    def load(self, duration_ns: int) -> None:
        """Talk for so long, with packets of all sizes to send."""
        for turn in range(duration_ns // WORD_NS):
            if turn % 20 == 0:
                self._number += 1
                for station in self.stations:
                    station.offer(numbered(self._number, length=self._number * 37 % 600, flow=self._number % 3))
            self._turn()

    def drain(self) -> None:
        """Talk until all that was sent has arrived, at most for a minute of the link."""
        give_up_ns = self._now_ns + 60_000_000_000
        while self._now_ns < give_up_ns and any(station.endpoint.packets() for station in self.stations):
            self._turn()

    @property
    def words(self) -> int:
        return sum(station.handshake.words_in for station in self.stations)

    @property
    def errors(self) -> int:
        """Frames that came to harm."""
        counters = [station.endpoint.counters for station in self.stations]
        return sum(it.rx_crc_errors + it.rx_framing_errors + it.rx_length_errors + it.tx_resent for it in counters)

    def _turn(self) -> None:
        for station in self.stations:
            station.turn(self._now_ns)
        self._now_ns += WORD_NS


@pytest.fixture
def conversation(talk: Talk) -> Conversation:
    """Both have a carrier, and have talked for a while."""
    begun = Conversation(talk)
    begun.load(PHASE_NS)
    assert all(station.received for station in begun.stations)
    assert begun.errors == 0
    return begun


def all_arrived(conversation: Conversation) -> None:
    """Each bit of each packet is compared, in the order of its flow, and the carrier has held."""
    conversation.drain()
    for station, peer in (conversation.stations, conversation.stations[::-1]):
        assert station.losses == 0
        assert len(station.sent) > 50
        for flow in {packet.payload[:16] for packet in station.sent}:
            sent, received = ([it for it in side if it.payload[:16] == flow] for side in (station.sent, peer.received))
            assert received == sent
        assert len(peer.received) == len(station.sent)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(flip_rate=1e-3, seed=1),
        Faults(loss_rate=2e-3, seed=2),
        Faults(double_rate=2e-3, seed=3),
        Faults(reorder_rate=2e-3, seed=4),
        Faults(stuck=((INPUTS[3], 1),)),
        Faults(flip_rate=3e-4, loss_rate=5e-4, double_rate=5e-4, reorder_rate=5e-4, seed=5),
    ],
    ids=["flips", "losses", "doubles", "reorder", "stuck data", "all"],
)
def test_every_packet_arrives_though_words_are_spoilt(talk: Talk, conversation: Conversation, faults: Faults) -> None:
    for end in "ab":
        talk.faults(end, faults)
    conversation.load(2 * PHASE_NS)
    assert conversation.errors > 0
    for end in "ab":
        talk.faults(end, Faults())
    conversation.load(PHASE_NS)
    all_arrived(conversation)


@pytest.mark.parametrize(
    "faults",
    [Faults(stuck=((INPUTS[8], 1),)), Faults(stuck=((INPUTS[9], 0),)), Faults(cut=True)],
    ids=["stuck req", "stuck ack", "cut"],
)
def test_every_packet_arrives_after_a_standstill(talk: Talk, conversation: Conversation, faults: Faults) -> None:
    for end in "ab":
        talk.faults(end, faults)
    conversation.load(PHASE_NS)
    before = conversation.words
    conversation.load(PHASE_NS)
    assert conversation.words == before
    for end in "ab":
        talk.faults(end, Faults())
    conversation.load(PHASE_NS)
    all_arrived(conversation)


def test_every_packet_arrives_late(talk: Talk, conversation: Conversation) -> None:
    for end in "ab":
        talk.faults(end, Faults(delay_us=1))
    conversation.load(PHASE_NS // 12)
    all_arrived(conversation)
