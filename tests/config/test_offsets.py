"""Tests of `gpiomux.config.offsets`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config import offsets

LISTS = st.lists(st.integers(0, 60), min_size=1, max_size=40).map(tuple)
PARTS = st.integers(0, 9999).map(str) | st.tuples(st.integers(0, 20), st.integers(0, 20)).map(
    lambda p: f"{p[0]}-{p[1]}"
)


@pytest.mark.parametrize(
    ("written", "parsed"),
    [
        ([3, 1, 2], (3, 1, 2)),
        ("7", (7,)),
        ("0-3", (0, 1, 2, 3)),
        ("0-1,9, 4-6", (0, 1, 9, 4, 5, 6)),
        ("5-5", (5,)),
        ("0007", (7,)),
    ],
)
def test_parse(written: list[int] | str, parsed: tuple[int, ...]) -> None:
    assert offsets.parse(written) == parsed


@pytest.mark.parametrize(
    ("parsed", "written"),
    [
        ((0, 1, 2, 3), "0-3"),
        ((0, 1), [0, 1]),
        ((3, 2, 1, 0), [3, 2, 1, 0]),
        ((9, 0, 1, 2, 5, 6), "9,0-2,5-6"),
        ((7,), [7]),
        ((0, 0, 0), [0, 0, 0]),
    ],
)
def test_write(parsed: tuple[int, ...], written: list[int] | str) -> None:
    assert offsets.write(parsed) == written


@given(LISTS)
def test_what_is_written_is_read(parsed: tuple[int, ...]) -> None:
    written = offsets.write(parsed)
    assert offsets.parse(written) == parsed
    assert offsets.check(written) is None
    assert offsets.text(parsed) == str(offsets.text(offsets.parse(offsets.text(parsed))))


@given(st.lists(PARTS, min_size=1, max_size=5).map(",".join))
def test_count_agrees_with_parse_where_no_range_goes_down(written: str) -> None:
    if offsets.check(written) is None:
        assert offsets.count(written) == len(offsets.parse(written))


def test_a_large_range_is_counted_without_being_made() -> None:
    assert offsets.count(",".join(["0-9999"] * 1_000)) == 10_000_000
