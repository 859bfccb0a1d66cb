"""Faults of a wire, switched on and off while both ends are in use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.model import Bundle, Faults
from gpiomux.errors import MachineError
from gpiomux.lines.faults import set_faults
from tests.lines.conftest import OUT, WAYS, sim_end

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiomux.lines.simulated import SimulatedLines

OFFSETS = tuple(range(WAYS))
INPUTS = tuple(offset + 16 for offset in OFFSETS)
INTO = Bundle(data=INPUTS[:8], req=INPUTS[8], ack=OFFSETS[9])
"""Lines of `b`: words come over the first eight, the ninth tells of them, and it answers on its tenth output."""
ALL = (1 << WAYS) - 1


class Bench:
    """A wire whose end `b` is watched, driven from `a`."""

    def __init__(self, wire: Path) -> None:
        self.wire = wire
        self.driver = sim_end(wire, "a", OFFSETS)
        self.watcher = sim_end(wire, "b", OFFSETS)

    def faults(self, faults: Faults) -> None:
        set_faults(self.wire, "b", faults, INTO)

    def arrives(self, levels: int) -> int:
        self.driver.set(levels << OUT)
        return self.watcher.get() & ALL

    def ends(self) -> tuple[SimulatedLines, SimulatedLines]:
        return self.driver, self.watcher


@pytest.fixture
def bench(wire: Path) -> Iterator[Bench]:
    one = Bench(wire)
    yield one
    for end in one.ends():
        end.close()


def test_a_cut_wire_reads_inactive_until_it_is_mended(bench: Bench) -> None:
    bench.watcher.set_edges(True)
    assert bench.arrives(ALL) == ALL
    bench.faults(Faults(cut=True))
    assert bench.watcher.get() == 0, "at once, not with the next change"
    assert bench.arrives(0b101) == 0
    bench.faults(Faults())
    assert bench.watcher.get() == 0b101
    rising = [event.rising for event in bench.watcher.read_events()]
    assert rising == [True] * WAYS + [False] * WAYS + [True] * 2


def test_a_cut_is_one_way(bench: Bench) -> None:
    bench.faults(Faults(cut=True))
    bench.watcher.set(ALL << OUT)
    assert bench.driver.get() == ALL


def test_stuck_lines(bench: Bench) -> None:
    bench.faults(Faults(stuck=((INPUTS[0], 1), (INPUTS[9], 0))))
    assert bench.watcher.get() == 1
    assert bench.arrives(ALL) == ALL ^ 1 << 9
    assert bench.arrives(0) == 1
    bench.faults(Faults())
    assert bench.watcher.get() == 0


def test_flips_hit_data_lines_at_the_rate_asked_for(bench: Bench) -> None:
    rate, changes = 0.05, 4000
    bench.faults(Faults(flip_rate=rate, seed=3))
    flips = [0] * WAYS
    for number in range(changes):
        wrong = bench.arrives(number & ALL) ^ number & ALL
        for bit in range(WAYS):
            flips[bit] += wrong >> bit & 1
    assert flips[8:] == [0, 0], "req and ack are not noisy"
    # From a fixed seed, so this is no gamble; a binomial's standard deviation is 14 of 200.
    assert all(abs(count - rate * changes) < 70 for count in flips[:8])


@pytest.mark.parametrize(("rate", "wrong"), [(1.0, 0xFF), (0.0, 0), (1e-18, 0)])
def test_rates_at_the_limits(bench: Bench, rate: float, wrong: int) -> None:
    bench.faults(Faults(flip_rate=rate))
    assert {bench.arrives(number & ALL) ^ number & ALL for number in range(200)} == {wrong}


def test_flips_repeat_with_their_seed(wire: Path) -> None:
    def run(seed: int) -> list[int]:
        bench = Bench(wire)
        bench.faults(Faults())
        bench.arrives(0)
        bench.faults(Faults(flip_rate=0.2, seed=seed))
        found = [bench.arrives(number & ALL) for number in range(50)]
        for end in bench.ends():
            end.close()
        return found

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_delay_holds_the_setter_up(bench: Bench) -> None:
    bench.faults(Faults(delay_us=3000))
    before_ns = time.monotonic_ns()
    assert bench.arrives(1) == 1
    assert time.monotonic_ns() - before_ns >= 3_000_000


def test_a_missing_wire_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="simulated wire cable7: cannot open"):
        set_faults(tmp_path / "cable7", "a", Faults(), INTO)
