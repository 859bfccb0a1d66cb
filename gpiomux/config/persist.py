"""Changes of running links written into the text of a configuration. Pure: text in, text out.

The text is changed where it has to be and nowhere else, so that comments, order, quotes and layout stay as their
writer wants them: what is added looks like its neighbours, and of what is removed the lines that are comments stay.
A round trip through a YAML library cannot promise that (ruamel.yaml 0.19 drops comments inside lists in brackets and
those of removed items, and indents every list its own way). In the end the new text is read like any other, and has to
mean what the edit means; where it does not, because of an alias for example, nothing is written.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpiomux.config import load, nodes
from gpiomux.config.nodes import Kind, Node
from gpiomux.config.overlay import Edit, edited
from gpiomux.config.scalar import resolve
from gpiomux.errors import ConfigError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BYTE_ORDER_MARK = "\ufeff"


def edited_text(text: str, file: str, verb: str, args: Mapping[str, Any]) -> str:
    """The text of a configuration after one edit.

    Args:
        text: the configuration.
        file: its absolute path.
        verb: one of `gpiomux.control.messages.EDIT_VERBS`.
        args: as the verb has them on the control socket.

    Raises:
        ConfigError: the text is no configuration.
        UsageError: the edit makes no sense there, as `gpiomux.config.edit` has it.
        UnsupportedError: the text is written in a way in which it cannot be changed.
    """
    config = load.load_text(text, file, file)
    wanted = edited(config, verb, args)
    if wanted == config:
        return text
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    body = text.removeprefix(BYTE_ORDER_MARK)
    try:
        new = mark + _EDITS[verb](body, nodes.read(body), args)
        if load.load_text(new, file, file) == wanted:
            return new
    except (_ElsewhereError, ConfigError):
        pass  # one way or the other, the text is not as plain as an edit needs it
    raise UnsupportedError(
        f"{file}: cannot be changed in place, because of an alias or an unusual layout",
        hint=f"write it there by hand: {Edit(verb, args)}",
    )


class _ElsewhereError(Exception):
    """What is to be changed does not stand where it is looked for: an alias stands there."""


def _add_child(text: str, root: Node, args: Mapping[str, Any]) -> str:
    _, links = _entry(root, "links")
    link = _named(links, args["link"])
    entry = f"name: {_plain_or_quoted(args['child'])}"
    if link.value("children") is not None:
        return _with_item(text, _entry(link, "children")[1], f"{{{entry}}}", block=entry)
    indent = _column(text, links.start) - _column(text, root.start)
    return _with_key(text, link, "children", f"[{{{entry}}}]", below="" if links.flow else f"{' ' * indent}- {entry}")


def _del_child(text: str, root: Node, args: Mapping[str, Any]) -> str:
    link = _link_of(root, args["child"])
    return _without_item(text, *_entry(link, "children"), _named(_entry(link, "children")[1], args["child"]))


def _add_mark(text: str, root: Node, args: Mapping[str, Any]) -> str:
    child = _named(_entry(_link_of(root, args["child"]), "children")[1], args["child"])
    mark = str(args["mark"])
    if child.value("marks") is None:
        return _with_key(text, child, "marks", f"[{mark}]")
    return _with_item(text, _entry(child, "marks")[1], mark, block=mark)


def _del_mark(text: str, root: Node, args: Mapping[str, Any]) -> str:
    child = _named(_entry(_link_of(root, args["child"]), "children")[1], args["child"])
    key, marks = _entry(child, "marks")
    for item in marks.items:
        if item.kind is Kind.SCALAR and resolve(item.text) == args["mark"]:
            return _without_item(text, key, marks, item)
    raise _ElsewhereError


def _set_pmtu(text: str, root: Node, args: Mapping[str, Any]) -> str:
    link = _named(_entry(root, "links")[1], args["link"])
    mark, limit = str(args["mark"]), str(args["bytes"])
    if link.value("pmtu") is None:
        return _with_key(text, link, "pmtu", f"{{{mark}: {limit}}}")
    _, pmtu = _entry(link, "pmtu", Kind.MAPPING)
    for key, value in pmtu.pairs():
        if resolve(key.text) == args["mark"]:
            return text[: value.start] + limit + text[value.end :]
    return _with_key(text, pmtu, mark, limit)


def _del_pmtu(text: str, root: Node, args: Mapping[str, Any]) -> str:
    key, pmtu = _entry(_named(_entry(root, "links")[1], args["link"]), "pmtu", Kind.MAPPING)
    pairs = tuple(Node(kind=Kind.SCALAR, start=it.start, end=value.end) for it, value in pmtu.pairs())
    marks = [resolve(it.text) for it, _ in pmtu.pairs()]
    position = marks.index(args["mark"])
    if pmtu.flow:
        return _cut(text, *_flow_range(text, replace(pmtu, items=pairs), position))
    begin, end = pairs[position].start - _column(text, pmtu.start), pairs[position].end
    return _without_lines(text, begin, end) if len(pairs) > 1 else _behind_key(text, key, begin, end, "{}")


def _set_poll(text: str, root: Node, args: Mapping[str, Any]) -> str:
    link = _named(_entry(root, "links")[1], args["link"])
    stated = {key: args[key] for key in ("mode", "idle_us", "budget") if args[key]}
    value = f"{{{', '.join(f'{key}: {it}' for key, it in stated.items())}}}" if len(stated) > 1 else args["mode"]
    return _with_value(text, link, "poll", value)


def _attach_xdp(text: str, root: Node, args: Mapping[str, Any]) -> str:
    netdev = _netdev(root, args["interface"])
    program = _path_or_quoted(args["program"])
    stated = {"program": program, **{key: args[key] for key in ("name", "mode") if args[key]}}
    value = f"{{{', '.join(f'{key}: {it}' for key, it in stated.items())}}}" if len(stated) > 1 else program
    return _with_value(text, netdev, "xdp", value)


def _detach_xdp(text: str, root: Node, args: Mapping[str, Any]) -> str:
    netdev = _netdev(root, args["interface"])
    pairs = tuple(Node(kind=Kind.SCALAR, start=it.start, end=value.end) for it, value in netdev.pairs())
    position = [it.text for it, _ in netdev.pairs()].index("xdp")
    if netdev.flow:
        return _cut(text, *_flow_range(text, replace(netdev, items=pairs), position))
    if not position:  # the dash of the item stands in the same line
        raise _ElsewhereError
    return _without_lines(text, pairs[position].start - _column(text, netdev.start), pairs[position].end)


_EDITS: dict[str, Callable[[str, Node, Mapping[str, Any]], str]] = {
    "add-child": _add_child,
    "del-child": _del_child,
    "add-mark": _add_mark,
    "del-mark": _del_mark,
    "set-pmtu": _set_pmtu,
    "del-pmtu": _del_pmtu,
    "set-poll": _set_poll,
    "xdp attach": _attach_xdp,
    "xdp detach": _detach_xdp,
}


# ---- finding


def _entry(mapping: Node, key: str, kind: Kind = Kind.SEQUENCE) -> tuple[Node, Node]:
    """A key of a mapping, and the list, or the mapping, that is its value."""
    for found, value in mapping.pairs():
        if found.text == key and value.kind is kind:
            return found, value
    raise _ElsewhereError


def _named(listed: Node, name: str) -> Node:
    """The mapping with a name in a list of them."""
    for item in listed.items:
        found = item.value("name")
        if found is not None and found.text == name:
            return item
    raise _ElsewhereError


def _link_of(root: Node, child: str) -> Node:
    """The link that a child belongs to."""
    for link in _entry(root, "links")[1].items:
        children = link.value("children")
        for item in children.items if children is not None else ():
            found = item.value("name")
            if found is not None and found.text == child:
                return link
    raise _ElsewhereError


def _netdev(root: Node, name: str) -> Node:
    """The link or child of a name."""
    links = _entry(root, "links")[1]
    try:
        return _named(links, name)
    except _ElsewhereError:
        return _named(_entry(_link_of(root, name), "children")[1], name)


# ---- adding


def _with_item(text: str, listed: Node, item: str, *, block: str) -> str:
    """The text with one more item at the end of a list.

    Args:
        text: the text.
        listed: the list.
        item: the item where it stands in brackets, or beside items in braces.
        block: the item behind a dash.
    """
    if listed.flow:
        if listed.items:
            return _inserted(text, listed.items[-1].end, f", {item}")
        behind = text[listed.start + 1]
        return _inserted(text, listed.start + 1, item if behind in "]\r\n" else f"{item} ")
    first, last = listed.items[0], listed.items[-1]
    column = _column(text, listed.start)
    gap = first.start - listed.start - 1 if _same_line(text, listed.start, first.start) else 1
    return _new_line(text, last.end, f"{' ' * column}-{' ' * gap}{item if last.flow else block}")


def _with_key(text: str, mapping: Node, key: str, value: str, *, below: str = "") -> str:
    """The text with one more key in a mapping.

    Args:
        text: the text.
        mapping: where the key is to stand.
        key: the key.
        value: its value where it stands behind the key.
        below: the value as a line of its own, indented as far as it is from its key; empty: behind the key.
    """
    if mapping.flow and not mapping.items:
        return _inserted(text, mapping.start + 1, f"{key}: {value}")
    if mapping.flow:
        return _inserted(text, mapping.items[-1].end, f", {key}: {value}")
    margin = " " * _column(text, mapping.start)
    rest = f"{_line_end(text)}{margin}{below}" if below else f" {value}"
    return _new_line(text, mapping.end, f"{margin}{key}:{rest}")


def _with_value(text: str, mapping: Node, key: str, value: str) -> str:
    """The text with another value of a key, or with the key if it is not there."""
    for name, found in mapping.pairs():
        if name.text == key and found.kind is Kind.MAPPING and not found.flow:
            return _behind_key(text, name, found.start - _column(text, found.start), found.end, value)
        if name.text == key:
            if found.kind is Kind.ALIAS or not _same_line(text, found.start, found.end):
                raise _ElsewhereError  # comments may stand in it
            return text[: found.start] + value + text[found.end :]
    return _with_key(text, mapping, key, value)


def _path_or_quoted(path: str) -> str:
    """A path, in quotes where YAML could take it for something else; JSON's quotes are YAML's as well."""
    return path if re.fullmatch("[A-Za-z/][A-Za-z0-9/._-]*", path) else json.dumps(path)


def _plain_or_quoted(name: str) -> str:
    """A name that reads as text: `10` and `true` need quotes."""
    return name if resolve(name) == name else f'"{name}"'


# ---- removing


def _without_item(text: str, key: Node, listed: Node, item: Node) -> str:
    """The text without one item of a list, the value of `key`; the list stays, if need be as `[]`."""
    position = listed.items.index(item)
    if listed.flow:
        return _cut(text, *_flow_range(text, listed, position))
    # The dash of the first item is where the list begins; that of another is the next one in its column.
    column = _column(text, listed.start)
    dash = _dash(text, listed.items[position - 1].end, column) if position else listed.start
    begin = dash - column
    if len(listed.items) > 1:
        return _without_lines(text, begin, item.end)
    return _behind_key(text, key, begin, item.end, "[]")


def _without_lines(text: str, begin: int, end: int) -> str:
    """The text without the lines that two indices stand in and those between, the first at its begin; comments stay."""
    following = _next_line(text, end)
    lines = text[begin:following].splitlines(keepends=True)
    return text[:begin] + "".join(line for line in lines if _is_comment(line)) + text[following:]


def _behind_key(text: str, key: Node, begin: int, end: int, value: str) -> str:
    """The text with a value behind its key instead of on the lines below."""
    behind_colon = text.index(":", key.end) + 1
    return text[:behind_colon] + f" {value}" + _without_lines(text, begin, end)[behind_colon:]


def _flow_range(text: str, listed: Node, position: int) -> tuple[int, int]:
    """Where an item of a list in brackets stands, with a comma that only it needs."""
    item = listed.items[position]
    if position + 1 < len(listed.items):
        return item.start, listed.items[position + 1].start
    if position and _same_line(text, listed.items[position - 1].end, item.start):
        return listed.items[position - 1].end, item.end
    # With its own comma: that of the item before stays, and the comment behind that.
    comma = item.end + len(text[item.end :]) - len(text[item.end :].lstrip(" "))
    return item.start, comma + 1 if text[comma] == "," else item.end


def _cut(text: str, start: int, end: int) -> str:
    """The text without a range, but with the lines in it that are comments."""
    lines = text[start:end].splitlines(keepends=True)
    kept = "".join(line for line in lines[1:] if _is_comment(line))
    if not kept:
        return text[:start] + text[end:]
    before = text[:start].rstrip(" ")
    return before + ("" if before.endswith("\n") else _line_end(text)) + kept + lines[-1] + text[end:]


def _dash(text: str, index: int, column: int) -> int:
    """Index of the first dash in a column, with nothing before it in its line, below the line of an index."""
    while (index := _next_line(text, index)) < len(text):
        if text[index : index + column + 1] == " " * column + "-":
            return index + column
    raise _ElsewhereError


# ---- lines and columns


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _inserted(text: str, index: int, piece: str) -> str:
    return text[:index] + piece + text[index:]


def _new_line(text: str, index: int, line: str) -> str:
    """The text with a line more, below the one that `index` stands in."""
    position, line_end = _next_line(text, index), _line_end(text)
    before = text[:position]
    if before and not before.endswith("\n"):
        return before + line_end + line
    return before + line + line_end + text[position:]


def _next_line(text: str, index: int) -> int:
    """Index behind the end of the line that `index` stands in."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _column(text: str, index: int) -> int:
    return index - text.rfind("\n", 0, index) - 1


def _same_line(text: str, one: int, other: int) -> bool:
    return "\n" not in text[one:other]


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
