"""Whether a line has an interrupt: the kernel tells only whoever requests its edges."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import gpiod
from gpiod.line import Direction, Edge

from gpiomux.errors import MachineError
from gpiomux.lines.toggles import CONSUMER

if TYPE_CHECKING:
    from pathlib import Path

_BUSY_OR_GONE = (errno.EBUSY, errno.ENODEV, errno.ENOENT, errno.EACCES, errno.EPERM)


def refusal(node: Path, offset: int) -> str | None:
    """Request a line with both its edges, and let go of it; the kernel's words if it has no interrupt, else None.

    The line should be a free input: it is one afterwards.

    Raises:
        MachineError: it cannot be asked: somebody holds it, or the chip is gone.
    """
    settings = gpiod.LineSettings(direction=Direction.INPUT, edge_detection=Edge.BOTH)
    try:
        gpiod.request_lines(str(node), {offset: settings}, consumer=CONSUMER).release()
    except ValueError as err:  # EINVAL, in gpiod's words
        return str(err.args[-1])
    except OSError as err:
        if err.errno in _BUSY_OR_GONE:
            message = f"cannot ask line {offset} of {node} for its interrupt: {err.strerror}"
            raise MachineError(message, errno=err.errno or 0) from err
        return os.strerror(err.errno or errno.EIO)
    return None
