"""A shell to try gpiomux in: namespaces of its own, in which an ordinary user is root and gpiomux is in PATH.

Whatever is made in it is taken down when it ends, so nothing that is typed there reaches the machine's interfaces.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

from tests.demo import demo

PROMPT = "# "


def command() -> list[str]:
    """The shell, without the user's own settings: they may change PATH and the prompt."""
    return ["bash", "--norc", "--noprofile"] if shutil.which("bash") else ["sh"]


def environment() -> dict[str, str]:
    """The user's, with the gpiomux of this installation first in PATH, and without a history that is kept."""
    path = f"{demo.GPIOMUX.parent}:{os.environ.get('PATH', os.defpath)}"
    return os.environ | {"PATH": path, "PS1": PROMPT, "HISTFILE": ""}


def main() -> int:
    """Run the shell until its user leaves it, whatever the last command in it was; the exit status."""
    demo.prepare("shell")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the shell's
    print("gpiomux runs in here, and touches nothing outside; `exit` takes everything down", flush=True)
    try:
        subprocess.run(command(), env=environment(), cwd=demo.ROOT)
    finally:
        demo.take_down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
