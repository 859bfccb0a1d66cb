"""Short commands against Python that does nothing: the time a user waits, and the CPU time of the command itself.

All take turns, so that what else the machine does falls on all of them alike; of each the median counts. The time that
a user waits contains the daemon's answer, the CPU time does not.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.links import GPIOMUX, ROOT, gpiomux

if TYPE_CHECKING:
    from tests.bench.report import Figures

ROUNDS = 15
LINK, CHILD, MARK = "geth0", "bench0", "7"
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "version": [str(GPIOMUX), "--version"],
    "status": [str(GPIOMUX), "status"],
    "add_mark": [str(GPIOMUX), "add-mark", CHILD, MARK],
}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As a user has it, who runs compiled modules."""


def figures() -> Figures:
    """Measure; the links run."""
    gpiomux("add-child", LINK, CHILD)
    took_s: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for number in range(ROUNDS + 1):
        for name, command in COMMANDS.items():
            measured = _run(command)
            if number:  # in the first round modules are compiled
                took_s[name].append(measured)
        gpiomux("del-mark", CHILD, MARK)
    gpiomux("del-child", CHILD)
    medians = {
        name: (median(wall for wall, _ in each), median(cpu for _, cpu in each)) for name, each in took_s.items()
    }
    wall_s, cpu_s = medians.pop("python")
    found: Figures = {"start_python_ms": wall_s * 1e3}
    for name, (wall, cpu) in medians.items():
        found |= {f"start_{name}_ratio": wall / wall_s, f"start_{name}_cpu_ratio": cpu / cpu_s}
    return found


def _run(command: list[str]) -> tuple[float, float]:
    """Time until a command has ended, and CPU time that it took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    took_s, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took_s, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
