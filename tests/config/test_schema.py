"""Tests of `gpiomux.config.schema` and of the schema itself; its faults are in bad-configurations.txt."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from gpiomux.config import model, schema, wording
from gpiomux.config.source import read
from gpiomux.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = schema.load_schema()


def subschemas(place: Any = SCHEMA) -> Iterator[dict[str, Any]]:
    """The schema and every mapping in it."""
    if isinstance(place, dict):
        yield place
        for value in place.values():
            yield from subschemas(value)
    elif isinstance(place, list):
        for value in place:
            yield from subschemas(value)


def properties(definition: str) -> set[str]:
    """Property names of one definition."""
    return set(SCHEMA["$defs"][definition]["properties"])


def fields(kind: type) -> set[str]:
    """Field names of one dataclass of the model."""
    return {field.name for field in dataclasses.fields(kind)}


def test_it_is_a_schema_of_draft_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_every_property_has_a_description() -> None:
    link = SCHEMA["$defs"]["link"]["properties"]
    described = {**SCHEMA["properties"], **link}
    for name, definition in SCHEMA["$defs"].items():
        if "type" not in definition:  # it only says when something fits
            continue
        described |= {f"{name}.{key}": value for key, value in definition.get("properties", {}).items()}
    described |= {f"route.{key}": value for key, value in SCHEMA["$defs"]["routes"]["items"]["properties"].items()}
    assert [name for name, value in described.items() if not value.get("description", "").endswith(".")] == []


def test_every_keyword_has_its_words() -> None:
    quiet = {
        "$schema",
        "$id",
        "$ref",
        "$defs",
        "title",
        "description",
        "x-expected",
        "x-unknown",
        "items",
        "properties",
    }
    shaping = {"if", "then", "else", "const", "allOf", "required", "additionalProperties", "propertyNames", "not"}
    used = {key for each in subschemas() if {"type", "enum", "$ref", "pattern"} & set(each) for key in each}
    assert used - quiet - shaping <= set(wording.SENTENCES)
    assert set(wording.SENTENCES) <= used


def test_nothing_in_it_blurs_errors() -> None:
    assert not [each for each in subschemas() if {"anyOf", "oneOf"} & set(each)]
    assert not [each for each in subschemas() if "pattern" in each and "x-expected" not in each]
    assert not [each for each in subschemas() if "minimum" in each and "maximum" not in each]


def test_patterns_mean_the_same_in_every_language() -> None:
    patterns = [each["pattern"] for each in subschemas() if isinstance(each.get("pattern"), str)]
    for pattern in patterns:
        re.compile(pattern)
        assert pattern[0] == "^"
        assert pattern[-1] == "$"
        assert not re.search(r"\\[AZzdwsbDWSB]|\(\?", pattern)


NETDEV = {"mtu", "hwid", "mac", "netns", "up", "addresses", "routes", "xdp"}
TRANSPORT = {"mode", "protocol", "medium", "lines", "code", "delivery", "tx_ring", "rx_ring"}
MEDIA = {"wire", "faults", "access", "channels"}


def test_model_and_schema_have_the_same_words() -> None:
    assert fields(model.Config) == set(SCHEMA["properties"])
    assert fields(model.Netdev) == NETDEV
    assert fields(model.Transport) == TRANSPORT
    assert properties("link") == (fields(model.Link) - {"transport", "netdev"}) | NETDEV | TRANSPORT | MEDIA
    assert properties("child") == (fields(model.Child) - {"netdev"}) | NETDEV
    assert properties("protocol") == fields(model.ProtocolIds)
    assert properties("bundle") == fields(model.Bundle) | fields(model.PulseLines)
    assert properties("faults") == fields(model.Faults)
    assert properties("access") == fields(model.GpioMedium)
    assert properties("poll") == fields(model.Poll)
    assert properties("code") == {"name"} | fields(model.HandshakeCode) | fields(model.GpioskCode)
    assert set(SCHEMA["$defs"]["routes"]["items"]["properties"]) == fields(model.Route)
    assert properties("lines") == {"from" if name == "sources" else name for name in fields(model.Lines)} - {"into"} | {
        "in"
    }
    assert properties("channels") == fields(model.ShmMedium) - {"into"} | {"in"}
    assert {"wire" if name == "name" else name for name in properties("wire")} == fields(model.SimMedium) - {"faults"}
    assert properties("lineSource") == fields(model.LineSource) - {"name"}


def test_model_and_schema_have_the_same_choices() -> None:
    link = SCHEMA["$defs"]["link"]["properties"]
    assert link["mode"]["enum"] == [mode.value for mode in model.Mode]
    assert SCHEMA["$defs"]["poll"]["properties"]["mode"]["enum"] == [mode.value for mode in model.PollMode]
    assert SCHEMA["$defs"]["code"]["properties"]["name"]["enum"] == ["handshake", "gpiosk"]


def test_descriptions_state_the_defaults_of_the_model() -> None:
    link, code = SCHEMA["$defs"]["link"]["properties"], SCHEMA["$defs"]["code"]["properties"]
    mtus = f"Default: {model.Netdev().mtu}, with `code: gpiosk` {model.GPIOSK_MTU}."
    assert mtus in link["mtu"]["description"]
    assert f"Default: {str(model.Netdev().up).lower()}." in link["up"]["description"]
    poll = SCHEMA["$defs"]["poll"]["properties"]
    assert f"Default: {model.Poll().mode}." in poll["mode"]["description"]
    assert f"Default: {model.GpioskCode().interval_us}." in code["interval_us"]["description"]
    assert "Default: handshake." in link["code"]["description"]


def test_the_schema_of_a_checkout_is_found() -> None:
    checkout = Path(schema.__file__).parent.parent.parent
    assert schema.schema_file() == checkout / "schemas" / "gpiomux.schema.json"


def test_the_schema_of_an_installed_package_is_found_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "gpiomux" / "schemas" / "gpiomux.schema.json"
    for place in (installed, tmp_path / "schemas" / "gpiomux.schema.json"):
        place.parent.mkdir(parents=True)
        shutil.copy(schema.schema_file(), place)
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "gpiomux" / "config" / "schema.py"))
    assert schema.schema_file() == installed


def test_a_schema_that_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "gpiomux" / "config" / "schema.py"))
    with pytest.raises(UnsupportedError, match=r"the schema is missing: neither .* nor .* exists") as caught:
        schema.schema_file()
    assert caught.value.hint == "install gpiomux again"


def test_broken_places_are_what_rules_must_not_look_at() -> None:
    source = read("links: [{mtu: x, nam: 1, code: {}, medium: shm, lines: {out: 1}}]", "x")
    _, broken = schema.schema_faults(source)
    link = ("links", 0)
    assert broken == {(*link, "mtu"), (*link, "nam"), (*link, "code"), (*link, "lines")}
