"""The verb `doctor`: looks at what links need, with the rights of this process, and needs no record of what runs."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from gpiomux.config.load import load_text
from gpiomux.daemon import state_file
from gpiomux.doctor.examine import examine
from gpiomux.doctor.finding import Finding, ok, problem
from gpiomux.doctor.machine import Machine
from gpiomux.errors import DaemonError, MachineError
from gpiomux.version import VERSION

if TYPE_CHECKING:
    from gpiomux.control.messages import Request
    from gpiomux.rundir import RunDir

RECORD = "record"


def answer(rundir: RunDir, request: Request) -> dict[str, Any]:
    """Answer the verb: this process, and what it has found.

    Raises:
        ConfigError: the text has faults.
        MachineError: a chip went while it was looked at.
    """
    text, file, path = (request.args[name] for name in ("text", "file", "path"))
    config = load_text(text, file, path) if file else None
    findings = [_record(rundir), *examine(Machine.here(rundir), config)]
    return {
        "pid": os.getpid(),
        "user": os.geteuid(),
        "version": VERSION,
        "findings": [finding.plain() for finding in findings],
    }


def _record(rundir: RunDir) -> Finding:
    """Whether it is known what was applied."""
    try:
        record = state_file.load(rundir)
    except MachineError as err:
        return problem(RECORD, err.message, "become root" if err.errno == errno.EACCES else err.hint)
    except DaemonError as err:
        return problem(RECORD, err.message, err.hint)
    count = len(record.config.links)
    return ok(RECORD, f"{count} link{'s' if count != 1 else ''} applied" if count else "nothing is applied")
