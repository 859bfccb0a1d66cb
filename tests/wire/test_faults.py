"""Whole histories of faults from seeds: nothing is lost, doubled, changed or invented."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpiomux.wire.codec import WIDTHS
from gpiomux.wire.counters import Counters
from tests.wire.conftest import SETTINGS, numbered
from tests.wire.lossy_wire import Pair, Spoil

if TYPE_CHECKING:
    from gpiomux.wire.endpoint import Settings
    from gpiomux.wire.packet import Packet

S = 1_000_000_000

# Histories of faults. A failing one is named by its parameters: pytest -k 'seed-WIDTH'.

HISTORIES = 60
"""For each width."""


def settings_of(draws: random.Random, width: int) -> Settings:
    return replace(
        SETTINGS,
        mode=draws.choice(("net_hdr", "eth", "raw")),
        width_out=width,
        width_in=draws.choice(WIDTHS),
        tx_ring=draws.choice((1, 4, 32)),
    )


def traffic(draws: random.Random, first: int, count: int) -> list[Packet]:
    """Packets of some flows, small and large, no two the same."""
    return [
        numbered(number, draws.choice((0, 5, 50, 300, 1300)), flow=draws.choice((0, 0, 0, 1, 2, 3, 4, 5)))
        for number in range(first, first + count)
    ]


def suffer(pair: Pair, draws: random.Random) -> None:
    """One fault, for a while."""
    end, other = draws.sample(pair.ends, 2)
    match draws.choice(("flips", "flips", "words", "cut", "cut both", "restart", "nothing", "mtu")):
        case "flips":
            end.line.spoil = Spoil(flip=draws.choice((1e-4, 1e-3, 1e-2)))
        case "words":
            end.line.spoil = Spoil(loss=draws.choice((0, 1e-3)), doubling=1e-3, flip=1e-4)
        case "cut":
            end.line.cut = draws.choice(("held", "lost"))
        case "cut both":
            end.line.cut = other.line.cut = draws.choice(("held", "lost"))
        case "restart":
            end.restart(pair.now_ns)
        case "mtu":
            mtu = draws.choice((1500, 1400))
            end.endpoint.set_mtu(mtu)
            pair.run(int(draws.random() * S))
            other.endpoint.set_mtu(mtu)
            for one in pair.ends:
                one.settings = replace(one.settings, mtu=mtu)
    pair.run(int(draws.choice((0.01, 0.3, 1, 6)) * draws.random() * S))
    for one in pair.ends:
        one.line.spoil, one.line.cut = Spoil(), ""


def history(seed: int, width: int) -> Pair:
    """Packets both ways and some faults, then peace."""
    draws = random.Random(seed * 8 + width)
    word_ns = draws.choice((5_000, 50_000, 400_000)) * width // 8 or 1
    pair = Pair(settings_of(draws, width), seed=seed, word_ns=word_ns)
    pair.run(draws.choice((0, 1, 2)) * S)
    for turn in range(draws.randrange(1, 6)):
        for end in pair.ends:
            end.waiting += traffic(draws, 100 * turn, draws.choice((0, 3, 30)))
        suffer(pair, draws)
    pair.run(1000 * S, until_quiet=True)
    return pair


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_nothing_is_lost_doubled_or_invented(seed: int, width: int) -> None:
    pair = history(seed, width)
    pair.check()
    assert pair.quiet, "after the last fault both ends find each other and finish"


def test_a_history_replays() -> None:
    one, two = history(7, 8), history(7, 8)
    assert one.now_ns == two.now_ns
    assert [end.endpoint.counters for end in one.ends] == [end.endpoint.counters for end in two.ends]
    assert [end.received for end in one.ends] == [end.received for end in two.ends]


def test_the_histories_are_worth_their_time() -> None:
    """Between them they show every kind of loss; else the test above proves little."""
    seen = Counters()
    for seed in range(12):
        for end in history(seed, 8).ends:
            for name, value in end.endpoint.counters.as_dict().items():
                setattr(seen, name, getattr(seen, name) + value)
    for name in ("tx_resent", "tx_dropped", "rx_crc_errors", "rx_framing_errors", "rx_duplicates", "peer_restarts"):
        assert getattr(seen, name) > 0, name


@pytest.mark.parametrize("width", WIDTHS)
def test_the_line_stays_up_while_bits_flip(width: int) -> None:
    """One bit in 3,300, both ways, at both ends of the speeds that lines have."""
    for word_ns in (1_000, 500_000):
        pair = Pair(replace(SETTINGS, width_in=width, width_out=width), seed=width, word_ns=word_ns)
        for end in pair.ends:
            end.line.spoil = Spoil(flip=3e-4 * width)
            end.waiting = traffic(random.Random(width), 0, 60)
        pair.run(600 * S, until_quiet=True)
        assert pair.quiet
        pair.check()
        assert [end.session for end in pair.ends] == [1, 1]
