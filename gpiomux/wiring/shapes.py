"""What a drawing is made of: frozen shapes with coordinates in pixels, x to the right and y downwards."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    style: str
    """Name of a style of the sheet in `svg`; blanks separate several. So for all shapes."""
    radius: float = 0
    """Of its corners."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disc:
    """A circle."""

    x: float
    y: float
    radius: float
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Straight from point to point."""

    points: tuple[Point, ...]
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Level from its start, then a bend (a cubic Bézier curve), then level to its end."""

    start: Point
    end: Point
    straight: float
    """Length of the level parts."""
    centre: float
    """Where it is steepest, x."""
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """The head of an arrow that points along x."""

    tip: Point
    rightwards: bool
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One line of text."""

    x: float
    y: float
    """Of its base line."""
    text: str
    style: str


Shape = Box | Disc | Line | Curve | Arrow | Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Shapes on a page; what comes later lies above."""

    width: float
    height: float
    title: str
    """Told to whoever cannot see it."""
    shapes: tuple[Shape, ...]
