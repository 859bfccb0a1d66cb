"""The plan of a change that concerns marks alone, which needs no look at the whole machine. Pure.

Its price is that of the one mark, however many children and interfaces there are beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from gpiomux.plan.diff import Plan
from gpiomux.plan.operations import Create, Remove
from gpiomux.plan.state import Mark, Resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpiomux.plan.observed import Observed


def changed_marks(applied: Sequence[Resource], wanted: Sequence[Resource]) -> frozenset[Mark]:
    """The marks by which two states differ; none if they do not, or differ in anything else."""
    changed = frozenset(applied) ^ frozenset(wanted)
    return changed if _are_marks(changed) else frozenset()


def plan_of_marks(changed: frozenset[Mark], wanted: Sequence[Resource], observed: Observed) -> Plan | None:
    """The steps that bind and unbind marks.

    Args:
        changed: the marks that come and those that go.
        wanted: all that shall be.
        observed: a look at the datapaths that hold the marks.

    Returns:
        None if what the marks stand on is not there, serves no more, or does not hold the marks that are thought to be
        there: then the whole machine has to be looked at.
    """
    new = [it for it in wanted if it in changed]
    gone = changed.difference(new)
    footing = {key for it in changed for key in it.requires}
    footing |= {("datapath", it.link) for it in changed}
    concerned = footing | {it.key for it in changed}
    found = [it for it in observed.state if it.key in concerned]
    kept = tuple(it for it in found if it.key in footing)
    if len(kept) != len(footing) or not footing.isdisjoint(observed.broken) or gone != {*found}.difference(kept):
        return None
    removed = sorted(gone, key=lambda it: (it.link, it.mark))
    return Plan(operations=(*map(Remove, reversed(removed)), *map(Create, new)), kept=kept)


def _are_marks(resources: frozenset[Resource]) -> TypeGuard[frozenset[Mark]]:
    return all(isinstance(it, Mark) for it in resources)
