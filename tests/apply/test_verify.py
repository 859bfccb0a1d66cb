"""Reading back what a plan has changed: patience for what settles, an error for what does not."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply import verify as verify_module
from gpiomux.apply.run import run
from gpiomux.apply.verify import verify
from gpiomux.errors import MachineError
from gpiomux.plan.diff import Plan
from gpiomux.plan.operations import Create
from gpiomux.plan.state import Wire
from tests.plan.model_machine import ModelMachine

if TYPE_CHECKING:
    from gpiomux.plan.observed import Observed
    from gpiomux.plan.scope import Scope
    from gpiomux.plan.state import Resource

PLAN = Plan(operations=(Create(Wire(name="cable0")), Create(Wire(name="cable1"))))


class Sluggish(ModelMachine):
    """Shows nothing of what it has done until it was looked at some times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks
        self.looked = 0

    def look(self, scope: Scope) -> Observed:
        self.looked += 1
        return super().look(scope) if self.looked > self.looks else ModelMachine().look(scope)


class Forgetful(ModelMachine):
    """Says yes to everything, and makes all but one wire."""

    def create(self, resource: Resource) -> None:
        if resource != Wire(name="cable1"):
            super().create(resource)

    def remove(self, resource: Resource) -> None:
        if resource != Wire(name="cable1"):
            super().remove(resource)


def test_what_settles_is_waited_for() -> None:
    machine = Sluggish(3)
    run(PLAN, machine)
    assert machine.looked == 4


def test_nothing_to_do_costs_no_look() -> None:
    machine = Sluggish(0)
    verify(Plan(operations=(), kept=(Wire(name="cable0"),)), machine)
    assert machine.looked == 0


def test_what_does_not_settle_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_module, "SETTLE_S", 0.0)
    machine, recorded = Forgetful(), []
    with pytest.raises(MachineError) as caught:
        run(PLAN, machine, commit=lambda: recorded.append(True))
    assert caught.value.message == (
        "read back what was done: the machine did not become as planned: "
        "presence of simulated wire cable1: wanted yes, found no; what was done before is undone"
    )
    assert caught.value.errno == errno.EIO
    assert machine.state == frozenset()
    assert recorded == []
