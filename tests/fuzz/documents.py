"""Documents that look like configurations: made from the schema, with rubbish in some places, for hypothesis.

The package hypothesis-jsonschema would do it, but 0.23, its last release, works with no recent hypothesis and knows
neither draft 2020-12 nor a pattern that excludes surrogates. Our schema needs a dozen keywords only.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from gpiomux.config.plain import config_to_plain
from tests.config.strategies import configs

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "gpiomux.schema.json").read_text())

RUBBISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
_RARELY = 40
"""One value of so many is rubbish."""


@st.composite
def _value(draw: st.DrawFn, path: str) -> Any:
    """A value that the schema at a JSON pointer allows, or rubbish."""
    if draw(st.integers(1, _RARELY)) == 1:
        return draw(RUBBISH)
    return draw(_right(path))


@cache
def _right(path: str) -> st.SearchStrategy[Any]:
    schema = _at(path)
    if "$ref" in schema:
        return _value(schema["$ref"])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return st.one_of(*(_value(f"{path}/{word}/{number}") for number in range(len(schema[word]))))
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return st.one_of(*(_of_kind(kind, path, schema) for kind in kinds))


def _of_kind(kind: str, path: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case "object":
            return _object(path, schema)
        case "array":
            longest = min(schema.get("maxItems", 4), 4)
            return st.lists(_value(f"{path}/items"), min_size=min(schema.get("minItems", 0), longest), max_size=longest)
        case "string":
            if "pattern" not in schema:
                return st.text(max_size=20)
            # A surrogate is no text to Python either, and has no place in an alphabet.
            return st.from_regex(re.compile(schema["pattern"].replace(r"\ud800-\udfff", "")), fullmatch=True)
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"))
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case _:
            return RUBBISH


def _object(path: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    names = list(schema.get("properties", {}))
    values = {name: _value(f"{path}/properties/{name}") for name in names}
    required = set(schema.get("required", ()))
    if not names:
        return st.dictionaries(st.integers(0, 40).map(str), RUBBISH, max_size=3)
    return st.fixed_dictionaries(
        {name: value for name, value in values.items() if name in required},
        optional={name: value for name, value in values.items() if name not in required},
    )


def _at(path: str) -> dict[str, Any]:
    found: Any = SCHEMA
    for part in path.split("/")[1:]:
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found if isinstance(found, dict) else {}


@st.composite
def _spoilt(draw: st.DrawFn) -> Any:
    """A right configuration in which one value is another, or is missing."""
    document = json.loads(json.dumps(config_to_plain(draw(configs()))))
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return document
        key = draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or draw(st.integers(0, 5)) == 0:
            break
        place = place[key]
    if draw(st.booleans()):
        del place[key]
    else:
        place[key] = draw(RUBBISH)
    return document


DOCUMENTS: st.SearchStrategy[Any] = _value("#") | _spoilt() | configs().map(config_to_plain)
