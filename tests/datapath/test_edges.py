"""Edges are on before a sleep, and go off only when the lines are busy for long, measured by what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from gpiomux.datapath import edges
from gpiomux.datapath.edges import PATIENCE, Edges

if TYPE_CHECKING:
    from gpiomux.lines.driver import LineDriver

PRICE_NS = 1000


class Driver:
    """Switching takes PRICE_NS, by a clock that goes on only then."""

    def __init__(self) -> None:
        self.switched: list[bool] = []
        self.now_ns = 0

    def set_edges(self, on: bool) -> None:
        self.switched.append(on)
        self.now_ns += PRICE_NS

    def monotonic_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(edges, "time", driver)
    return driver


def test_they_are_switched_on_once(driver: Driver) -> None:
    switch = Edges(cast("LineDriver", driver))
    for _ in range(3):
        switch.switch_on()
        switch.woke_up()
    assert driver.switched == [True]


def test_they_go_off_when_the_lines_are_busy_for_long(driver: Driver) -> None:
    switch = Edges(cast("LineDriver", driver))
    switch.switch_on()
    switch.woke_up()
    driver.now_ns += PATIENCE * PRICE_NS
    switch.lines_are_busy()
    assert driver.switched == [True]
    driver.now_ns += 1
    switch.lines_are_busy()
    assert driver.switched == [True, False]
    switch.lines_are_busy()
    assert driver.switched == [True, False]


def test_a_sleep_begins_anew(driver: Driver) -> None:
    switch = Edges(cast("LineDriver", driver))
    switch.switch_on()
    for _ in range(4):
        switch.woke_up()
        driver.now_ns += PATIENCE * PRICE_NS
        switch.lines_are_busy()
        switch.switch_on()
    assert driver.switched == [True]
