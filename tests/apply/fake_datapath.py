"""A fork server whose datapaths are stand-ins: `fake_datapath.py HABIT FD` serves the socket FD as the real one does.

Habits: `good` answers every request and ends at `stop`; `deaf` never answers; `stubborn` answers and does not end;
`refusing` answers every request with an error; `stillborn` ends before it listens.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from functools import partial
from typing import Any

from gpiomux.control.packets import receive, send
from gpiomux.datapath import fork_server


def run(habit: str, listening: int, first: int, _user: int) -> None:
    """Be one datapath."""
    if habit == "stillborn":
        os._exit(7)
    listener = socket.socket(fileno=listening)
    listener.listen(4)
    connections = [socket.socket(fileno=first)]
    requests: list[dict[str, Any]] = []
    while True:
        for sock in select.select([listener, *connections], [], [])[0]:
            if sock is listener:
                connections.append(listener.accept()[0])
                continue
            try:
                if not answer(habit, sock, requests):
                    return
            except (EOFError, OSError):
                connections.remove(sock)
                sock.close()


def answer(habit: str, sock: socket.socket, requests: list[dict[str, Any]]) -> bool:
    """Answer one request, or not; False to end."""
    message, fds = receive(sock)
    requests.append({**message, "came_with": [os.readlink(f"/proc/self/fd/{each}") for each in fds]})
    if habit == "deaf":
        return True
    if habit == "refusing" and message["do"] != "stop":
        send(sock, {"error": {"message": "no", "hint": "ask another"}})
        return True
    send(sock, {"ok": {"pid": os.getpid(), "marks_method": "packet-socket", "requests": requests}})
    return message["do"] != "stop" or habit == "stubborn"


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[2])) as served:
        fork_server.serve(served, partial(run, sys.argv[1]))
