"""How soon an end notices that nothing goes any more, in the protocol's own time: 3 s at the latest, at both ends."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gpiomux.wire.codec import WIDTHS
from gpiomux.wire.peering import DEAF, SILENT
from tests.wire.conftest import SETTINGS, numbered
from tests.wire.lossy_wire import Pair

S = 1_000_000_000
NOTICED_NS = 3 * S
WORD_NS = 100_000
"""What a word takes on real lines at their slowest: a hello then takes 5 ms, or 40 ms with a single data line."""


def running(seed: int, *, busy: bool) -> Pair:
    """Two ends with a carrier, somewhere between two hellos; busy: in the middle of a packet."""
    draws = random.Random(seed)
    settings = replace(SETTINGS, width_out=draws.choice(WIDTHS), width_in=draws.choice(WIDTHS))
    pair = Pair(settings, seed=seed, word_ns=WORD_NS)
    pair.run(S, until_quiet=True)
    assert pair.up
    pair.run(draws.randrange(S))
    if busy:
        for end, first in zip(pair.ends, (0, 1000), strict=True):
            end.waiting = [numbered(first + number, 1300) for number in range(20)]
        pair.run(draws.randrange(20_000_000))
    return pair


def reasons(pair: Pair) -> list[str]:
    return [end.endpoint.peering.reason for end in pair.ends]


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("seed", range(25))
def test_a_cut_cable_and_a_dead_peer(seed: int, busy: bool) -> None:
    pair = running(seed, busy=busy)
    for end in pair.ends:
        end.line.cut = "held"
    pair.run(NOTICED_NS)
    assert reasons(pair) == [SILENT, SILENT]
    for end in pair.ends:
        end.line.cut = ""
    pair.run(NOTICED_NS, until_quiet=True)
    assert pair.up
    pair.check()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("seed", range(25))
def test_a_stuck_ack(seed: int, busy: bool) -> None:
    """Words go one way only. The end that hears nothing says so, and the other learns it at once."""
    pair = running(seed, busy=busy)
    pair.ends[0].line.cut = "held"
    pair.run(NOTICED_NS)
    assert reasons(pair) == [DEAF, SILENT]
    pair.ends[0].line.cut = ""
    pair.run(NOTICED_NS, until_quiet=True)
    assert pair.up
    pair.check()
