"""Tests of `gpiomux.config.spot`."""

from __future__ import annotations

import pytest

from gpiomux.config.source import read
from gpiomux.config.spot import Spot


@pytest.fixture
def top() -> Spot:
    """A document in which b.x and the second item of c are broken."""
    source = read("a: 1\nb:\n  x: 2\n  y: 3\nc: [4, 5, 6]\n", "x.yaml")
    return Spot.top(source, frozenset({("b", "x"), ("c", 1)}))


def test_only_what_is_sound_is_seen(top: Spot) -> None:
    assert [top.get("a"), top.get("b", "x"), top.get("b", "y"), top.get("d"), top.get("a", "z")] == [
        1,
        None,
        3,
        None,
        None,
    ]
    assert [(item.path, item.value) for item in top.items("c")] == [(("c", 0), 4), (("c", 2), 6)]
    assert top.items("a") == top.items("d") == []


def test_what_is_broken_is_still_mentioned(top: Spot) -> None:
    spot = top.below("b")
    assert spot is not None
    assert [spot.mentions(key) for key in ("x", "y", "z")] == [True, True, False]


def test_soundness_goes_up_and_down(top: Spot) -> None:
    assert [top.sound(), top.sound("a"), top.sound("b"), top.sound("b", "y")] == [False, True, False, True]
    assert [top.sound("b", "x", "deeper"), top.sound("d")] == [False, True]


def test_places_and_faults(top: Spot) -> None:
    spot = top.below("b", "y")
    assert spot is not None
    assert spot.line == 4
    assert (
        spot.fault("wrong", "expected 4").render() == "x.yaml:4:6: b.y: wrong\n      y: 3\n         ^\n    expected 4"
    )
    assert top.key_fault("b", "odd").render() == "x.yaml:2:1: b: odd\n    b:\n    ^"
