"""How a fault says what a value is and what it should be. Each function answers (message, expected)."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from gpiomux.config.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_BOOLEANS_OF_YAML_1_1 = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def one_of(words: Iterable[object]) -> str:
    """`expected one of a, b, c`, or `expected a` where there is no choice."""
    names = [str(word) for word in words]
    return f"expected {'one of ' if len(names) > 1 else ''}{', '.join(names)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` is probably a misspelling of, or nothing."""
    return next(iter(get_close_matches(word.lower(), list(known), n=1)), "")


def wanted_key(key: str, schema: dict[str, Any]) -> str:
    """What to write for a key that is missing: its choices, or the first sentence of its description."""
    if "enum" in schema:
        return f"expected `{key}`: {', '.join(schema['enum'])}"
    sentence, _, _ = schema["description"].partition(". ")
    return f"expected `{key}`: {sentence[0].lower()}{sentence[1:].removesuffix('.')}"


def shown(value: object) -> str:
    """A scalar as it reads in the file."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _said(value: object) -> str:
    """What a value of the wrong kind is."""
    match value:
        case None:
            return "there is no value"
        case dict():
            return "this is a mapping"
        case list():
            return "this is a list"
        case bool():
            return f"{shown(value)} is a truth value"
        case int():
            return f"{value} is a whole number"
        case float():
            return f"{value} is a number with a fraction"
        case _:
            return f"{shown(value)} is text"


def _wrong_type(value: object, schema: dict[str, Any]) -> tuple[str, str]:
    """A value of a kind that is not wanted."""
    wanted = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    expected = f"expected {' or '.join(_KINDS[kind] for kind in wanted if kind != 'null')}"
    if "string" in wanted and isinstance(value, (bool, int, float)):
        expected += f'; put it in quotes: "{shown(value)}"'
    if wanted == ["array"] and isinstance(value, (str, int, float)):
        expected += f"; put it in brackets: [{shown(value)}]"
    if wanted == ["boolean"] and isinstance(value, str) and value.lower() in _BOOLEANS_OF_YAML_1_1:
        expected += f"; did you mean {_BOOLEANS_OF_YAML_1_1[value.lower()]}?"
    if wanted == ["integer"] and isinstance(value, str) and value.isascii() and value.isdigit():
        expected += "; remove the quotes"
    return _said(value), expected


def _wrong_choice(value: object, schema: dict[str, Any]) -> tuple[str, str]:
    """A value that is none of the known words."""
    expected = one_of(schema["enum"])
    if not isinstance(value, str):
        return _said(value), expected
    suggestion = nearest(value, schema["enum"]) if len(schema["enum"]) > 1 else ""
    return f"{shown(value)} is unknown", f"{expected}; did you mean {quoted(suggestion)}?" if suggestion else expected


def _wrong_form(value: str, schema: dict[str, Any]) -> tuple[str, str]:
    """A text that does not follow its pattern."""
    return f"{shown(value)} is not allowed here", f"expected {schema['x-expected']}"


def _too_small(value: float, schema: dict[str, Any]) -> tuple[str, str]:
    return f"{value} is too small", f"expected {schema['minimum']}..{schema['maximum']}"


def _too_large(value: float, schema: dict[str, Any]) -> tuple[str, str]:
    return f"{value} is too large", f"expected {schema['minimum']}..{schema['maximum']}"


def _too_few(_: list[object], schema: dict[str, Any]) -> tuple[str, str]:
    return "the list is empty", f"expected at least {schema['minItems']} entry"


def _too_many(value: list[object], schema: dict[str, Any]) -> tuple[str, str]:
    return f"the list has {len(value)} entries", f"expected at most {schema['maxItems']}"


def _too_full(value: dict[str, object], schema: dict[str, Any]) -> tuple[str, str]:
    return f"the mapping has {len(value)} entries", f"expected at most {schema['maxProperties']}"


def _too_long(value: str, schema: dict[str, Any]) -> tuple[str, str]:
    return f"the text has {len(value)} characters", f"expected at most {schema['maxLength']}"


SENTENCES: dict[str, Callable[[Any, dict[str, Any]], tuple[str, str]]] = {
    "type": _wrong_type,
    "enum": _wrong_choice,
    "pattern": _wrong_form,
    "minimum": _too_small,
    "maximum": _too_large,
    "minItems": _too_few,
    "maxItems": _too_many,
    "maxLength": _too_long,
    "maxProperties": _too_full,
}
"""For each keyword of JSON Schema that the schema uses on values: (value, schema) -> (message, expected)."""
