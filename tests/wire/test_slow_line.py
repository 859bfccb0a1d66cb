"""Lines of a few thousand bits a second and fewer, which stand still now and then as on a machine that has other work:
the carrier stays, and everything arrives. Below what is promised, 5 kbit/s, it takes longer, and that is all.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.wire.conftest import SETTINGS, numbered
from tests.wire.lossy_wire import Pair

S = 1_000_000_000
MS = 1_000_000
PING_FLOW = 99
BULK, PINGS = 20, 10
"""Packets each way."""
PATIENCE_NS = 6 * 3600 * S


def busy_pair(width: int, words_per_s: int, *, datagram: bool = False) -> Pair:
    """Two ends that have just got their carrier, with long packets and pings to send, both ways."""
    settings = replace(SETTINGS, width_in=width, width_out=width, datagram=datagram)
    pair = Pair(settings, seed=width * words_per_s, word_ns=S // words_per_s)
    pair.run(20 * S, until_quiet=True)
    assert pair.up
    for number, end in enumerate(pair.ends):
        end.waiting = [numbered(1000 * number + step, 1480) for step in range(BULK)]
        end.waiting += [numbered(1000 * number + 500 + step, 64, flow=PING_FLOW) for step in range(PINGS)]
    return pair


def finish(pair: Pair) -> None:
    """All has arrived, and neither end has missed the other for a moment."""
    pair.run(PATIENCE_NS, until_quiet=True)
    assert pair.quiet
    pair.check()
    for end in pair.ends:
        assert end.endpoint.counters.carrier_changes == 1
        assert len(end.received) == BULK + PINGS


@pytest.mark.parametrize("datagram", [False, True], ids=["reliable", "datagram"])
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("words_per_s", [200, 500, 1000, 2000, 5000])
def test_a_slow_line_carries_everything(width: int, words_per_s: int, datagram: bool) -> None:
    finish(busy_pair(width, words_per_s, datagram=datagram))


@pytest.mark.parametrize(("width", "words_per_s"), [(1, 1000), (1, 2000), (1, 5000), (2, 500), (2, 1000), (2, 5000)])
def test_a_slow_line_that_stands_still_for_two_seconds_carries_everything(width: int, words_per_s: int) -> None:
    pair = busy_pair(width, words_per_s)
    draws = random.Random(width * words_per_s)
    for _ in range(30):
        pair.run(draws.randrange(100 * MS, 5 * S))
        for end in pair.ends:
            end.line.cut = "held"
        pair.run(draws.randrange(S // 2, 2 * S))
        for end in pair.ends:
            end.line.cut = ""
    finish(pair)
