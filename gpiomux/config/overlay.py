"""What was changed at run time, as the edits between the applied configuration and the running one. Pure.

Nobody keeps a list of edits: it is derived, so that an edit and its reverse leave nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpiomux.config import edit
from gpiomux.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.config.model import Child, Config


@dataclass(frozen=True, slots=True)
class Edit:
    """One change at run time, as a request has it."""

    verb: str
    """`add-child`, `del-child`, `add-mark` or `del-mark`."""
    args: Mapping[str, Any]

    def __str__(self) -> str:
        """As it is typed, for example `add-mark child1 7`."""
        return " ".join((self.verb, *map(str, self.args.values())))


def edited(config: Config, verb: str, args: Mapping[str, Any]) -> Config:
    """The configuration after one edit.

    Raises:
        UsageError: the link, child or mark is not there, or is there already.
    """
    match verb:
        case "add-child":
            return edit.add_child(config, args["link"], args["child"])
        case "del-child":
            return edit.del_child(config, args["child"])
        case "add-mark":
            return edit.add_mark(config, args["child"], args["mark"])
        case "del-mark":
            return edit.del_mark(config, args["child"], args["mark"])
        case _:
            raise UsageError(f"{verb} is no change of children or marks")


def overlay(base: Config, running: Config) -> tuple[Edit, ...]:
    """The edits that lead from one configuration to another with the same links, in an order that works."""
    old, new = _children(base), _children(running)
    kept = {name for name in old if name in new and _same(old[name], new[name])}
    gone = [Edit("del-child", {"child": name}) for name in old if name not in kept]
    added = [Edit("add-child", {"link": new[name][0], "child": name}) for name in new if name not in kept]
    unmarked, marked = [], []
    for name, (_, child) in new.items():
        had = set(old[name][1].marks) if name in kept else set()
        unmarked += [Edit("del-mark", {"child": name, "mark": mark}) for mark in sorted(had - set(child.marks))]
        marked += [Edit("add-mark", {"child": name, "mark": mark}) for mark in sorted(set(child.marks) - had)]
    return (*gone, *unmarked, *added, *marked)


def lost(base: Config, running: Config, wanted: Config) -> tuple[Edit, ...]:
    """The edits of the overlay that do not hold in a third configuration."""
    if base == running:
        return ()
    old, new, then = _children(base), _children(running), _children(wanted)

    def holds(it: Edit) -> bool:
        name = it.args["child"]
        link, child = then.get(name, ("", None))
        # One that was made anew is another one; a file that has it as it was would bring the old one back.
        as_it_was = name in old and name in then and _same(old[name], then[name])
        match it.verb:
            case "add-child":
                return link == str(it.args["link"]) and not as_it_was
            case "del-child":
                return child is None or (name in new and not as_it_was)
            case "add-mark":
                return child is not None and it.args["mark"] in child.marks
            case _:
                return child is None or it.args["mark"] not in child.marks

    return tuple(it for it in overlay(base, running) if not holds(it))


def _children(config: Config) -> dict[str, tuple[str, Child]]:
    """All children with their links, by name."""
    return {child.name: (link.name, child) for link in config.links for child in link.children}


def _same(one: tuple[str, Child], other: tuple[str, Child]) -> bool:
    """Whether two children are the same but for their marks."""
    return one[0] == other[0] and one[1].netdev == other[1].netdev
