"""Stands in for a datapath: `fake_datapath.py HABIT FD` serves the control socket FD, well or badly.

Habits: `good` answers every request and ends at `stop`; `deaf` never answers; `stubborn` answers and does not end;
`refusing` answers every request with an error; `stillborn` ends before it listens.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from gpiomux.control.packets import receive, send


def main() -> None:
    habit, fd = sys.argv[1], int(sys.argv[2])
    if habit == "stillborn":
        sys.exit(7)
    listener = socket.socket(fileno=fd)
    listener.listen(4)
    requests: list[dict[str, Any]] = []
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                while True:
                    message, fds = receive(connection)
                    requests.append({**message, "came_with": [os.readlink(f"/proc/self/fd/{each}") for each in fds]})
                    if habit == "deaf":
                        continue
                    if habit == "refusing" and message["do"] != "stop":
                        send(connection, {"error": {"message": "no", "hint": "ask another"}})
                        continue
                    report = {"pid": os.getpid(), "marks_method": "packet-socket", "requests": requests}
                    send(connection, {"ok": report})
                    if message["do"] == "stop" and habit != "stubborn":
                        return
            except (EOFError, OSError):
                continue


if __name__ == "__main__":
    main()
