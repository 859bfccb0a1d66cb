"""Rates from one look to the next, whoever looks and however often."""

from __future__ import annotations

import errno
from typing import Any

from gpiomux.daemon.rates import MOST_LINKS, Rates
from gpiomux.errors import MachineError


class Clock:
    """Time as the test wants it."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def report(rx_bytes: int, tx_bytes: int, *, pid: int = 1, uptime_s: float = 10.0, **more: int) -> dict[str, Any]:
    return {"pid": pid, "uptime_s": uptime_s, "counters": {"rx_bytes": rx_bytes, "tx_bytes": tx_bytes, **more}}


def speed(told: dict[str, Any] | None) -> tuple[int, int, float]:
    assert told is not None
    return told["rx_bytes_per_s"], told["tx_bytes_per_s"], told["over_s"]


def test_the_first_look_averages_over_the_life_of_the_process() -> None:
    assert speed(Rates(Clock()).traffic("geth0", report(1000, 50))) == (100, 5, 10.0)


def test_the_next_averages_since_the_last() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.traffic("geth0", report(1000, 50))
    clock.now_s += 4
    assert speed(rates.traffic("geth0", report(1400, 50))) == (100, 0, 4.0)


def test_looks_in_quick_succession_see_the_same() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.traffic("geth0", report(1000, 0))
    clock.now_s += 2
    first = rates.traffic("geth0", report(2000, 0))
    clock.now_s += 0.5
    assert rates.traffic("geth0", report(9000, 0)) == first
    clock.now_s += 1.5
    assert speed(rates.traffic("geth0", report(9000, 0))) == (3500, 0, 2.0), "nothing was left out"


def test_a_new_process_begins_anew() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.traffic("geth0", report(1000, 0))
    clock.now_s += 5
    assert speed(rates.traffic("geth0", report(20, 4, pid=2, uptime_s=2.0))) == (10, 2, 2.0)


def test_a_young_process_is_no_division_by_zero() -> None:
    assert speed(Rates(Clock()).traffic("geth0", report(7, 0, uptime_s=0.0))) == (7, 0, 0.0)


def test_what_was_lost_is_summed() -> None:
    told = Rates(Clock()).traffic(
        "geth0", report(0, 0, rx_crc_errors=2, rx_framing_errors=3, rx_overruns=1, tx_dropped=4, tx_ring_full=5)
    )
    assert told is not None
    assert (told["errors"], told["dropped"]) == (6, 9)


def test_who_tells_nothing_has_no_rate() -> None:
    rates = Rates(Clock())
    assert rates.traffic("geth0", None) is None
    assert rates.traffic("geth0", MachineError("silent", errno=errno.ETIMEDOUT)) is None


def test_what_was_looked_at_long_ago_is_forgotten() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.traffic("geth0", report(1000, 0))
    rates.traffic("geth1", report(1000, 0))
    clock.now_s += 10
    rates.traffic("geth0", report(1000, 0))
    for number in range(MOST_LINKS - 1):
        rates.traffic(f"x{number}", report(0, 0))
    clock.now_s += 10
    assert speed(rates.traffic("geth0", report(1000, 0, uptime_s=30.0))) == (0, 0, 10.0)
    assert speed(rates.traffic("geth1", report(900, 0, uptime_s=30.0))) == (30, 0, 30.0)
