"""Tests of `gpiomux.config.wording`: sentences too long to be worth a document in bad-configurations.txt."""

from __future__ import annotations

import pytest

from gpiomux.config import wording


@pytest.mark.parametrize(
    ("keyword", "value", "schema", "said"),
    [
        ("maxItems", [0] * 300, {"maxItems": 256}, ("the list has 300 entries", "expected at most 256")),
        ("maxLength", "x" * 300, {"maxLength": 256}, ("the text has 300 characters", "expected at most 256")),
        ("type", "x", {"type": ["array", "string"]}, ("'x' is text", "expected a list or text")),
        ("type", 5, {"type": ["string", "null"]}, ("5 is a whole number", 'expected text; put it in quotes: "5"')),
        ("type", False, {"type": "string"}, ("false is a truth value", 'expected text; put it in quotes: "false"')),
    ],
)
def test_sentence(keyword: str, value: object, schema: dict[str, object], said: tuple[str, str]) -> None:
    assert wording.SENTENCES[keyword](value, schema) == said


@pytest.mark.parametrize(
    ("word", "meant"),
    [("adresses", "addresses"), ("MTU", "mtu"), ("addr", "addresses"), ("xyz", ""), ("", ""), ("x" * 10**6, "")],
)
def test_nearest(word: str, meant: str) -> None:
    assert wording.nearest(word, ["addresses", "mtu", "children", "name"]) == meant


def test_a_choice_of_one_is_no_choice() -> None:
    assert wording.one_of(["a"]) == "expected a"
    assert wording.one_of(["a", 2]) == "expected one of a, 2"
