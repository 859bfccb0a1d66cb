"""Tests of `gpiomux.config.defaults`."""

from __future__ import annotations

import pytest

from gpiomux.config.defaults import SIM_LINES, wire_ends
from tests.config.strategies import other_end


def test_the_same_default_fits_both_ends() -> None:
    assert other_end(SIM_LINES) == SIM_LINES


@pytest.mark.parametrize(
    ("stated", "ends"),
    [
        ([], []),
        ([("w", None), ("w", None)], ["a", "b"]),
        ([("w", "b"), ("w", None)], ["b", "a"]),
        ([("w", None), ("w", "a")], ["b", "a"]),
        ([("w", None), (None, None), ("v", None), ("w", None), ("v", None)], ["a", None, "a", "b", "b"]),
        ([("w", "b")], ["b"]),
        ([("w", None), ("w", None), ("w", None)], ["a", "b", None]),
    ],
)
def test_an_end_is_the_one_stated_or_the_one_free(
    stated: list[tuple[str | None, str | None]], ends: list[str | None]
) -> None:
    assert wire_ends(stated) == ends
