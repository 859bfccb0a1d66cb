"""The fork server: has loaded all that a datapath needs, and forks one whenever the daemon asks.

Starting Python for each datapath would cost a tenth of a second and ten megabytes each; a fork takes milliseconds,
and shares the memory. The server serves one daemon over one socket and ends with it, or when no datapath is left; the
datapaths go on. It never sees a packet, and may do nothing but change its user id (`gpiomux.datapath.privileges`).

Requests and answers are described at `ForkServer._handlers`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.control.packets import Message, close_all, receive, send
from gpiomux.datapath.privileges import free_user_id, limit_privileges, user_ids_in_use
from gpiomux.errors import GpiomuxError, ProtocolError

if TYPE_CHECKING:
    import socket

Run = Callable[[int, int, int], None]
"""Runs a datapath in a process that was forked for it: its bound socket, a connection from the daemon, its user id."""

NAME = "gpiomux-forks"
_PR_SET_NAME = 15
_NAME_BYTES = 15


def set_name(name: str) -> None:
    """Give this process the name that ps(1) and top(1) show; its first 15 bytes count."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:_NAME_BYTES], 0, 0, 0)


class ForkServer:
    """Serves one socket until its other end closes.

    *Threads and processes:* one thread, or a fork could copy a lock that nobody holds any more. The processes that it
    forks are its children until they are asked for (`reap`); what they have inherited they close.
    """

    def __init__(self, sock: socket.socket, run: Run) -> None:
        """Serve a connected socket; `run` is called in each process that is forked."""
        self._sock = sock
        self._run = run
        self._children: dict[int, int] = {}
        """Process id -> user id."""
        self._elsewhere = user_ids_in_use(Path("/proc"))
        """User ids of processes that others have started, an earlier fork server for example."""
        self._handlers: dict[str, Callable[[Message, list[int]], Message]] = {"fork": self._fork, "reap": self._reap}

    def serve(self) -> None:
        """Answer requests until the daemon has gone.

        Raises:
            ProtocolError: the daemon has sent what is no message.
        """
        while True:
            try:
                message, fds = receive(self._sock)
                answer = self._answer(message, fds)
                close_all(fds)
                send(self._sock, answer)
            except (EOFError, ConnectionError):
                return

    def _answer(self, message: Message, fds: list[int]) -> Message:
        try:
            handler = self._handlers.get(str(message.get("do")))
            if handler is None:
                raise ProtocolError(f"fork server: unknown request {message.get('do')}")
            return {"ok": handler(message, fds)}
        except (GpiomuxError, OSError) as err:
            return {"error": {"message": str(err), "hint": err.hint if isinstance(err, GpiomuxError) else ""}}

    def _fork(self, message: Message, fds: list[int]) -> Message:
        """link; with its bound socket and a connection. Answer: pid."""
        if len(fds) != 2:
            raise ProtocolError(f"fork server: fork came with {len(fds)} descriptors")
        user = free_user_id(self._elsewhere.union(self._children.values()))
        pid = os.fork()
        if pid == 0:
            self._become_datapath(str(message.get("link")), fds[0], fds[1], user)
        self._children[pid] = user
        return {"pid": pid}

    def _become_datapath(self, link: str, listener: int, connection: int, user: int) -> None:
        """In the new process; never returns."""
        status = 1
        try:
            self._sock.close()
            os.setsid()
            set_name(f"gpiomux:{link}")
            self._run(listener, connection, user)
            status = 0
        except (GpiomuxError, OSError) as err:
            print(f"gpiomux-datapath: {link}: {err}", file=sys.stderr, flush=True)
        except BaseException:  # a fault of ours; what Python would show at the end of a program
            sys.excepthook(*sys.exc_info())
        finally:
            # Past the end of the interpreter: it would write to every page that is shared.
            os._exit(status)

    def _reap(self, message: Message, _fds: list[int]) -> Message:
        """pid, of one that has ended. Answer: status as Popen.returncode has it, None if it has not ended."""
        pid = message.get("pid")
        if not isinstance(pid, int) or pid not in self._children:
            raise ProtocolError(f"fork server: process {pid} is not one of ours")
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            return {"status": None}
        del self._children[pid]
        return {"status": os.waitstatus_to_exitcode(status)}


def serve(sock: socket.socket, run: Run) -> None:
    """Be the fork server on a connected socket, until its other end closes.

    Raises:
        MachineError: the privileges could not be given up.
        ProtocolError: the daemon has sent what is no message.
    """
    set_name(NAME)
    server = ForkServer(sock, run)
    limit_privileges()
    # What is here now stays in every process; the collector would write to each object that it looks at.
    gc.collect()
    gc.freeze()
    server.serve()
