"""Edges are on before a sleep, and go off only when the lines are busy for long, measured by what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from gpiomux.datapath import edges
from gpiomux.datapath.edges import LEAST_PRICE_NS, NAP_S, PATIENCE, Edges

if TYPE_CHECKING:
    from gpiomux.lines.driver import LineDriver

PRICE_NS = 1000
DEAR_NS = 20 * LEAST_PRICE_NS


class Driver:
    """Switching takes `price_ns`, by a clock that goes on only then and in naps."""

    def __init__(self) -> None:
        self.price_ns = PRICE_NS
        self.switched: list[bool] = []
        self.now_ns = 0

    def set_edges(self, on: bool) -> None:
        self.switched.append(on)
        self.now_ns += self.price_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, time_s: float) -> None:
        assert time_s == NAP_S
        self.now_ns += int(time_s * 1e9)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(edges, "time", driver)
    return driver


def edges_of(driver: Driver) -> Edges:
    return Edges(cast("LineDriver", driver))


def sleep(switch: Edges, driver: Driver, time_ns: int) -> None:
    """A sleep on edges."""
    switch.switch_on()
    driver.now_ns += time_ns
    switch.woke_up()


def busy(switch: Edges, driver: Driver, time_ns: int) -> None:
    driver.now_ns += time_ns
    switch.lines_are_busy()


def naps(switch: Edges) -> int:
    """How many suffice until edges are worth their price."""
    count = 0
    while switch.nap():
        count += 1
    return count


def test_they_are_switched_on_once(driver: Driver) -> None:
    switch = edges_of(driver)
    for _ in range(3):
        sleep(switch, driver, 0)
    assert driver.switched == [True]


def test_they_go_off_when_the_lines_are_busy_for_long(driver: Driver) -> None:
    switch = edges_of(driver)
    sleep(switch, driver, PRICE_NS)
    busy(switch, driver, PATIENCE * PRICE_NS)
    assert driver.switched == [True]
    busy(switch, driver, 1)
    assert driver.switched == [True, False]
    switch.lines_are_busy()
    assert driver.switched == [True, False]


def test_a_sleep_begins_anew(driver: Driver) -> None:
    switch = edges_of(driver)
    for _ in range(4):
        sleep(switch, driver, PRICE_NS)
        busy(switch, driver, PATIENCE * PRICE_NS)
    assert driver.switched == [True]


def test_a_sleep_that_naps_would_have_done_for_does_not(driver: Driver) -> None:
    switch = edges_of(driver)
    sleep(switch, driver, PRICE_NS)
    for _ in range(PATIENCE):
        busy(switch, driver, 1)
        sleep(switch, driver, PRICE_NS - 1)
        assert driver.switched == [True]
    busy(switch, driver, 1)
    assert driver.switched == [True, False]


def test_cheap_edges_leave_no_place_for_naps(driver: Driver) -> None:
    switch = edges_of(driver)
    assert naps(switch) == 0, "the price is not known yet"
    sleep(switch, driver, PRICE_NS)
    busy(switch, driver, 2 * PATIENCE * PRICE_NS)
    assert driver.switched == [True, False]
    assert naps(switch) == 0


def test_naps_until_edges_are_worth_their_price(driver: Driver) -> None:
    driver.price_ns = DEAR_NS
    switch = edges_of(driver)
    sleep(switch, driver, DEAR_NS)
    assert naps(switch) == 0, "they are on"
    busy(switch, driver, 2 * PATIENCE * DEAR_NS)
    assert driver.switched == [True, False]
    most = int(2 * DEAR_NS / (NAP_S * 1e9))
    for _ in range(3):
        assert naps(switch) == most
        switch.lines_are_busy()
    assert naps(switch) == most
    assert naps(switch) == 0
    assert driver.switched == [True, False]
