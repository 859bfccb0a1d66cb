"""YAML text -> plain data, with the place of every key and value, and every fault of the text itself.

Plain data is what JSON can say: None, bool, int, float, str, list, dict with text keys. libyaml splits the text into
events; the data is built here from those events, because PyYAML's own constructors follow YAML 1.1 (see
`gpiomux.config.scalar`), let the last of two equal keys win, and expand aliases without a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from gpiomux.config.scalar import resolve
from gpiomux.config.text import TOP, Path, Position, Refusal, Text, open_text, quoted
from gpiomux.errors import ConfigError, Fault, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""What JSON can say."""

LIMIT_VALUES = 100_000
"""Values in one document, with every alias expanded."""
LIMIT_DEPTH = 24
"""Collections in each other; a configuration needs 8."""

_EXPECTED_SIZE = f"expected at most {LIMIT_VALUES} values, with every alias expanded"
_EXPECTED_DEPTH = f"expected at most {LIMIT_DEPTH} in each other"
_HINTS = (
    ("cannot start any token", "indent with spaces, not tabs; put text that begins with @, ` or % in quotes"),
    ("mapping values are not allowed", "check the indentation; put text that holds ': ' in quotes"),
    ("expected key", "check the indentation of this line and of those above"),
    ("'-' indicator", "check the indentation of this line and of those above"),
    ("expected ',' or", "separate entries by commas, and close the bracket"),
    ("expected node content", "put text that begins with ':' or ',' in quotes"),
)
_HINT = "check the quotes, brackets and indentation of this line and of those above"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document that could be read: its data, where everything is, and what is wrong with it so far."""

    text: Text
    data: Plain
    values: Mapping[Path, Position]
    keys: Mapping[Path, Position]
    faults: tuple[Fault, ...]
    broken: frozenset[Path]
    """Where the text already has a fault, so that no other is reported for the same thing."""

    def fault(self, path: Path, message: str, expected: str = "") -> Fault:
        """A fault of the value at `path`, or of what is nearest to it if the file has no such value."""
        place = path
        while place and place not in self.values:
            place = place[:-1]
        return self.text.fault(self.values.get(place, TOP), path, message, expected)

    def key_fault(self, path: Path, message: str, expected: str = "") -> Fault:
        """A fault of the key at the end of `path`."""
        return self.text.fault(self.keys.get(path, TOP), path, message, expected)


def read(content: str, file: str) -> Source:
    """The data of one YAML document and the place of everything in it.

    Doubled keys, ambiguous numbers and tags are listed in the source's `faults`: the rest can still be checked.

    Args:
        content: the text; a byte order mark is skipped.
        file: its name, for faults.

    Raises:
        ConfigError: the text is no YAML, is too large, or holds no document or several.
        UnsupportedError: PyYAML was built without libyaml.
    """
    content = content.removeprefix("\ufeff")
    text = open_text(content, file)
    events = _bounded_events(content, text)
    if not events:
        raise ConfigError((text.fault(TOP, (), "the file is empty", "expected `links:` and a list of links"),))
    return _Builder(text, events).source()


def _events(content: str) -> Iterator[yaml.Event]:
    """The events of libyaml.

    Raises:
        UnsupportedError: PyYAML was built without libyaml.
    """
    try:
        from yaml import CSafeLoader
    except ImportError as err:
        raise UnsupportedError(
            "PyYAML was built without libyaml, which gpiomux reads its configuration with",
            hint="install Debian's python3-yaml, or libyaml-dev and then `pip install --force-reinstall pyyaml`",
        ) from err
    yield from yaml.parse(content, Loader=CSafeLoader)


def _bounded_events(content: str, text: Text) -> list[yaml.Event]:
    """The events of the one document in `content`, without those of stream and document; empty if there is none."""
    events: list[yaml.Event] = []
    documents = depth = 0
    try:
        for event in _events(content):
            documents += isinstance(event, DocumentStartEvent)
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if documents > 1:
                raise _refusal(text, event, "a second document begins here", "put all links into one document")
            if depth > LIMIT_DEPTH:
                raise _refusal(text, event, "collections are nested too deep", _EXPECTED_DEPTH)
            if len(events) > 2 * LIMIT_VALUES:
                raise _refusal(text, event, "the document is too large", _EXPECTED_SIZE)
            if isinstance(event, (ScalarEvent, AliasEvent, CollectionStartEvent, CollectionEndEvent)):
                events.append(event)
    except yaml.YAMLError as err:
        raise ConfigError((_syntax_fault(err, text),)) from err
    return events


def _refusal(text: Text, event: yaml.Event, message: str, expected: str, path: Path = ()) -> ConfigError:
    return ConfigError((text.fault(_place(event), path, message, expected),))


def _place(event: yaml.Event) -> Position:
    return _mark_place(event.start_mark)


def _syntax_fault(err: yaml.YAMLError, text: Text) -> Fault:
    """libyaml's complaint with its place, in its own words: they are what one searches for."""
    said = [part for part in (getattr(err, "context", None), getattr(err, "problem", None)) if part]
    message = f"not valid YAML: {', '.join(said) or err}"
    place = _mark_place(getattr(err, "problem_mark", None))
    if any(line.strip() for line in text.lines[place.line - 1 :]):
        return text.fault(place, (), message, next((hint for words, hint in _HINTS if words in message), _HINT))
    # At the end of the text something is still open; what was begun last says more than the end does.
    begun = _mark_place(getattr(err, "context_mark", None))
    return text.fault(min(begun, place), (), message, "close the bracket or the quotes that are open")


def _mark_place(mark: Any) -> Position:
    return TOP if mark is None else Position(mark.line + 1, mark.column + 1)


class _Builder:
    """Builds the data of one document from its events; an alias reads the events of its anchor again."""

    def __init__(self, text: Text, events: list[yaml.Event]) -> None:
        self.text = text
        self.events = events
        self.anchors = _resolve_aliases(events)
        self.open: set[int] = set()
        self.values: dict[Path, Position] = {}
        self.keys: dict[Path, Position] = {}
        self.faults: list[Fault] = []
        self.broken: set[Path] = set()

    def source(self) -> Source:
        """The finished document."""
        data, _ = self.value(0, ())
        return Source(
            text=self.text,
            data=data,
            values=self.values,
            keys=self.keys,
            faults=tuple(self.faults),
            broken=frozenset(self.broken),
        )

    def refuse(self, event: yaml.Event, path: Path, message: str, expected: str) -> None:
        """Note a fault that does not keep the rest from being read."""
        self.faults.append(self.text.fault(_place(event), path, message, expected))
        self.broken.add(path)

    def value(self, index: int, path: Path) -> tuple[Plain, int]:
        """The value whose first event is at `index`, and the index behind its last."""
        event = self.events[index]
        self.values[path] = _place(event)
        if len(self.values) > LIMIT_VALUES:
            raise _refusal(self.text, event, "the document is too large", _EXPECTED_SIZE, path)
        if len(path) > LIMIT_DEPTH:
            raise _refusal(self.text, event, "collections are nested too deep", _EXPECTED_DEPTH, path)
        if isinstance(event, AliasEvent):
            return self.alias(event, index, path), index + 1
        if getattr(event, "tag", None) is not None:
            self.refuse(event, path, "tags have no meaning here", "remove the tag; quotes make a value text")
        if isinstance(event, ScalarEvent):
            return self.scalar(event, path), index + 1
        return self.mapping(index, path) if isinstance(event, MappingStartEvent) else self.sequence(index, path)

    def alias(self, event: AliasEvent, index: int, path: Path) -> Plain:
        """The value of the anchor that an alias names."""
        start = self.anchors.get(index)
        if start is None:
            self.refuse(event, path, f"there is no anchor &{event.anchor} above", "expected the name of an anchor")
            return None
        if start in self.open:
            self.refuse(event, path, f"*{event.anchor} would contain itself", "write the value out")
            return None
        return self.value(start, path)[0]

    def scalar(self, event: ScalarEvent, path: Path) -> Plain:
        """The value of a scalar; an empty one is said to stand where its key does."""
        if event.style:
            return event.value
        if not event.value and path in self.keys:
            self.values[path] = self.keys[path]
        value = resolve(event.value)
        if isinstance(value, Refusal):
            self.refuse(event, path, value.message, value.expected)
            return None
        return value

    def sequence(self, index: int, path: Path) -> tuple[list[Plain], int]:
        """The list that begins at `index`."""
        self.open.add(index)
        items: list[Plain] = []
        following = index + 1
        while not isinstance(self.events[following], SequenceEndEvent):
            item, following = self.value(following, (*path, len(items)))
            items.append(item)
        self.open.discard(index)
        return items, following + 1

    def mapping(self, index: int, path: Path) -> tuple[dict[str, Plain], int]:
        """The mapping that begins at `index`. Keys are text as written, so that 16: means the same as "16":."""
        self.open.add(index)
        items: dict[str, Plain] = {}
        following = index + 1
        while not isinstance(self.events[following], MappingEndEvent):
            event = self.events[following]
            if not isinstance(event, ScalarEvent) or not event.value or event.tag is not None:
                message = "a key must be text, neither empty nor a list or a mapping"
                self.faults.append(self.text.fault(_place(event), path, message, "expected `key: value`"))
                following = _behind(self.events, _behind(self.events, following))
            elif event.value in items:
                self.refuse_doubled(event, (*path, event.value))
                following = _behind(self.events, following + 1)
            else:
                self.keys[(*path, event.value)] = _place(event)
                items[event.value], following = self.value(following + 1, (*path, event.value))
        self.open.discard(index)
        return items, following + 1

    def refuse_doubled(self, event: ScalarEvent, path: Path) -> None:
        """Note a key that its mapping already has; the first one counts for further checks."""
        first = self.keys[path]
        message = f"key {quoted(event.value)} is given twice, first in line {first.line}"
        self.faults.append(self.text.fault(_place(event), path, message, "remove one of the two"))


def _behind(events: list[yaml.Event], index: int) -> int:
    """The index behind the value that begins at `index`."""
    depth = 0
    while True:
        event = events[index]
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        index += 1
        if depth == 0:
            return index


def _resolve_aliases(events: list[yaml.Event]) -> dict[int, int]:
    """For each alias the index of its anchor's first event: the last anchor of that name before it."""
    anchors: dict[str, int] = {}
    targets: dict[int, int] = {}
    for index, event in enumerate(events):
        name = getattr(event, "anchor", None)
        if name is not None and isinstance(event, AliasEvent):
            if name in anchors:
                targets[index] = anchors[name]
        elif name is not None:
            anchors[name] = index
    return targets
