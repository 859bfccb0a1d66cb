"""Schedules of faults, each from a seed: no packet is changed, doubled, late or invented, and none is lost.

The environment variable GPIOMUX_FAULT_SEEDS says which seeds are tried: one, as in `17`, or a range, as in `0-99999`.
So `GPIOMUX_FAULT_SEEDS=17 make test ARGS="tests/wire/test_faults.py -k schedules"` replays a failure; the failing test
prints this line. The default takes about 20 seconds of CPU time.
"""

from __future__ import annotations

import os
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

SEEDS_VARIABLE = "GPIOMUX_FAULT_SEEDS"
DEFAULT_SEEDS = "0-2399"
BLOCK = 100
"""Seeds for each test."""
SUM_UP = 48


def seeds() -> range:
    first, _, last = os.environ.get(SEEDS_VARIABLE, DEFAULT_SEEDS).partition("-")
    return range(int(first), int(last or first) + 1)


def settings_of(draws: random.Random, seed: int) -> Settings:
    """Each width and each delivery in turn, so that a range of seeds has all of them."""
    return replace(
        SETTINGS,
        mode=draws.choice(("net_hdr", "eth", "raw")),
        width_out=WIDTHS[seed % 4],
        width_in=draws.choice(WIDTHS),
        tx_ring=draws.choice((1, 4, 32)),
        datagram=seed % 3 == 2,
    )


def traffic(draws: random.Random, first: int, count: int) -> list[Packet]:
    """Packets of some flows, small and large, no two the same."""
    return [
        numbered(number, draws.choice((0, 5, 50, 50, 300, 1300)), flow=draws.choice((0, 0, 0, 1, 2, 3, 4, 5)))
        for number in range(first, first + count)
    ]


def spoil(draws: random.Random, width: int) -> Spoil:
    """Bits that flip at 1e-5 to 3e-3 for each data line, and now and then words that come twice or not at all."""
    words = draws.choice((0, 0, 1e-4, 1e-3))
    return Spoil(flip=width * 10 ** draws.uniform(-5, -2.52), loss=words, doubling=draws.choice((0, words)))


def suffer(pair: Pair, draws: random.Random) -> None:
    """One fault, for a while."""
    end, other = draws.sample(pair.ends, 2)
    match draws.choice(
        ("spoil", "spoil both", "cut", "cut both", "late", "restart", "restart both", "nothing", "mtu", "hold")
    ):
        case "spoil":
            end.line.spoil = spoil(draws, end.settings.width_out)
        case "spoil both":
            for one in pair.ends:
                one.line.spoil = spoil(draws, one.settings.width_out)
        case "cut":
            end.line.cut = draws.choice(("held", "lost"))
        case "cut both":
            end.line.cut = other.line.cut = draws.choice(("held", "lost"))
        case "late":
            end.line.most_delay_ns = draws.choice((1, 50, 2000)) * S // 1000
        case "restart":
            end.restart(pair.now_ns)
        case "restart both":
            end.restart(pair.now_ns)
            pair.run(int(draws.random() ** 4 * S))
            other.restart(pair.now_ns)
        case "hold":
            end.endpoint.hold(True, pair.now_ns)
        case "mtu":
            mtu = draws.choice((1500, 1400))
            end.endpoint.set_mtu(mtu)
            pair.run(int(draws.random() * S))
            other.endpoint.set_mtu(mtu)
            for one in pair.ends:
                one.settings = replace(one.settings, mtu=mtu)
    pair.run(int(draws.choice((0.01, 0.3, 1, 6)) * draws.random() * S))
    for one in pair.ends:
        if draws.random() < 0.7:  # else one fault adds to another
            one.line.spoil, one.line.cut, one.line.most_delay_ns = Spoil(), "", 0


def history(seed: int) -> Pair:
    """Packets both ways and some faults, then peace until all has arrived."""
    draws = random.Random(seed)
    settings = settings_of(draws, seed)
    word_ns = draws.choice((5_000, 50_000, 400_000)) * settings.width_out // 8 or 1
    pair = Pair(settings, seed=seed, word_ns=word_ns)
    pair.run(draws.choice((0, 1, 2)) * S)
    for turn in range(draws.randrange(1, 5)):
        for end in pair.ends:
            end.waiting += traffic(draws, 100 * turn, draws.choice((0, 2, 4, 16)))
        suffer(pair, draws)
    for end in pair.ends:
        end.line.spoil, end.line.cut, end.line.most_delay_ns = Spoil(), "", 0
        end.endpoint.hold(False, pair.now_ns)
    pair.run(1000 * S, until_quiet=True)
    return pair


def check(seed: int) -> None:
    pair = history(seed)
    pair.check()
    assert pair.quiet, "after the last fault both ends find each other and finish"


@pytest.mark.parametrize("first", seeds()[::BLOCK])
def test_schedules_of_faults(first: int) -> None:
    for seed in range(first, min(first + BLOCK, seeds().stop)):
        try:
            check(seed)
        except Exception as err:
            err.add_note(f'replay: {SEEDS_VARIABLE}={seed} make test ARGS="tests/wire/test_faults.py -k schedules"')
            raise


def test_a_schedule_replays() -> None:
    one, two = history(7), history(7)
    assert one.now_ns == two.now_ns
    assert [end.endpoint.counters for end in one.ends] == [end.endpoint.counters for end in two.ends]
    assert [end.received for end in one.ends] == [end.received for end in two.ends]


def test_the_schedules_are_worth_their_time() -> None:
    """Between them they show every kind of loss; else the test above proves little."""
    seen, wholly = Counters(), 0
    for seed in range(SUM_UP):
        pair = history(seed)
        for end in pair.ends:
            for name, value in end.endpoint.counters.as_dict().items():
                setattr(seen, name, getattr(seen, name) + value)
        wholly += all(len(end.sent) == len(end.peer.received) for end in pair.ends)
    counted = {name for name, value in seen.as_dict().items() if value}
    # A frame becomes too long only if several ends of frames are lost in a row, which is too rare to count on.
    assert counted >= set(seen.as_dict()) - {"rx_unknown", "rx_length_errors", "tx_ring_full"}
    assert 0 < wholly < SUM_UP


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("rate", "slowest_ns"), [(3e-4, 500_000), (1e-3, 50_000)])
def test_the_line_stays_up_while_bits_flip(width: int, rate: float, slowest_ns: int) -> None:
    """Both ways, with traffic. (On a slow line a long frame that is lost costs the time of three hellos.)"""
    for word_ns in (1_000, slowest_ns):
        pair = Pair(replace(SETTINGS, width_in=width, width_out=width), seed=width, word_ns=word_ns)
        pair.run(2 * S)
        for end in pair.ends:
            end.line.spoil = Spoil(flip=rate * width)
            end.waiting = traffic(random.Random(width), 0, 40)
        pair.run(600 * S, until_quiet=True)
        assert pair.quiet
        pair.check()
        assert [end.session for end in pair.ends] == [1, 1]


@pytest.mark.parametrize("datagram", [False, True])
def test_the_tests_own_ledger_finds_what_is_wrong(datagram: bool) -> None:
    pair = Pair(replace(SETTINGS, datagram=datagram), seed=1, word_ns=1000)
    pair.ends[0].waiting = traffic(random.Random(1), 0, 30)
    pair.run(10 * S, until_quiet=True)
    pair.check()
    received = pair.ends[1].received
    changed = replace(received[3], payload=received[3].payload[:-1] + b"x")
    for wrong in (
        [*received, received[3]],
        [*received[:3], changed, *received[4:]],
        received[::-1],
    ):
        pair.ends[1].received = wrong
        with pytest.raises(AssertionError):
            pair.check()
    pair.ends[1].received = received[1:]
    if datagram:
        pair.check()
    else:
        with pytest.raises(AssertionError):
            pair.check()


def test_an_idle_link_stays_up_in_noise() -> None:
    """An hour with one flipped bit in a thousand: hellos get lost three in a row, short frames do not."""
    pair = Pair(SETTINGS, seed=1, word_ns=100_000)
    pair.run(2 * S)
    for end in pair.ends:
        end.line.spoil = Spoil(flip=1e-3 * 8)
    pair.run(3600 * S)
    assert [end.session for end in pair.ends] == [1, 1]
