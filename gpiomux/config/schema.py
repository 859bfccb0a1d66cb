"""Plain data against schemas/gpiomux.schema.json: every fault with its place, in the words of the file's author.

jsonschema finds what does not hold; the words are ours, because its own speak of schemas and not of links. The schema
is shaped for this: no `anyOf` or `oneOf`, whose errors say only that nothing fitted. Where a keyword such as `pattern`
does not explain itself, the annotation `x-expected` beside it says what is expected.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, NamedTuple

from gpiomux.config import wording
from gpiomux.config.text import Path, quoted
from gpiomux.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema import Draft202012Validator, ValidationError

    from gpiomux.config.source import Source
    from gpiomux.errors import Fault

FILE_NAME = "gpiomux.schema.json"
_MERGED = "write the keys out: merge keys are not read"


class Finding(NamedTuple):
    """What the schema says about one place."""

    path: Path
    message: str
    expected: str
    at_key: bool = False
    """The key at the end of `path` is wrong, whatever its value."""
    missing: str = ""
    """The key that the mapping at `path` lacks; what it has is sound."""
    suggestion: str = ""
    """The key that is probably meant by a misspelt one."""


def schema_file() -> FilePath:
    """Where the schema is: in the installed package, or beside it in a checkout.

    Raises:
        UnsupportedError: it is in neither place.
    """
    package = FilePath(__file__).resolve().parent.parent
    places = (package / "schemas" / FILE_NAME, package.parent / "schemas" / FILE_NAME)
    for place in places:
        if place.is_file():
            return place
    raise UnsupportedError(
        f"the schema is missing: neither {places[0]} nor {places[1]} exists", hint="install gpiomux again"
    )


@cache
def load_schema() -> dict[str, Any]:
    """The schema as data; not to be changed.

    Raises:
        UnsupportedError: the schema is not installed.
    """
    schema: dict[str, Any] = json.loads(schema_file().read_text(encoding="utf-8"))
    return schema


def schema_faults(source: Source) -> tuple[list[Fault], frozenset[Path]]:
    """Everything in a document that the schema refuses, and the places that further checks must leave alone.

    Raises:
        UnsupportedError: the schema is not installed.
    """
    found = [finding for error in _validator().iter_errors(source.data) for finding in _findings(error)]
    kept = _distinct(found, source.broken)
    faults = [
        (source.key_fault if finding.at_key else source.fault)(finding.path, finding.message, finding.expected)
        for finding in kept
    ]
    return faults, source.broken | {finding.path for finding in kept if not finding.missing}


def covered(path: Path, places: frozenset[Path]) -> bool:
    """Whether `path` is one of `places` or below one."""
    return any(path[:length] in places for length in range(len(path) + 1))


def _distinct(findings: list[Finding], broken: frozenset[Path]) -> list[Finding]:
    """One finding for one mistake: none at or below a key that is wrong itself, one for each value."""
    wrong_keys = frozenset(finding.path for finding in findings if finding.at_key)
    meant = {(*finding.path[:-1], finding.suggestion) for finding in findings if finding.suggestion}
    seen: set[Path] = set()
    kept = []
    for finding in findings:
        place = (*finding.path, finding.missing) if finding.missing else finding.path
        above = finding.path[:-1] if finding.at_key else finding.path
        # A misspelt key that must be there is `meant`: unknown and missing are one mistake.
        if place in seen or place in meant or covered(finding.path, broken) or covered(above, wrong_keys):
            continue
        seen.add(place)
        kept.append(finding)
    return kept


@cache
def _validator() -> Draft202012Validator:
    """jsonschema, with the words mended that it reads differently from us."""
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(_: object, wanted: str, instance: object, __: object) -> Iterator[ValidationError]:
        # `$` in Python also matches before a final line feed: "geth0\n" would be a name.
        if isinstance(instance, str) and not re.search(wanted.removesuffix("$") + r"\Z", instance):
            yield ValidationError(wanted)

    def required(_: object, wanted: list[str], instance: object, __: object) -> Iterator[ValidationError]:
        # The library names the missing key only within an English sentence.
        if isinstance(instance, dict):
            yield from (ValidationError(key) for key in wanted if key not in instance)

    # JSON Schema takes 1500.0 for an integer; the model would then hold a float.
    whole = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, instance: isinstance(instance, int) and not isinstance(instance, bool)
    )
    mended: type[Draft202012Validator] = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": pattern, "required": required}, type_checker=whole
    )
    return mended(load_schema())


def _findings(error: ValidationError) -> Iterator[Finding]:
    """One error of jsonschema in our words; one for each key where the keyword is about keys."""
    path: Path = tuple(error.absolute_path)
    value: Any = error.instance
    own = error.schema if isinstance(error.schema, dict) else {}
    match error.validator:
        case "required":
            expected = wording.wanted_key(error.message, properties_at(path)[error.message])
            yield Finding(path, f"key {quoted(error.message)} is missing", expected, missing=error.message)
        case "additionalProperties":
            yield from _unknown_keys(path, value)
        case _ if "propertyNames" in error.absolute_schema_path:
            message = f"key {quoted(value)} does not fit here"
            yield Finding((*path, value), message, f"expected {own['x-expected']}", at_key=True)
        case "not":
            yield Finding(path, f"key {quoted(str(path[-1]))} does not fit here", own["x-expected"], at_key=True)
        case keyword:
            message, expected = wording.SENTENCES[str(keyword)](value, own)
            yield Finding(path, message, expected)


def _unknown_keys(path: Path, mapping: dict[str, object]) -> Iterator[Finding]:
    """Every key that the schema does not know, with why there is none, or the nearest known one not there yet."""
    known, reasons = properties_at(path), _schema_at(path).get("x-unknown", {})
    for key in mapping:
        if key not in known:
            suggestion = wording.nearest(key, [name for name in known if name not in mapping])
            other = f"did you mean {quoted(suggestion)}?" if suggestion else wording.one_of(known)
            expected = _MERGED if key == "<<" else reasons.get(key, other)
            yield Finding((*path, key), f"key {quoted(key)} is unknown", expected, at_key=True, suggestion=suggestion)


def properties_at(path: Path) -> dict[str, Any]:
    """The properties that the schema knows at a place of the document, references followed, by name."""
    return {name: _followed(about) for name, about in _schema_at(path)["properties"].items()}


def _schema_at(path: Path) -> dict[str, Any]:
    schema = load_schema()
    for step in path:
        below = schema["items"] if isinstance(step, int) else schema["properties"][step]
        schema = _followed(below)
    return schema


def _followed(schema: dict[str, Any]) -> dict[str, Any]:
    """A subschema with what it refers to; what stands beside the reference wins."""
    if "$ref" not in schema:
        return schema
    target: dict[str, Any] = load_schema()["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**target, **schema}
