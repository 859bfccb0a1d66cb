"""The benchmark of real lines: boots the test kernel, measures in it, prints the table; `make bench-kernel`.

What is measured, and how, stands in real_lines.py; the C program to compare with is word_loop.c. Goodput by packet size
is measured on simulated lines as well, here on the host, for the picture. Figures: bench-out/bench-kernel.json.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

from tests.bench import lines, plots
from tests.bench.links import ROOT
from tests.bench.load import SIZES, by_size
from tests.bench.real_lines import ARRANGEMENTS
from tests.bench.report import Figures, report
from tests.kernel.boot import boot
from tests.kernel.cache import get_kernel
from tests.kernel.failure import KernelError

SOURCE = ROOT / "tests" / "bench" / "word_loop.c"
OUTPUT = ROOT / "bench-out" / "bench-kernel.json"
WORD_LOOP = OUTPUT.with_name("word_loop")
TIMEOUT_S = 1800.0
ASKED = 0.9
"""Words of the datapath's loop against those of the C program."""


def compile_word_loop() -> None:
    """Compile the C program, for a file system of any kind: linked statically.

    Raises:
        KernelError: there is no compiler, or it has said what is wrong.
    """
    if shutil.which("gcc") is None:
        raise KernelError("there is no gcc", hint="sudo apt-get install gcc libc6-dev")
    WORD_LOOP.parent.mkdir(exist_ok=True)
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-static", "-o", str(WORD_LOOP), str(SOURCE)]
    if subprocess.run(command).returncode != 0:
        raise KernelError(f"{SOURCE.relative_to(ROOT)} does not compile")


def measured() -> dict[str, Any]:
    """What real_lines.py found; its progress is shown meanwhile.

    Raises:
        KernelError: there is no kernel, or it has not run to its end.
    """
    heard = bytearray()
    shown = 0

    def show(piece: bytes) -> None:
        nonlocal shown
        heard.extend(piece)
        end = heard.rfind(b"\n") + 1
        for line in heard[shown:end].splitlines():
            if not line.startswith(b"{"):
                print(line.decode(errors="replace"), flush=True)
        shown = max(shown, end)

    ended = boot(
        get_kernel(),
        [sys.executable, "-m", "tests.bench.real_lines", str(WORD_LOOP)],
        directory=ROOT,
        environment={name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        show=show,
        timeout_s=TIMEOUT_S,
    )
    if ended.status != 0:
        raise KernelError(f"the benchmark in the test kernel ended with status {ended.status}", hint=ended.console)
    result: dict[str, Any] = json.loads(heard.splitlines()[-1])
    return result


def main() -> int:
    """Measure, print, draw; 1 if the datapath's loop is slower than it should be."""
    try:
        compile_word_loop()
        print("measuring in the test kernel; about five minutes", flush=True)
        found = measured()
    except KernelError as err:
        print(err.report(), file=sys.stderr)
        return 1
    figures: Figures = found["figures"]
    report(figures, OUTPUT)
    simulated = by_size(lambda: lines.bare_words(both=False), lambda size, both: lines.goodput(size, both=both)[0])
    media = {"real lines": found["goodput_by_size"], "simulated lines": simulated}
    print(f"drawn: {plots.draw_media(OUTPUT.parent, SIZES, media).relative_to(ROOT)}")
    ratios = [f"{each.name}_words_{way}_of_c" for each in ARRANGEMENTS for way in ("one_way", "both_ways")]
    slow = [name for name in ratios if figures[name] < ASKED]
    if slow:
        print(f"below {ASKED:g}: {', '.join(slow)}", file=sys.stderr)
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
