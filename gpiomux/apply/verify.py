"""Read back what a plan has changed, and hold it against what it was to become."""

from __future__ import annotations

import errno
import logging
import time
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError
from gpiomux.plan.compare import differences
from gpiomux.plan.scope import scope_of

if TYPE_CHECKING:
    from gpiomux.plan.diff import Plan
    from gpiomux.plan.operations import Machine

SETTLE_S = 3.0
"""How long what was made may take to be as it was asked for: udev, for one, sets the owner of a new chip's node."""
_FIRST_PAUSE_S = 0.01

_log = logging.getLogger(__name__)


def verify(plan: Plan, machine: Machine) -> None:
    """Look where a plan has changed something until all is as planned; a plan without operations needs no look.

    Raises:
        MachineError: EIO, it is not; names every resource, field, and what was wanted and found.
        GpiomuxError: something cannot be looked at.
    """
    if not plan.operations:
        return
    scope = scope_of(operation.resource for operation in plan.operations)
    give_up = time.monotonic() + SETTLE_S
    pause_s = _FIRST_PAUSE_S
    while found := differences(plan.operations, plan.kept, machine.look(scope), scope):
        words = "; ".join(difference.describe() for difference in found)
        if time.monotonic() > give_up:
            hint = "another program may be at work on it, such as a network manager: keep it away, and apply again"
            raise MachineError(f"the machine did not become as planned: {words}", errno=errno.EIO, hint=hint)
        _log.info("not yet as planned: %s", words)
        time.sleep(pause_s)
        pause_s *= 2
