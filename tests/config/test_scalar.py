"""Tests of `gpiomux.config.scalar`: the examples of YAML 1.2, chapter 10.3.2, and the traps of YAML 1.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config.scalar import LONGEST_NUMBER, Scalar, resolve
from gpiomux.config.text import Refusal

VALUES: list[tuple[str, Scalar]] = [
    *((text, None) for text in ("", "~", "null", "Null", "NULL")),
    *((text, True) for text in ("true", "True", "TRUE")),
    *((text, False) for text in ("false", "False", "FALSE")),
    *(("0", 0), ("-19", -19), ("+3", 3), ("0o7", 7), ("0x3A", 58), ("0x12", 18), ("0X12", "0X12"), ("-0x1", "-0x1")),
    *(("0.", 0.0), ("-0.0", -0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0), ("00.5", 0.5)),
    *((text, text) for text in ("yes", "no", "on", "off", "Yes", "NO", "y", "n")),
    *((text, text) for text in ("12:34:56", "12:34:56:12:34:56", "02:00:00:00:00:01", "190:20:30")),
    *(
        (text, text)
        for text in ("1_000", "0b1010", "10.0.0.1", "10.0.0.1/24", "0-7", "2001-12-14", "1,2", "=", "<<", "-")
    ),
    *((text, text) for text in ("nULL", "tRUE", "inf", "nan", "Infinity", "1e", "e1", "0x", "0o8", ".", "٣")),
]

TRAPS = [
    *("0660", "00", "-07", "08", "+01"),
    *(".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e999"),
    *("1" * (LONGEST_NUMBER + 1), "0x" + "f" * LONGEST_NUMBER, "0." + "0" * LONGEST_NUMBER),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value(text: str, value: Scalar) -> None:
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize("text", TRAPS)
def test_trap(text: str) -> None:
    refusal = resolve(text)
    assert isinstance(refusal, Refusal)
    assert refusal.message
    assert refusal.expected


@given(st.integers(-(10**30), 10**30))
def test_every_number_is_read_as_it_is_written(number: int) -> None:
    assert resolve(str(number)) == number


@given(st.text(alphabet="0123456789.eExXoOabf+-_:~ ", max_size=60))
def test_no_text_raises(text: str) -> None:
    resolve(text)
