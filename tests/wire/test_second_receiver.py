"""What an endpoint sends is understood by a receiver that knows nothing but the description."""

from __future__ import annotations

import ast
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.wire.codec import WIDTHS
from tests.wire import second_receiver
from tests.wire.conftest import SETTINGS, numbered
from tests.wire.lossy_wire import Pair, Spoil
from tests.wire.second_receiver import SecondReceiver

if TYPE_CHECKING:
    from tests.wire.lossy_wire import End

S = 1_000_000_000


class Tap:
    """Listens to what arrives at one end, and learns from it only when a session begins."""

    def __init__(self, end: End, other: End) -> None:
        self.receiver = SecondReceiver(other.settings.width_out, other.settings.datagram)
        self._end, self._sessions = end, end.endpoint.counters.carrier_changes
        self._hear = end.endpoint.receive
        end.endpoint.receive = self.hear  # type: ignore[method-assign]

    def hear(self, words: bytes | bytearray, now_ns: int) -> None:
        self._hear(words, now_ns)
        changes = self._end.endpoint.counters.carrier_changes
        if changes != self._sessions:
            self._sessions = changes
            self.receiver.begin_session()
        self.receiver.hear(bytes(words))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("datagram", [False, True])
@pytest.mark.parametrize("flip_rate", [0.0, 1e-4, 1e-3])
def test_it_receives_the_same_packets(width: int, datagram: bool, flip_rate: float) -> None:
    settings = replace(SETTINGS, width_out=width, width_in=9 - width if width in (1, 8) else width, datagram=datagram)
    pair = Pair(settings, seed=width, word_ns=10_000)
    taps = [Tap(end, end.peer) for end in pair.ends]
    pair.run(2 * S)
    draws = random.Random(width)
    for end in pair.ends:
        end.line.spoil = Spoil(flip=flip_rate * end.settings.width_out, loss=flip_rate / 10, doubling=flip_rate / 10)
        end.waiting = [
            replace(numbered(number, draws.choice((0, 40, 300, 1300)), flow=draws.randrange(5)), mark=number)
            for number in range(25)
        ]
    pair.run(600 * S, until_quiet=True)
    for end, tap in zip(pair.ends, taps, strict=True):
        assert tap.receiver.packets == [(packet.mark, packet.payload) for packet in end.received]
        assert tap.receiver.frames == end.endpoint.counters.rx_frames
        assert len(end.received) == 25 or (datagram and flip_rate)
        assert tap.receiver.hellos
        if not datagram and flip_rate == 1e-3:
            assert end.endpoint.counters.tx_resent > 0, "losses and resends were part of it"


def test_a_hello_reads_as_described() -> None:
    pair = Pair(replace(SETTINGS, reader=5, writer=7), seed=1, word_ns=1000)
    tap = Tap(pair.ends[1], pair.ends[0])
    pair.run(1 * S)
    hello = tap.receiver.hellos[-1]
    own = pair.ends[0].endpoint.peering.own
    fields = [hello[0:1], hello[1:2], hello[2:3], hello[3:5]] + [hello[at : at + 8] for at in range(5, 37, 8)]
    assert [int.from_bytes(one, "big") for one in fields] == [0x10, 1, 2, 1500, 5, 7, own.epoch, own.peer_epoch]


def test_it_shares_nothing_with_gpiomux() -> None:
    tree = ast.parse(Path(second_receiver.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"__future__", "dataclasses"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
