"""A YAML text as a tree that knows where each of its nodes stands, for edits that leave all the rest as it is.

Only what an edit needs: no data, no tags, and an alias is a leaf. The text has been read without a fault before
(`gpiomux.config.load`), so nothing is checked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, MappingStartEvent, ScalarEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Kind(Enum):
    """What a node is."""

    SCALAR = "scalar"
    ALIAS = "alias"
    SEQUENCE = "sequence"
    MAPPING = "mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One value or key."""

    kind: Kind
    start: int
    """Index of its first character; of a list in block style the first dash."""
    end: int
    """Index behind its last character; comments and empty lines behind it do not belong to it."""
    flow: bool = False
    """A list in brackets or a mapping in braces."""
    text: str = ""
    """A scalar without its quotes; an empty one stands for a key without a value."""
    items: tuple[Node, ...] = ()
    """Of a list the items, of a mapping keys and values in turn."""

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Keys and values of a mapping."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    def value(self, key: str) -> Node | None:
        """The value of a key of a mapping; None if there is no such key, or this is no mapping."""
        pairs = self.pairs() if self.kind is Kind.MAPPING else ()
        return next((value for found, value in pairs if found.text == key), None)


def read(text: str) -> Node:
    """The root of the one document in a text.

    Args:
        text: without a byte order mark, and valid.
    """
    events = [
        event
        for event in yaml.parse(text, Loader=yaml.CSafeLoader)
        if isinstance(event, (ScalarEvent, AliasEvent, CollectionStartEvent, CollectionEndEvent))
    ]
    root, _ = _node(events, 0)
    return root


def _node(events: Sequence[yaml.Event], index: int) -> tuple[Node, int]:
    """The node whose first event is at `index`, and the index behind its last event."""
    event = events[index]
    start, end = _index(event.start_mark), _index(event.end_mark)
    if isinstance(event, AliasEvent):
        return Node(kind=Kind.ALIAS, start=start, end=end), index + 1
    if isinstance(event, ScalarEvent):
        return Node(kind=Kind.SCALAR, start=start, end=end, text=event.value), index + 1
    assert isinstance(event, CollectionStartEvent)
    items: list[Node] = []
    following = index + 1
    while not isinstance(events[following], CollectionEndEvent):
        item, following = _node(events, following)
        items.append(item)
    flow = bool(event.flow_style)
    # The end mark of a block collection is where the next token begins, behind any comment: not where it ends.
    end = _index(events[following].end_mark) if flow else items[-1].end
    kind = Kind.MAPPING if isinstance(event, MappingStartEvent) else Kind.SEQUENCE
    return Node(kind=kind, start=start, end=end, flow=flow, items=tuple(items)), following + 1


def _index(mark: Any) -> int:
    """Where a mark of libyaml is, in characters."""
    index: int = mark.index
    return index
