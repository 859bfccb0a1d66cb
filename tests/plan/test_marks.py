"""The short way of marks leads where the long one does, and stands aside where something else is in play."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpiomux.config.edit import add_mark, del_mark
from gpiomux.config.model import Child, Config, Link, Mode, Netdev
from gpiomux.plan.diff import Plan, make_plan
from gpiomux.plan.marks import changed_marks, plan_of_marks
from gpiomux.plan.observed import Observed
from gpiomux.plan.state import Attachment, Datapath, Mark
from gpiomux.plan.wanted import wanted_state
from tests.plan.configs import transport

OLD = Config(
    links=(
        Link(
            name="geth0",
            transport=transport(Mode.NET_HDR),
            netdev=Netdev(),
            children=(
                Child(name="child0", netdev=Netdev(), marks=(1, 2)),
                Child(name="child1", netdev=Netdev(), marks=(3,)),
            ),
        ),
    )
)
EDITS = [add_mark(OLD, "child0", 7), add_mark(OLD, "child1", 7), del_mark(OLD, "child0", 2)]


def seen(config: Config) -> Observed:
    """What a look at the datapaths of a configuration shows."""
    state = frozenset(it for it in wanted_state(config) if isinstance(it, Datapath | Attachment | Mark))
    return Observed(state=state)


def short(new: Config, observed: Observed) -> Plan | None:
    return plan_of_marks(*changed_marks(OLD, new), observed)


@pytest.mark.parametrize("new", EDITS)
def test_the_same_steps_as_by_the_long_way(new: Config) -> None:
    plan = short(new, seen(OLD))
    assert plan is not None
    assert plan.operations == make_plan(wanted_state(new), Observed(state=frozenset(wanted_state(OLD)))).operations
    assert len(plan.operations) == 1


def test_it_keeps_what_the_marks_stand_on_and_looks_at_nothing_else() -> None:
    plan = short(EDITS[0], seen(OLD))
    assert plan is not None
    assert {it.key for it in plan.kept} == {("datapath", "geth0"), ("child", "child0")}


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        Config(),
        replace(OLD, links=(replace(OLD.links[0], netdev=Netdev(mtu=1400)),)),
        replace(OLD, links=(replace(OLD.links[0], children=OLD.links[0].children[:1]),)),
    ],
)
def test_what_concerns_more_goes_the_long_way(new: Config) -> None:
    assert changed_marks(OLD, new) == (frozenset(), frozenset())


@pytest.mark.parametrize("missing", [("datapath", "geth0"), ("child", "child0")])
@pytest.mark.parametrize("broken", [True, False])
def test_without_footing_the_long_way(missing: tuple[str, ...], broken: bool) -> None:
    whole = seen(OLD)
    without = replace(whole, state=frozenset(it for it in whole.state if it.key != missing))
    assert short(EDITS[0], replace(whole, broken=frozenset({missing})) if broken else without) is None


def test_another_child_may_be_broken() -> None:
    assert short(EDITS[0], replace(seen(OLD), broken=frozenset({("child", "child1")}))) is not None


@pytest.mark.parametrize(("new", "there"), [(EDITS[0], EDITS[0]), (EDITS[0], EDITS[1]), (EDITS[2], EDITS[2])])
def test_marks_that_are_not_as_they_were_left_go_the_long_way(new: Config, there: Config) -> None:
    """Bound to the right child already, bound to another, or gone already."""
    assert short(new, seen(there)) is None
