"""What is said of a line, by what was heard on it."""

from __future__ import annotations

import pytest

from gpiomux.config.defaults import SIM_LINES
from gpiomux.config.model import Bundle, Lines
from gpiomux.doctor.finding import Finding, State
from gpiomux.doctor.wires import ACK, REQ, Heard, Rest, judge, wires_of

LINES = Lines(out=Bundle(data=(0, 1), req=2, ack=9), into=Bundle(data=(5, 6), req=7, ack=3))
PLACES = [(100 + own, f"place {own}") for own in range(10)]
WIRES = wires_of(LINES, PLACES)
RIGHT = {0: Heard(0, 30), 1: Heard(1, 31), 2: Heard(REQ, 32), 3: Heard(ACK, 33)}
"""By input, in the order of `in.data0 in.data1 in.req out.ack`."""
MOVED, LOW, HIGH = Rest(low=True, high=True), Rest(low=True, high=False), Rest(low=False, high=True)


def said(heard: dict[int, set[Heard]], rests: dict[int, Rest] | None = None) -> dict[str, Finding]:
    """By role; a line of which nothing is said here has heard what it should."""
    everything = {bit: {right} for bit, right in RIGHT.items()} | heard
    found = judge(
        "geth0",
        WIRES,
        [everything.get(bit, set()) for bit in range(len(WIRES))],
        [(rests or {}).get(bit, MOVED) for bit in range(len(WIRES))],
    )
    assert all(it.about == "geth0" for it in found)
    return {it.subject.split()[0]: it for it in found}


def problems(found: dict[str, Finding]) -> list[str]:
    return [role for role, it in found.items() if it.state is State.PROBLEM]


def test_lines_stand_in_the_order_of_a_request() -> None:
    assert [wire.role for wire in WIRES] == [
        *("in.data0", "in.data1", "in.req", "out.ack"),
        *("out.data0", "out.data1", "out.req", "in.ack"),
    ]
    own = [wire.offset - 100 for wire in WIRES]
    assert own == [*LINES.inputs, *LINES.outputs]
    assert [wire.drives for wire in WIRES] == [False] * 4 + [True] * 4
    assert [wire.number for wire in WIRES] == [0, 1, REQ, ACK] * 2


def test_each_output_of_an_end_has_the_number_that_the_far_end_waits_for() -> None:
    near = wires_of(SIM_LINES, [(own, "") for own in range(32)])
    listened = {wire.number: (wire.offset + 16) % 32 for wire in near if not wire.drives}
    assert listened == {wire.number: wire.offset for wire in near if wire.drives}


def test_a_whole_cable() -> None:
    found = said({})
    assert list(found) == ["in.data0", "in.data1", "in.req", "out.ack"], "of outputs there is nothing to say"
    assert problems(found) == []
    assert found["in.req"].cause == "hears out.req (line 32) of the far end"
    assert found["out.ack"].subject == "out.ack (place 9)"


def test_swapped_lines() -> None:
    found = said({0: {RIGHT[2]}, 2: {RIGHT[0]}})
    assert problems(found) == ["in.data0", "in.req"]
    assert found["in.data0"].cause == "hears out.req (line 32) of the far end instead of out.data0"
    assert found["in.req"].remedy == "wire it to out.req of the far end"


def test_wires_that_touch() -> None:
    found = said({0: {RIGHT[0], RIGHT[1]}, 1: {RIGHT[0], RIGHT[1]}})
    assert problems(found) == ["in.data0", "in.data1"]
    assert "and also out.data1 (line 31) of the far end: these wires touch" in found["in.data0"].cause


def test_a_cut_line_and_stuck_ones() -> None:
    found = said({0: set(), 1: set(), 2: set()}, {0: LOW, 1: HIGH, 2: MOVED})
    assert problems(found) == ["in.data0", "in.data1", "in.req"]
    assert found["in.data0"].cause == "never hears out.data0"
    assert "cut wire" in found["in.data0"].remedy
    assert found["in.data1"].cause == "is high all the time, and never hears out.data1"
    assert found["in.req"].cause == "moves, and never as out.req does"
    assert "active_low" in found["in.req"].remedy


def test_a_far_end_that_is_not_there() -> None:
    found = said({bit: set() for bit in range(4)}, dict.fromkeys(range(4), LOW))
    assert len(problems(found)) == 4
    assert {it.cause for it in found.values()} == {"nothing is heard from the far end"}
    assert all("run the same there" in it.remedy for it in found.values())


@pytest.mark.parametrize(
    ("heard", "cause", "remedy"),
    [
        (Heard(0, 30), "is an output, and hears out.data0 (line 30) of the far end", "wire it to the input"),
        (Heard(1, 101, here=True), "hears out.data1 (line 101) of this end itself: they touch", "short"),
    ],
)
def test_outputs_that_hear(heard: Heard, cause: str, remedy: str) -> None:
    found = said({4: {heard}})
    assert problems(found) == ["out.data0"]
    assert cause in found["out.data0"].cause
    assert remedy in found["out.data0"].remedy


def test_an_input_that_hears_its_own_end() -> None:
    found = said({0: {Heard(0, 100, here=True)}})
    assert "of this end itself instead of out.data0" in found["in.data0"].cause
