"""gpiomux.wiring.layout and boards: everything is on the page, beside each other, and where it belongs."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from gpiomux.wiring.layout import draw
from gpiomux.wiring.shapes import Arrow, Box, Curve, Disc, Drawing, Label, Line, Shape
from tests.wiring.boards import of_all_kinds, of_one, of_the_pis

if TYPE_CHECKING:
    from gpiomux.wiring.joining import Wiring

WIRINGS = {
    "pis": of_the_pis(),
    "all kinds": of_all_kinds(),
    "gpiosk": of_one("gpiosk-peer.yaml"),
    "one": of_one("raspberry-pi-a.yaml"),
}
each_wiring = pytest.mark.parametrize("wiring", WIRINGS.values(), ids=WIRINGS)


def points(shape: Shape) -> list[tuple[float, float]]:
    match shape:
        case Box(x=x, y=y, width=width, height=height):
            return [(x, y), (x + width, y + height)]
        case Disc(x=x, y=y, radius=radius):
            return [(x - radius, y - radius), (x + radius, y + radius)]
        case Line(points=line):
            return list(line)
        case Curve(start=start, end=end, centre=centre):
            return [start, (centre, start[1]), end]
        case Arrow(tip=tip):
            return [tip]
        case Label(x=x, y=y):
            return [(x, y)]


def terminals(drawing: Drawing) -> list[Box]:
    return [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.style.startswith("terminal")]


def curves(drawing: Drawing) -> list[Curve]:
    return [shape for shape in drawing.shapes if isinstance(shape, Curve) and shape.style.startswith("wire")]


@each_wiring
def test_nothing_is_beyond_the_page(wiring: Wiring) -> None:
    drawing = draw(wiring)
    for shape in drawing.shapes:
        for x, y in points(shape):
            assert 0 <= x <= drawing.width, shape
            assert 0 <= y <= drawing.height, shape


@each_wiring
def test_terminals_do_not_overlap(wiring: Wiring) -> None:
    for one, other in combinations(terminals(draw(wiring)), 2):
        assert abs(one.x - other.x) >= one.width or abs(one.y - other.y) >= one.height


@each_wiring
def test_every_wire_goes_from_terminal_to_terminal(wiring: Wiring) -> None:
    drawing = draw(wiring)
    wires = sum(len(cable.wires) for cable in wiring.cables) + 1
    assert (len(curves(drawing)), len(terminals(drawing))) == (wires, 2 * wires)
    starts = {(box.x + box.width, box.y + box.height / 2) for box in terminals(drawing)}
    ends = {(box.x, box.y + box.height / 2) for box in terminals(drawing)}
    assert {curve.start for curve in curves(drawing)} < starts
    assert {curve.end for curve in curves(drawing)} < ends


@each_wiring
def test_an_arrow_is_at_each_input_and_a_resistor_at_each_output(wiring: Wiring) -> None:
    drawing = draw(wiring)
    driven = [wire for cable in wiring.cables for wire in cable.wires]
    arrows = [shape for shape in drawing.shapes if isinstance(shape, Arrow)]
    right = [arrow.tip for arrow in arrows if arrow.rightwards]
    left = [arrow.tip for arrow in arrows if not arrow.rightwards]
    assert len(right) == sum(wire.first.drives for wire in driven)
    assert len(left) == sum(wire.second.drives for wire in driven)
    lines = {"first": (right, "end"), "second": (left, "start")}
    for driver, (tips, at) in lines.items():
        assert {getattr(curve, at) for curve in curves(drawing) if driver in curve.style.split()} == set(tips)
        boxes = [s for s in drawing.shapes if isinstance(s, Box) and s.style == f"resistor {driver}"]
        assert len(boxes) == len(tips)


def test_a_wire_needs_no_colour_to_be_followed() -> None:
    texts = [shape.text for shape in draw(of_the_pis()).shapes if isinstance(shape, Label) and "role" in shape.style]
    assert texts[:2] == ["out.data 0 → pin 29", "pin 11 → in.data 0"]
    assert {"out.ack ← pin 18", "pin 32 ← in.ack", "ground — pin 39", "pin 39 — ground"} < set(texts)
    assert len(set(texts)) == len(texts)


def test_the_heading_counts_the_wires_of_each_link_and_one_ground() -> None:
    texts = [shape.text for shape in draw(of_all_kinds()).shapes if isinstance(shape, Label)]
    assert "geth0 to far0: 7 wires, uplink to down: 6 wires and ground" in texts


def test_every_pin_of_the_header_is_shown_with_its_number() -> None:
    numbers = [
        shape.text for shape in draw(of_the_pis()).shapes if isinstance(shape, Label) and "number" in shape.style
    ]
    assert sorted(map(int, numbers)) == sorted([*range(1, 41)] * 2)


def test_wires_that_run_side_by_side_are_steepest_beside_each_other() -> None:
    together = [curve for curve in curves(draw(of_the_pis())) if curve.start[1] < curve.end[1]]
    assert len({curve.centre for curve in together}) == len(together)


def test_a_board_that_is_not_known_crosses_no_wires() -> None:
    wires = sorted(curves(draw(of_one("raspberry-pi-a.yaml"))), key=lambda curve: curve.start[1])
    assert [curve.end[1] for curve in wires] == sorted(curve.end[1] for curve in wires)
