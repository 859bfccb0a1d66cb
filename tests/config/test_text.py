"""Tests of `gpiomux.config.text`."""

from __future__ import annotations

import pytest

from gpiomux.config.text import LIMIT_BYTES, LIMIT_SHOWN, Path, Position, decode, open_text, path_text, quoted
from gpiomux.errors import ConfigError


def refusal(content: str) -> str:
    """The one fault that `open_text` finds."""
    with pytest.raises(ConfigError) as caught:
        open_text(content, "x.yaml")
    (fault,) = caught.value.faults
    return fault.render()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("links",), "links"),
        (("links", 1, "lines", "out"), "links[1].lines.out"),
        (("links", 0, "routes", 2, "to"), "links[0].routes[2].to"),
        (("a b", "c"), "['a b'].c"),
        (("links", "a.b\n"), "links['a.b\\n']"),
        ((0, 1), "[0][1]"),
    ],
)
def test_path_text(path: Path, text: str) -> None:
    assert path_text(path) == text


def test_quoted_text_fits_on_a_line() -> None:
    assert quoted("a\nb") == r"'a\nb'"
    assert quoted("x" * 40) == repr("x" * 40)
    assert quoted("x" * 41) == repr("x" * 40 + "...")


def test_a_forbidden_character_is_named_and_shown_harmlessly() -> None:
    assert refusal("links: []\n# \x1b[31m") == (
        "x.yaml:2:3: the character U+001B is not allowed in YAML\n"
        "    # \ufffd[31m\n"
        "      ^\n"
        "    remove it; between double quotes \\x or \\u can name it"
    )


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x7f", "\x9f", "\ud800", "\ufffe", "\uffff"])
def test_forbidden_characters(character: str) -> None:
    message = refusal(f"ab{character}").split("\n", maxsplit=1)[0]
    assert message == f"x.yaml:1:3: the character U+{ord(character):04X} is not allowed in YAML"


@pytest.mark.parametrize("character", ["\t", "ü", "\x85", "\xa0", "\ue000", "\U0001f600"])
def test_allowed_characters(character: str) -> None:
    assert open_text(f"a{character}", "x.yaml").file == "x.yaml"


def test_lines_are_counted_as_libyaml_counts_them() -> None:
    text = open_text("a\nb\r\nc\rd\x85e\u2028f\u2029g", "x.yaml")
    assert text.lines == tuple("abcdefg")


def test_a_place_behind_the_end_becomes_the_end() -> None:
    fault = open_text("links: [", "x.yaml").fault(Position(7, 3), (), "open")
    assert (fault.line, fault.column, fault.source_line) == (1, 9, "links: [")


def test_a_long_line_is_cut_and_not_shown_where_the_caret_would_be_lost() -> None:
    text = open_text("x" * 500, "x.yaml")
    assert text.fault(Position(1, 9), (), "long").source_line == "x" * LIMIT_SHOWN
    assert text.fault(Position(1, LIMIT_SHOWN + 1), (), "long").source_line == ""


def test_too_large_a_text() -> None:
    assert refusal("x" * (LIMIT_BYTES + 1)) == (
        f"x.yaml:1:1: the file is too large\n    expected at most {LIMIT_BYTES} bytes"
    )


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b"\xff\xfel\x00", (1, 1), "byte 0xff is not UTF-8"),
        (b"a\nb\xc3\xbc\xe4", (2, 3), "byte 0xe4 is not UTF-8"),
        (b"a\xed\xa0\x80", (1, 2), "byte 0xed is not UTF-8"),
        (b"x" * (LIMIT_BYTES + 1), (1, 1), "the file is too large"),
    ],
)
def test_bytes_that_are_no_text(data: bytes, place: tuple[int, int], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(data, "x.yaml")
    (fault,) = caught.value.faults
    assert ((fault.line, fault.column), fault.message) == (place, message)
