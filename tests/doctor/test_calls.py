"""Calls on a line: what is sent is what is heard, also by a listener who is late now and then."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.doctor.calls import REST_UNITS, UNIT_S, Call, Listener, levels

if TYPE_CHECKING:
    from collections.abc import Iterable

CALLS = st.builds(Call, st.integers(0, 31), st.booleans(), st.integers(0, 9), st.integers(0, 1023))


def heard(steps: Iterable[tuple[int, float]], listener: Listener | None = None) -> list[Call]:
    """What a listener makes of levels that stand for so many units."""
    listener = listener or Listener()
    now_s, calls = 100.0, []
    for level, units in [*steps, (0, 0.0), (1, 0.0)]:
        call = listener.hear(level, now_s)
        calls += [] if call is None else [call]
        now_s += units * UNIT_S
    return calls


@given(st.lists(CALLS, min_size=1, max_size=3))
def test_what_is_called_is_heard(calls: list[Call]) -> None:
    assert heard([step for call in calls for step in levels(call)]) == calls


@given(CALLS, st.data())
def test_whoever_is_a_little_late_hears_it_all_the_same(call: Call, data: st.DataObject) -> None:
    steps = [(level, units + data.draw(st.floats(-0.4, 1.4 if level else 20.0))) for level, units in levels(call)]
    assert heard(steps) == [call]


@pytest.mark.parametrize("call", [Call(0, False, 0, 0), Call(31, True, 9, 1023), Call(10, True, 5, 682)])
def test_a_call_with_one_or_two_wrong_pulses_is_not_heard(call: Call) -> None:
    """Every bit, and every two of them, taken for the other."""
    steps = levels(call)
    pulses = [place for place, (level, _) in enumerate(steps) if level][1:]
    for wrong in (*combinations(pulses, 1), *combinations(pulses, 2)):
        assert (
            heard([(level, 5 - units if place in wrong else units) for place, (level, units) in enumerate(steps)]) == []
        )


@given(CALLS, st.data())
def test_a_sender_that_stops_in_between_is_not_heard(call: Call, data: st.DataObject) -> None:
    steps = [(level, float(units)) for level, units in levels(call)]
    place = data.draw(st.integers(2, len(steps) - 3))  # the last pause is no part of it
    steps[place] = (steps[place][0], steps[place][1] + 100.0)
    assert heard(steps) == []


def test_the_next_call_is_heard_after_a_spoilt_one() -> None:
    call = Call(17, True, 9, 511)
    spoilt = levels(call)[:20]
    assert heard([*spoilt, (0, REST_UNITS), *levels(call)]) == [call]


def test_a_line_that_stands_high_says_nothing() -> None:
    call = Call(1, False, 2, 3)
    assert heard([(1, 1000.0)]) == []
    assert heard([(1, 1000.0), *levels(call)]) == [call]


@pytest.mark.parametrize("offset", [0, 1023, 1024])
def test_offsets_go_round(offset: int) -> None:
    assert heard(levels(Call(0, False, 0, offset))) == [Call(0, False, 0, offset % 1024)]
