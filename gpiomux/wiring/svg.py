"""A drawing as the text of an SVG file: one style sheet, one element for each shape, no date, no random number."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never
from xml.sax.saxutils import escape, quoteattr

from gpiomux.wiring.shapes import Arrow, Box, Curve, Disc, Label, Line

if TYPE_CHECKING:
    from gpiomux.wiring.shapes import Drawing, Shape

_FIRST = "#0072B2"
_SECOND = "#D55E00"
"""Blue and vermillion of Okabe and Ito's palette ("Color Universal Design", 2008): told apart by everybody."""

_STYLES = {
    "text": "font-family: 'DejaVu Sans', Arial, sans-serif; font-size: 11px; fill: #222",
    ".paper": "fill: #fff",
    ".board": "fill: #eef3ee; stroke: #9aa89a; stroke-width: 1.5",
    ".unknown": "fill: #f7f7f7; stroke-dasharray: 6 4",
    ".header": "fill: #2b2b2b",
    ".pin": "stroke: #111; stroke-width: 1",
    ".pin.idle": "fill: #cfcfcf",
    ".pin.danger": "fill: #fff",
    ".first": f"fill: {_FIRST}",
    ".second": f"fill: {_SECOND}",
    ".ground": "fill: #000",
    ".plain": "stroke: #555",
    ".lead": "fill: none; stroke-width: 2.5; stroke-linejoin: round",
    ".wire": "fill: none; stroke-width: 2",
    ".halo": "fill: none; stroke: #fff; stroke-width: 5",
    ".lead.first, .wire.first, .resistor.first": f"stroke: {_FIRST}",
    ".lead.second, .wire.second, .resistor.second": f"stroke: {_SECOND}",
    ".lead.ground, .wire.ground": "stroke: #000",
    ".wire.ground": "stroke-width: 3.5",
    ".wire.req, .wire.ctl": "stroke-dasharray: 12 4",
    ".wire.ack": "stroke-dasharray: 3 3",
    ".resistor": "fill: #fff; stroke-width: 1.5",
    ".terminal": "fill: #fff; stroke-width: 1.2",
    ".terminal.first": f"fill: #fff; stroke: {_FIRST}",
    ".terminal.second": f"fill: #fff; stroke: {_SECOND}",
    ".terminal.ground": "fill: #fff; stroke: #000",
    ".role": "font-family: 'DejaVu Sans Mono', Menlo, Consolas, monospace",
    ".title": "font-size: 18px; font-weight: bold",
    ".name": "font-size: 12px; font-weight: bold",
    ".small": "font-size: 10px; fill: #555",
    ".label": "font-weight: bold",
    ".unused": "fill: #666; font-size: 10px",
    ".unused.danger": "fill: #8a2a00; font-weight: bold",
    ".number": "font-size: 10px; text-anchor: middle",
    ".number.wired": "fill: #fff; font-weight: bold",
    ".number.danger": "fill: #8a2a00; text-decoration: line-through",
    ".note": "font-size: 12px",
    ".middle": "text-anchor: middle",
    ".start": "text-anchor: start",
    ".end": "text-anchor: end",
}
"""Selector -> declarations; what stands later wins over what stands before and says as much."""


def svg_text(drawing: Drawing) -> str:
    """Write a drawing as an SVG 1.1 document, which ends with a newline."""
    width, height = _number(drawing.width), _number(drawing.height)
    sheet = "\n".join(f"{selector} {{ {rules} }}" for selector, rules in _STYLES.items())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' role="img">',
        f"<title>{_text(drawing.title)}</title>",
        f"<style>\n{sheet}\n</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
        *(_element(shape) for shape in drawing.shapes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(shape: Shape) -> str:
    style = f"class={quoteattr(shape.style)}"
    match shape:
        case Box(x=x, y=y, width=width, height=height, radius=radius):
            corners = f' rx="{_number(radius)}"' if radius else ""
            return f'<rect {style} {_at(x, y)} width="{_number(width)}" height="{_number(height)}"{corners}/>'
        case Disc(x=x, y=y, radius=radius):
            return f'<circle {style} cx="{_number(x)}" cy="{_number(y)}" r="{_number(radius)}"/>'
        case Line(points=points):
            return f'<path {style} d="M {" L ".join(f"{_number(x)} {_number(y)}" for x, y in points)}"/>'
        case Curve():
            return f'<path {style} d="{_curve(shape)}"/>'
        case Arrow(tip=(x, y), rightwards=rightwards):
            back = _number(x - 11 if rightwards else x + 11)
            corners = f"{_number(x)},{_number(y)} {back},{_number(y - 5)} {back},{_number(y + 5)}"
            return f'<polygon {style} points="{corners}"/>'
        case Label(x=x, y=y, text=text):
            return f"<text {style} {_at(x, y)}>{_text(text)}</text>"
    assert_never(shape)


def _text(text: str) -> str:
    """What a user has named, which may hold what XML cannot, such as control characters."""
    return escape("".join(char if char.isprintable() else "\ufffd" for char in text))


def _curve(curve: Curve) -> str:
    """The path data: both points that bend are above each other, so that the curve leaves and arrives level."""
    (start_x, start_y), (end_x, end_y) = curve.start, curve.end
    level = start_x + curve.straight, start_y, curve.centre, start_y, curve.centre, end_y, end_x - curve.straight, end_y
    first, *bend = (f"{_number(x)} {_number(y)}" for x, y in zip(level[::2], level[1::2], strict=True))
    return f"M {_number(start_x)} {_number(start_y)} L {first} C {' '.join(bend)} L {_number(end_x)} {_number(end_y)}"


def _at(x: float, y: float) -> str:
    return f'x="{_number(x)}" y="{_number(y)}"'


def _number(value: float) -> str:
    """With one digit behind the point at most, and none where that is 0."""
    return f"{value:.1f}".removesuffix(".0")
