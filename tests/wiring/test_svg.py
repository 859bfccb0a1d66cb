"""gpiomux.wiring.svg: the text of a drawing, and the one that is kept beside the manual."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from gpiomux.wiring.layout import draw
from gpiomux.wiring.shapes import Curve, Drawing, Label
from gpiomux.wiring.svg import svg_text
from tests.wiring.boards import of_all_kinds, of_one, of_the_pis

if TYPE_CHECKING:
    from gpiomux.wiring.joining import Wiring

KEPT = Path(__file__).parents[2] / "man" / "wiring-raspberry-pi.svg"
"""Made by `gpiomux wiring configs/raspberry-pi-a.yaml configs/raspberry-pi-b.yaml -o man/wiring-raspberry-pi.svg`."""
SVG = "{http://www.w3.org/2000/svg}"


def test_the_kept_drawing_is_what_the_command_draws() -> None:
    assert KEPT.read_text(encoding="utf-8") == svg_text(draw(of_the_pis()))


@pytest.mark.parametrize("wiring", [of_the_pis(), of_all_kinds(), of_one("gpiosk-peer.yaml")])
def test_every_element_has_styles_that_the_sheet_knows(wiring: Wiring) -> None:
    root = ElementTree.fromstring(svg_text(draw(wiring)))
    sheet = root.findtext(f"{SVG}style")
    assert sheet is not None
    # `data` is a plain wire and `head` a plain shape, `legend` and `idle` plain text: named, though they need no rule.
    used = {name for element in root for name in element.get("class", "").split()}
    assert {name for name in used if f".{name}" not in sheet} <= {"data", "head", "legend", "resistor", "wired"}


def test_what_a_file_says_cannot_leave_its_text() -> None:
    evil = "</title><script>&\"'\x07"
    drawing = Drawing(width=10, height=10, title=evil, shapes=(Label(x=1, y=2.25, text=evil, style="note"),))
    root = ElementTree.fromstring(svg_text(drawing))
    assert [element.tag.removeprefix(SVG) for element in root] == ["title", "style", "rect", "text"]
    assert root.findtext(f"{SVG}text") == evil.replace("\x07", "�")


def test_a_curve_leaves_and_arrives_level() -> None:
    curve = Curve(start=(0, 1), end=(100, 51), straight=20, centre=50.04, style="wire")
    text = svg_text(Drawing(width=100, height=60, title="", shapes=(curve,)))
    assert 'd="M 0 1 L 20 1 C 50 1 50 51 80 51 L 100 51"' in text
