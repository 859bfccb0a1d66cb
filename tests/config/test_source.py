"""Tests of `gpiomux.config.source`; its refusals are in bad-configurations.txt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config.source import LIMIT_DEPTH, LIMIT_VALUES, Plain, read
from gpiomux.errors import ConfigError, UnsupportedError

if TYPE_CHECKING:
    from gpiomux.config.text import Path


def refusal(content: str) -> str:
    """The message of the one fault for which `read` gives up."""
    with pytest.raises(ConfigError) as caught:
        read(content, "x.yaml")
    (fault,) = caught.value.faults
    return fault.message


DOCUMENT = """\
# é
links:
  - name: "a"\t
    marks: [1,  0x2, -3]
  - &other {name: 'ü', up: }
  - *other
  - >
    folded
    text
"""


def test_the_place_of_every_value_and_key() -> None:
    source = read(DOCUMENT, "x.yaml")
    assert source.data == {
        "links": [
            {"name": "a", "marks": [1, 2, -3]},
            {"name": "ü", "up": None},
            {"name": "ü", "up": None},
            "folded text\n",
        ]
    }
    values: dict[Path, tuple[int, int]] = {
        (): (2, 1),
        ("links",): (3, 3),
        ("links", 0): (3, 5),
        ("links", 0, "name"): (3, 11),
        ("links", 0, "marks"): (4, 12),
        ("links", 0, "marks", 0): (4, 13),
        ("links", 0, "marks", 1): (4, 17),
        ("links", 0, "marks", 2): (4, 22),
        ("links", 1): (5, 5),
        ("links", 1, "name"): (5, 19),
        ("links", 1, "up"): (5, 24),
        ("links", 2): (5, 5),
        ("links", 2, "name"): (5, 19),
        ("links", 2, "up"): (5, 24),
        ("links", 3): (7, 5),
    }
    assert source.values == values
    assert source.keys == {
        ("links",): (2, 1),
        ("links", 0, "name"): (3, 5),
        ("links", 0, "marks"): (4, 5),
        ("links", 1, "name"): (5, 13),
        ("links", 1, "up"): (5, 24),
        ("links", 2, "name"): (5, 13),
        ("links", 2, "up"): (5, 24),
    }


def test_keys_are_text_as_written() -> None:
    assert read("{16: 1, 0x10: 2, true: 3, null: 4, 1.0: 5}", "x").data == {
        "16": 1,
        "0x10": 2,
        "true": 3,
        "null": 4,
        "1.0": 5,
    }


def test_quotes_make_text() -> None:
    assert read("""["1", 'true', "", '~', "0660"]""", "x").data == ["1", "true", "", "~", "0660"]


def test_an_alias_is_the_last_anchor_of_its_name_before_it() -> None:
    assert read("[&a 1, &b [&a 2, *a], &a 3, *b, *a]", "x").data == [1, [2, 2], 3, [2, 2], 3]


def test_a_byte_order_mark_is_skipped() -> None:
    source = read("\ufefflinks: 1", "x")
    assert source.data == {"links": 1}
    assert source.values["links",] == (1, 8)


def test_the_rest_is_read_after_a_fault() -> None:
    source = read("{a: 0660, b: 1, a: 2, c: !!str 3, d: *x, [e]: 4, f: 5}", "x")
    assert source.data == {"a": None, "b": 1, "c": 3, "d": None, "f": 5}
    assert [fault.column for fault in source.faults] == [5, 17, 26, 38, 42]
    assert source.broken == {("a",), ("c",), ("d",)}


def test_a_fault_of_what_is_not_there_is_at_what_holds_it() -> None:
    source = read("links:\n  - name: a\n", "x")
    fault = source.fault(("links", 0, "lines", "out"), "missing")
    assert (fault.line, fault.column, fault.path) == (2, 5, "links[0].lines.out")


def test_a_billion_laughs() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert refusal("\n".join(lines)) == "the document is too large"


def test_aliases_cannot_nest_deeper_than_collections() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 40))]
    assert refusal("\n".join(lines)) == "collections are nested too deep"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_depth_is_bounded(opening: str) -> None:
    assert refusal(opening * 100_000) == "collections are nested too deep"
    assert LIMIT_DEPTH < 100


def test_the_number_of_values_is_bounded() -> None:
    assert refusal(f"[{'1,' * (LIMIT_VALUES + 1)}]") == "the document is too large"
    assert refusal(f"[{'1,' * (2 * LIMIT_VALUES + 1)}]") == "the document is too large"


def test_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader")
    with pytest.raises(UnsupportedError) as caught:
        read("links: []", "x")
    assert str(caught.value) == "PyYAML was built without libyaml, which gpiomux reads its configuration with"
    assert "pip install --force-reinstall pyyaml" in caught.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé: #-[]"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("aé: #", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_as_it_is(data: Plain) -> None:
    source = read(json.dumps(data, ensure_ascii=False), "x.json")
    assert source.faults == () or "characters" in source.faults[0].message
    assert source.faults or source.data == data
