"""All of a plan, or nothing of it."""

from __future__ import annotations

import errno
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from gpiomux.apply.run import run
from gpiomux.config.load import load_file
from gpiomux.config.model import Config, Link, Netdev
from gpiomux.errors import ConflictError, MachineError, UnsupportedError
from gpiomux.plan.diff import Plan, make_plan
from gpiomux.plan.operations import Create
from gpiomux.plan.state import Netns, Resource, Wire
from gpiomux.plan.wanted import wanted_state
from tests.plan.configs import configs, transport
from tests.plan.model_machine import ModelMachine

if TYPE_CHECKING:
    from gpiomux.plan.observed import Observed
    from gpiomux.plan.scope import Scope

EXAMPLES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
SMALL = Config(links=(Link(name="geth0", transport=transport(), netdev=Netdev(addresses=("10.0.0.1/24",))),))


def machine_with(config: Config) -> ModelMachine:
    machine = ModelMachine()
    run(make_plan(wanted_state(config), machine.observe()), machine)
    return machine


def check_every_failure(old: Config, new: Config) -> None:
    """Whichever step from `old` to `new` fails, also if it was done all the same: the machine is as before."""
    machine = machine_with(old)
    before = machine.state
    plan = make_plan(wanted_state(new), machine.observe())
    for (number, operation), machine.acts in product(enumerate(plan.operations), (False, True)):
        machine.verbs, machine.fail_at = 0, number
        with pytest.raises(MachineError) as caught:
            run(plan, machine)
        assert machine.state == before
        nothing = number == 0 and not machine.acts
        undone = "nothing was changed" if nothing else "what was done before is undone"
        assert caught.value.message == f"{operation.describe()}: the model refuses; {undone}"
        assert caught.value.errno == errno.EIO
        assert caught.value.hint == "ask it for something else"
    machine.fail_at = None
    run(plan, machine)
    assert make_plan(wanted_state(new), machine.observe()).operations == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_failure_of_every_example(path: Path) -> None:
    config = load_file(path)
    check_every_failure(Config(), config)
    check_every_failure(config, Config())


@settings(max_examples=30)
@given(configs(), configs())
def test_every_failure_between_any_two(old: Config, new: Config) -> None:
    check_every_failure(old, new)


def test_steps_are_told_before_they_begin() -> None:
    machine = ModelMachine()
    told: list[tuple[int, int, str, int]] = []
    plan = make_plan(wanted_state(SMALL), machine.observe())
    run(plan, machine, on_step=lambda done, total, what: told.append((done, total, what, machine.verbs)))
    assert told == [(k, 4, operation.describe(), k) for k, operation in enumerate(plan.operations)]


def test_nothing_to_do_still_commits() -> None:
    committed = []
    run(Plan(operations=()), ModelMachine(), commit=lambda: committed.append(True))
    assert committed == [True]


def test_commit_comes_last_and_its_failure_undoes_all() -> None:
    machine = ModelMachine()

    def commit() -> None:
        assert len(machine.state) == 4
        raise MachineError("cannot write state.json: No space left on device", errno=errno.ENOSPC)

    with pytest.raises(MachineError) as caught:
        run(make_plan(wanted_state(SMALL), machine.observe()), machine, commit=commit)
    assert caught.value.message == (
        "record what was done: cannot write state.json: No space left on device; what was done before is undone"
    )
    assert caught.value.errno == errno.ENOSPC
    assert machine.state == frozenset()


@pytest.mark.parametrize("error", [ConflictError("no", hint="why"), UnsupportedError("no", hint="why")])
def test_the_class_of_an_error_survives(error: ConflictError | UnsupportedError) -> None:
    class Refusing(ModelMachine):
        def create(self, resource: Resource) -> None:
            raise error

    with pytest.raises(type(error)) as caught:
        run(Plan(operations=(Create(Wire(name="cable0")),)), Refusing())
    assert caught.value.message == "+ simulated wire cable0: no; nothing was changed"
    assert caught.value.hint == "why"
    assert caught.value.__cause__ is error


def test_an_error_that_is_not_ours_undoes_as_well() -> None:
    class Broken(ModelMachine):
        def create(self, resource: Resource) -> None:
            if self.verbs:
                raise OSError(errno.EMFILE, "Too many open files")
            super().create(resource)

    machine = Broken()
    with pytest.raises(MachineError, match="Too many open files; what was done before is undone") as caught:
        run(Plan(operations=(Create(Wire(name="cable0")), Create(Wire(name="cable1")))), machine)
    assert caught.value.errno == errno.EMFILE
    assert machine.state == frozenset()


def test_a_step_that_cannot_be_looked_at_is_no_failed_undoing() -> None:
    class Silent(ModelMachine):
        def look(self, scope: Scope) -> Observed:
            raise MachineError("it does not answer", errno=errno.ETIMEDOUT)

    machine = Silent()
    machine.fail_at = 1
    with pytest.raises(MachineError) as caught:
        run(Plan(operations=(Create(Wire(name="cable0")), Create(Wire(name="cable1")))), machine)
    assert caught.value.message == (
        "+ simulated wire cable1: the model refuses; what was done before is undone; "
        "whether this step was done all the same cannot be seen: it does not answer"
    )
    assert machine.state == frozenset()


def test_what_cannot_be_undone_is_named() -> None:
    class Sticky(ModelMachine):
        def remove(self, resource: Resource) -> None:
            if isinstance(resource, Wire):
                raise MachineError("it is held", errno=errno.EBUSY)
            super().remove(resource)

    machine = Sticky()
    machine.fail_at = 2
    plan = Plan(operations=(Create(Netns(name="far")), Create(Wire(name="cable0")), Create(Wire(name="cable1"))))
    with pytest.raises(MachineError) as caught:
        run(plan, machine)
    assert caught.value.message == (
        "+ simulated wire cable1: the model refuses; what was done before is NOT wholly undone, "
        "these steps failed: - simulated wire cable0: it is held"
    )
    assert machine.state == {Wire(name="cable0")}
