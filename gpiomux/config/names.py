"""Rules of names and marks: each stands for one thing only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault

RESERVED_NAMES = frozenset({"lo", "all", "default"})
"""The loopback interface, and two directories of /proc/sys/net/ipv4/conf that are no interfaces."""
HIGHEST_MARK = 2**32 - 1


def name_faults(links: list[Spot]) -> Iterator[Fault]:
    """Names of links and children that are reserved or taken."""
    taken: dict[str, str] = {}
    for link in links:
        for kind, spot in [("link", link), *(("child", child) for child in link.items("children"))]:
            name = spot.below("name")
            if name is None:
                continue
            if name.value in RESERVED_NAMES:
                yield name.fault(f"the name {quoted(name.value)} belongs to the system", "choose another name")
            elif name.value in taken:
                yield name.fault(
                    f"the name {quoted(name.value)} is taken by a {taken[name.value]}", "choose another name"
                )
            else:
                taken[name.value] = f"{kind} in line {name.line}"


def mark_faults(links: list[Spot]) -> Iterator[Fault]:
    """Marks that are bound twice within one link."""
    for link in links:
        bound: dict[int, int] = {}
        for child in link.items("children"):
            for mark in child.items("marks"):
                if mark.value in bound:
                    message = f"mark {mark.value} is bound already, in line {bound[mark.value]}"
                    yield mark.fault(message, "bind each mark of a link to one child")
                bound.setdefault(mark.value, mark.line)
