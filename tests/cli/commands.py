"""Command lines as processes of their own: with pipes, or with a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "import sys; from gpiomux.cli.main import main; sys.exit(main())")
"""As the installed program `gpiomux` does, but of this checkout."""


class Outcome(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


def spawn(*words: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a command line in the checkout."""
    return subprocess.Popen(
        (*COMMAND, *words), cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
    )


def perform(*words: str, stdin: str = "") -> Outcome:
    """Perform a command line in the checkout, with pipes."""
    done = subprocess.run((*COMMAND, *words), cwd=ROOT, text=True, input=stdin, capture_output=True)
    return Outcome(done.returncode, done.stdout, done.stderr)


def on_terminal(*words: str) -> tuple[int, str]:
    """Perform a command line with a terminal as its output and errors; exit status and all that it shows."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    with open(theirs, "wb", buffering=0) as terminal:
        process = subprocess.Popen(
            (*COMMAND, *words), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, env=environment
        )
    shown = b""
    with open(ours, "rb", buffering=0) as terminal:
        try:
            while data := terminal.read(65536):
                shown += data
        except OSError:  # EIO: nobody has the other side any more
            pass
    return process.wait(), shown.decode().replace("\r\n", "\n")
