"""The plan of a change that concerns marks alone, which needs no look at the whole machine. Pure.

Its price is that of the one mark, however many children and interfaces there are beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gpiomux.plan.diff import Plan
from gpiomux.plan.operations import Create, Remove
from gpiomux.plan.state import Mark

if TYPE_CHECKING:
    from gpiomux.config.model import Child, Config
    from gpiomux.plan.observed import Observed


_NONE: frozenset[Mark] = frozenset()


def changed_marks(applied: Config, wanted: Config) -> tuple[frozenset[Mark], frozenset[Mark]]:
    """The marks that come and those that go; none if the configurations are equal, or differ in anything else."""
    before, after = _NONE, _NONE
    if len(applied.links) != len(wanted.links):
        return _NONE, _NONE
    for old, new in zip(applied.links, wanted.links, strict=True):
        if replace(old, children=new.children) != new or len(old.children) != len(new.children):
            return _NONE, _NONE
        for was, is_now in zip(old.children, new.children, strict=True):
            if was is is_now:  # an edit leaves all other children as they are, and there may be many
                continue
            if replace(was, marks=is_now.marks) != is_now:
                return _NONE, _NONE
            before |= _marks(new.name, was)
            after |= _marks(new.name, is_now)
    return after - before, before - after


def plan_of_marks(new: frozenset[Mark], gone: frozenset[Mark], observed: Observed) -> Plan | None:
    """The steps that bind and unbind marks.

    Args:
        new: the marks that come.
        gone: those that go.
        observed: a look at the datapaths that hold them.

    Returns:
        None if what the marks stand on is not there, serves no more, or does not hold the marks that are thought to be
        there: then the whole machine has to be looked at.
    """
    changed = new | gone
    footing = {key for it in changed for key in it.requires}
    footing |= {("datapath", it.link) for it in changed}
    concerned = footing | {it.key for it in changed}
    found = [it for it in observed.state if it.key in concerned]
    kept = tuple(it for it in found if it.key in footing)
    if len(kept) != len(footing) or not footing.isdisjoint(observed.broken) or gone != {*found}.difference(kept):
        return None
    removes, creates = (sorted(marks, key=lambda it: (it.link, it.mark)) for marks in (gone, new))
    return Plan(operations=(*map(Remove, reversed(removes)), *map(Create, creates)), kept=kept)


def _marks(link: str, child: Child) -> frozenset[Mark]:
    return frozenset(Mark(link=link, child=child.name, mark=mark) for mark in child.marks)
