"""What every `LineDriver` promises, on each backend (`conftest.BACKENDS`)."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

import pytest

from tests.lines.conftest import OUT, WAYS

if TYPE_CHECKING:
    from gpiomux.lines.driver import EdgeEvent, LineDriver
    from tests.lines.conftest import Ends

ALL = (1 << WAYS) - 1
PATIENCE_S = 10.0
PATTERNS = [0, 1, 1 << WAYS - 1, ALL, 0b1010101010, 0b0101010101, 0b1100000011]


def inputs(driver: LineDriver) -> int:
    return driver.get() & ALL


def outputs(driver: LineDriver) -> int:
    return driver.get() >> OUT


def readable(driver: LineDriver, timeout_s: float = 0.0) -> bool:
    return bool(select.select([driver.fileno()], [], [], timeout_s)[0])


def told(driver: LineDriver, count: int) -> list[EdgeEvent]:
    """The next events, at least `count` of them unless they never come: real lines tell of edges a little later."""
    events: list[EdgeEvent] = []
    while len(events) < count and readable(driver, PATIENCE_S):
        events += driver.read_events()
    return events


def test_all_lines_are_inactive_at_first(ends: Ends) -> None:
    assert ends.near.get() == ends.far.get() == 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_levels_arrive(ends: Ends, pattern: int) -> None:
    ends.near.set(pattern << OUT)
    assert (outputs(ends.near), inputs(ends.far)) == (pattern, pattern)
    assert (inputs(ends.near), outputs(ends.far)) == (0, 0)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_both_ways_at_once(ends: Ends, pattern: int) -> None:
    ends.near.set(pattern << OUT)
    ends.far.set((ALL & ~pattern) << OUT)
    assert ends.near.get() == pattern << OUT | (ALL & ~pattern)
    assert ends.far.get() == (ALL & ~pattern) << OUT | pattern


def test_setting_ignores_the_bits_of_inputs(ends: Ends) -> None:
    ends.near.set(ALL | 0b11 << OUT)
    assert ends.near.get() == 0b11 << OUT
    assert inputs(ends.far) == 0b11


def test_some_inputs_can_be_looked_at_alone(ends: Ends) -> None:
    ends.far.set(ALL << OUT)
    for bit in range(WAYS):
        assert ends.near.get(1 << bit) & 1 << bit
    ends.far.set((ALL ^ 2) << OUT)
    assert ends.near.get(2) & 2 == 0


def test_edges_are_off_at_first(ends: Ends) -> None:
    ends.far.set(ALL << OUT)
    assert ends.near.read_events() == []
    assert not readable(ends.near)


def test_each_edge_is_told_once(ends: Ends) -> None:
    ends.near.set_edges(True)
    events = []
    for levels in (0b001, 0b101, 0b100):
        ends.far.set(levels << OUT)
        events += told(ends.near, 1)
    ends.far.set(0b100 << OUT)
    assert [(event.bit, event.rising) for event in events] == [(0, True), (2, True), (0, False)]
    assert [event.seqno for event in events] == [1, 2, 3]
    assert [event.line_seqno for event in events] == [1, 1, 2]
    assert ends.near.read_events() == []


def test_edges_of_several_lines_at_once(ends: Ends) -> None:
    ends.near.set_edges(True)
    ends.far.set(ALL << OUT)
    events = sorted(told(ends.near, WAYS), key=lambda event: event.seqno)
    assert sorted(event.bit for event in events) == list(range(WAYS))
    assert [event.seqno for event in events] == list(range(1, WAYS + 1))
    assert all(event.rising and event.line_seqno == 1 for event in events)


def test_edges_carry_the_time(ends: Ends) -> None:
    before_ns = time.monotonic_ns()
    ends.near.set_edges(True)
    events = []
    for levels in (1, 0):
        ends.far.set(levels << OUT)
        events += told(ends.near, 1)
    times_ns = [before_ns, *(event.timestamp_ns for event in events), time.monotonic_ns()]
    assert len(times_ns) == 4
    assert times_ns == sorted(times_ns)


def test_own_outputs_make_no_edges(ends: Ends) -> None:
    ends.near.set_edges(True)
    ends.near.set(ALL << OUT)
    assert ends.near.read_events() == []


def test_the_descriptor_is_readable_while_events_wait(ends: Ends) -> None:
    ends.near.set_edges(True)
    assert not readable(ends.near)
    ends.far.set(1 << OUT)
    assert readable(ends.near, PATIENCE_S)
    assert readable(ends.near)
    ends.far.set(1 << OUT | 2 << OUT)
    assert len(told(ends.near, 2)) == 2
    assert not readable(ends.near)
    ends.far.set(0)
    assert readable(ends.near, PATIENCE_S)


def test_events_that_were_queued_stay_readable(ends: Ends) -> None:
    ends.near.set_edges(True)
    ends.far.set(1 << OUT)
    assert readable(ends.near, PATIENCE_S)
    ends.near.set_edges(False)
    ends.far.set(0)
    assert readable(ends.near)
    assert [event.rising for event in ends.near.read_events()] == [True]
    ends.near.set_edges(True)
    ends.far.set(1 << OUT)
    assert [(event.rising, event.seqno) for event in told(ends.near, 1)] == [(True, 2)]


def test_a_full_queue_drops_its_oldest_events(ends: Ends) -> None:
    """The gap shows in seqno; what is left is without a gap and ends with the newest."""
    ends.near.set_edges(True)
    count = 3000
    for number in range(count):
        ends.far.set((number + 1 & 1) << OUT)
    seqnos = [event.seqno for event in ends.near.read_events()]
    assert 16 <= len(seqnos) < count
    assert seqnos == list(range(count - len(seqnos) + 1, count + 1))
    assert ends.near.read_events() == []


def test_a_new_request_begins_anew(ends: Ends) -> None:
    ends.near.set_edges(True)
    for levels in (1, 0, 1):
        ends.far.set(levels << OUT)
    ends.reopen_near()
    assert inputs(ends.near) == 1
    assert not readable(ends.near)
    assert ends.near.read_events() == []
    ends.far.set(0)
    assert ends.near.read_events() == [], "edges are off at first"
    ends.near.set_edges(True)
    ends.far.set(0b11 << OUT)
    assert sorted((event.seqno, event.line_seqno) for event in told(ends.near, 2)) == [(1, 1), (2, 1)]


def test_closing_twice_is_no_mistake(ends: Ends) -> None:
    ends.near.close()
    ends.near.close()
    ends.far.set(ALL << OUT)
    assert outputs(ends.far) == ALL
