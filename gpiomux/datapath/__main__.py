"""`python -m gpiomux.datapath FD`: the fork server of gpiomuxd(8), on the connected socket FD."""

from __future__ import annotations

import signal
import socket
import sys

from gpiomux.datapath import fork_server, process
from gpiomux.errors import GpiomuxError


def run() -> int:
    """Parse the one argument and serve; returns the exit status."""
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        print("usage: python -m gpiomux.datapath FD (started by gpiomuxd)", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for whoever sits at the terminal
    try:
        with socket.socket(fileno=int(sys.argv[1])) as sock:
            fork_server.serve(sock, process.run)
    except (GpiomuxError, OSError) as err:
        print(f"gpiomux-datapath: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
