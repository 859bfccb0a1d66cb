"""`python -m gpiomux.datapath FD`: one link, run by gpiomuxd, on the bound control socket FD (gpiomuxd(8))."""

from __future__ import annotations

import signal
import sys

from gpiomux.datapath.process import main
from gpiomux.errors import GpiomuxError


def run() -> int:
    """Parse the one argument and run; returns the exit status."""
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        print("usage: python -m gpiomux.datapath FD (started by gpiomuxd)", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for whoever sits at the terminal
    try:
        main(int(sys.argv[1]))
    except (GpiomuxError, OSError) as err:
        print(f"gpiomux-datapath: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
