"""Resets counters as fast as it can: `resetter.py TIMES LINK ...` prints what each reset has told, one in a line."""

from __future__ import annotations

import json
import sys

from gpiomux.control.client import connect
from gpiomux.rundir import RunDir


def main() -> None:
    """Reset the links in turn, each so many times."""
    times, links = int(sys.argv[1]), sys.argv[2:]
    with connect(RunDir.from_environment()) as client:
        for _ in range(times):
            for link in links:
                print(json.dumps(client.ask("reset-stats", {"link": link})["interfaces"], separators=(",", ":")))


if __name__ == "__main__":
    main()
