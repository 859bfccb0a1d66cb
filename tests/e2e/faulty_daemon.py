"""gpiomuxd with a machine that fails, waits or dies at one operation: `python -m tests.e2e.faulty_daemon FILE`.

The product knows nothing of this: the machine is wrapped here. Each line on standard input starts one daemon as a fork
of this process, because most of what a daemon costs at its start is imports; its process id is the answer. FILE names
the fault of the next plan that any of them performs, and disappears when it strikes:

    {"at": 3, "when": "after", "do": "fail"}

`at` counts operations from 0. `when` is `before` or `after` the machine has done it. `do` is `fail` (the machine says
EIO), `kill` (the daemon is gone), or `wait` (until FILE is there again).
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.apply.machine import KernelMachine
from gpiomux.daemon import main, manager
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpiomux.apply.datapaths import Datapaths
    from gpiomux.plan.observed import Observed
    from gpiomux.plan.state import Resource
    from gpiomux.rundir import RunDir

WORDS = "the test says no"

_order = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()


class FaultyMachine(KernelMachine):
    """The real machine, up to one operation."""

    def __init__(
        self, rundir: RunDir, datapaths: Datapaths, observed: Observed, wanted: Iterable[Resource] = ()
    ) -> None:
        super().__init__(rundir, datapaths, observed, wanted)
        self._verbs = 0
        self._fault = {"at": -1, "when": "", "do": ""}
        if _order.is_file():
            self._fault = json.loads(_order.read_text())

    def create(self, resource: Resource) -> None:
        with self._counted():
            super().create(resource)

    def remove(self, resource: Resource) -> None:
        with self._counted():
            super().remove(resource)

    def change(self, old: Resource, new: Resource) -> None:
        with self._counted():
            super().change(old, new)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        at = self._verbs
        self._verbs += 1
        self._strike(at, "before")
        yield
        self._strike(at, "after")

    def _strike(self, at: int, when: str) -> None:
        if (at, when) != (self._fault["at"], self._fault["when"]):
            return
        _order.unlink()
        match self._fault["do"]:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "wait":
                while not _order.exists():
                    time.sleep(0.01)
                _order.unlink()
            case _:
                raise MachineError(WORDS, errno=errno.EIO)


def serve() -> None:
    """Start a daemon for each line, until there are no more."""
    vars(manager)["KernelMachine"] = FaultyMachine
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    for line in sys.stdin:
        options = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            sys.stdin.close()
            sys.argv = ["gpiomuxd", *options]
            main.main()
        print(pid, flush=True)


if __name__ == "__main__":
    serve()
