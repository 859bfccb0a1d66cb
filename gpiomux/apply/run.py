"""Perform a plan step by step: all of it, or as if nothing had been done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpiomux.errors import GpiomuxError, MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpiomux.plan.diff import Plan
    from gpiomux.plan.operations import Machine, Operation

OnStep = Callable[[int, int, str], None]
"""Called before each step with the number of steps done, of all steps, and the step's description."""

_log = logging.getLogger(__name__)


def run(
    plan: Plan, machine: Machine, *, on_step: OnStep | None = None, commit: Callable[[], None] | None = None
) -> None:
    """Perform every operation of a plan in order; if one fails, undo those before it in reverse order.

    Args:
        plan: what to do.
        machine: what to do it on.
        on_step: told of each step before it begins.
        commit: called when all is done; if it fails, everything is undone.

    Raises:
        GpiomuxError: of the class of what failed, with its errno and hint; names the operation and says whether
            everything before it could be undone.
    """
    done: list[Operation] = []
    total = len(plan.operations)
    what = ""
    try:
        for operation in plan.operations:
            what = operation.describe()
            if on_step is not None:
                on_step(len(done), total, what)
            _log.info("%s", what)
            operation.perform(machine)
            done.append(operation)
        what = "record what was done"
        if commit is not None:
            commit()
    except (GpiomuxError, OSError) as err:
        raise _failure(what, err, _undone(done, machine)) from err


def _undone(done: Sequence[Operation], machine: Machine) -> str:
    """Undo operations in reverse order as far as possible; what became of it, in words."""
    if not done:
        return "nothing was changed"
    stuck = []
    for operation in reversed(done):
        inverse = operation.inverse()
        _log.info("undo: %s", inverse.describe())
        try:
            inverse.perform(machine)
        except (GpiomuxError, OSError) as err:
            _log.error("undo: %s: %s", inverse.describe(), err)
            stuck.append(f"{inverse.describe()}: {err}")
    if stuck:
        return f"what was done before is NOT wholly undone, these steps failed: {'; '.join(stuck)}"
    return "what was done before is undone"


def _failure(what: str, err: GpiomuxError | OSError, undone: str) -> GpiomuxError:
    message = f"{what}: {err}; {undone}"
    hint = err.hint if isinstance(err, GpiomuxError) else ""
    if isinstance(err, OSError):
        return MachineError(message, errno=err.errno or 0, hint=hint)
    return type(err)(message, hint=hint)
