"""The guard: a process that sees to it that a configuration which nobody confirms is taken back.

The daemon that runs at the deadline does it. The guard's only task is that there is one: it outlives the daemon and
the client, holds nothing, reads the deadline from the run directory, and starts a daemon if none runs then. It ends
when there is nothing to confirm any more.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

from gpiomux import log
from gpiomux.control.client import connect, start_daemon
from gpiomux.daemon import state_file
from gpiomux.daemon.boottime import now_s
from gpiomux.errors import DaemonError, GpiomuxError, MachineError
from gpiomux.rundir import VARIABLE, RunDir

LOOK_S = 1.0
"""How often the guard looks whether it is still needed."""

_log = logging.getLogger(__name__)


def start(rundir: RunDir) -> None:
    """Start the guard of a run directory, and return when it stands on its own.

    Raises:
        MachineError: it cannot be started.
    """
    try:
        # -P: neither the working directory nor that of a script may slip a module under a program that runs as root.
        status = subprocess.run(
            [sys.executable, "-P", "-m", "gpiomux.daemon.guard"],
            stdin=subprocess.DEVNULL,
            env={**os.environ, VARIABLE: str(rundir.root)},
            start_new_session=True,
            cwd="/",
            check=False,
        ).returncode
    except OSError as err:
        raise MachineError(f"cannot start the guard: {err.strerror}", errno=err.errno or 0) from err
    if status != 0:
        raise MachineError(f"the guard ended with status {status}", errno=0, hint="see the log of gpiomuxd")


def deadline_s(rundir: RunDir) -> float | None:
    """When something has to be taken back, on CLOCK_BOOTTIME; None if nothing has.

    Raises:
        GpiomuxError: the run directory cannot be read.
    """
    # In this order: a daemon removes the intent after it has written what follows from it.
    intent = state_file.begun(rundir)
    pending = state_file.load(rundir).pending
    if pending is not None:
        return pending.deadline_s
    return None if intent is None else intent.deadline_s


def watch(rundir: RunDir) -> None:
    """Wait until nothing has to be confirmed; past the deadline, see to it that a daemon runs.

    Raises:
        GpiomuxError: the run directory cannot be read.
    """
    while (due_s := deadline_s(rundir)) is not None:
        left_s = due_s - now_s()
        if left_s <= 0 and not _daemon_runs(rundir):
            _log.warning("nobody has confirmed, and no gpiomuxd runs: starting one")
            try:
                start_daemon(rundir)
            except GpiomuxError as err:
                _log.error("%s", err.told())
        time.sleep(min(left_s, LOOK_S) if left_s > 0 else LOOK_S)


def _daemon_runs(rundir: RunDir) -> bool:
    try:
        connect(rundir).close()
    except DaemonError:
        return False
    return True


def main() -> None:
    """Run the guard; the caller gets its prompt back at once.

    Raises:
        SystemExit: always; 0 in the caller's process.
    """
    if os.fork() != 0:
        os._exit(0)
    log.set_up("gpiomuxd-guard")
    try:
        watch(RunDir.from_environment())
    except GpiomuxError as err:
        _log.error("%s", err.told())
        raise SystemExit(err.exit_status) from None
    raise SystemExit(0)


if __name__ == "__main__":
    main()
