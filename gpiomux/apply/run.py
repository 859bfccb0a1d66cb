"""Perform a plan step by step and read back what became of it: all of it, or as if nothing had been done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpiomux.apply.verify import verify
from gpiomux.errors import GpiomuxError, MachineError
from gpiomux.plan.compare import has_happened
from gpiomux.plan.scope import scope_of

if TYPE_CHECKING:
    from gpiomux.plan.diff import Plan
    from gpiomux.plan.operations import Machine, Operation

OnStep = Callable[[int, int, str], None]
"""Called before each step with the number of steps done, of all steps, and the step's description."""

_log = logging.getLogger(__name__)


def run(
    plan: Plan, machine: Machine, *, on_step: OnStep | None = None, commit: Callable[[], None] | None = None
) -> None:
    """Perform every operation of a plan in order; if one fails, undo those before it in reverse order.

    After the last one the machine is read back; what is not as planned is a failure as well.

    Args:
        plan: what to do.
        machine: what to do it on.
        on_step: told of each step before it begins.
        commit: called when all is done and right; if it fails, everything is undone.

    Raises:
        GpiomuxError: of the class of what failed, with its errno and hint; names the operation and says whether
            everything before it could be undone.
    """
    done: list[Operation] = []
    doing: Operation | None = None
    what = ""
    try:
        for operation in plan.operations:
            doing, what = operation, operation.describe()
            if on_step is not None:
                on_step(len(done), len(plan.operations), what)
            _log.info("%s", what)
            operation.perform(machine)
            done.append(operation)
        doing, what = None, "read back what was done"
        verify(plan, machine)
        what = "record what was done"
        if commit is not None:
            commit()
    except (GpiomuxError, OSError) as err:
        raise _failure(what, err, _undone(done, doing, machine)) from err


def _undone(done: list[Operation], failed: Operation | None, machine: Machine) -> str:
    """Undo operations in reverse order as far as possible; what became of it, in words.

    The one that failed is undone as well if the machine shows that it was performed in spite of its error. Nobody
    else's object can be taken for its result: what bears no tag of ours is not shown as ours.
    """
    stuck, unseen = [], ""
    try:
        if failed is not None and has_happened(failed, machine.look(scope_of((failed.resource,)))):
            done = [*done, failed]
    except (GpiomuxError, OSError) as err:
        unseen = f"; whether this step was done all the same cannot be seen: {err}"
    for operation in reversed(done):
        inverse = operation.inverse()
        _log.info("undo: %s", inverse.describe())
        try:
            inverse.perform(machine)
        except (GpiomuxError, OSError) as err:
            _log.error("undo: %s: %s", inverse.describe(), err)
            stuck.append(f"{inverse.describe()}: {err}")
    if stuck:
        return f"what was done before is NOT wholly undone, these steps failed: {'; '.join(stuck)}{unseen}"
    if done or unseen:
        return f"what was done before is undone{unseen}"
    return "nothing was changed"


def _failure(what: str, err: GpiomuxError | OSError, undone: str) -> GpiomuxError:
    message = f"{what}: {err}; {undone}"
    hint = err.hint if isinstance(err, GpiomuxError) else ""
    if isinstance(err, OSError):
        return MachineError(message, errno=err.errno or 0, hint=hint)
    return type(err)(message, hint=hint)
