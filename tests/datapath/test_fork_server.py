"""The fork server: it forks, tells how what it forked has ended, and ends with its daemon."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.control.packets import ask
from gpiomux.errors import GpiomuxError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

PROGRAM = """
import os, socket, sys
from gpiomux.datapath.fork_server import serve
from gpiomux.errors import UsageError

def run(listener, connection, user):
    word = os.read(connection, 100)
    if word == b"refuse":
        raise UsageError("refused")
    if word == b"fault":
        raise ValueError("a fault of ours")
    os.write(connection, str((os.getpid(), user)).encode())
    os.read(connection, 1)

with socket.socket(fileno=int(sys.argv[1])) as sock:
    serve(sock, run)
"""
"""A fork server whose processes do one thing that they are told and wait for the end of their connection."""


class Server:
    """The other end of its socket."""

    def __init__(self, sock: socket.socket, process: subprocess.Popen[str]) -> None:
        self.sock, self.process = sock, process

    def fork(self, word: bytes = b"tell") -> tuple[int, socket.socket]:
        """Process id and connection of a new process, which has been told a word."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            fds = (theirs.fileno(), theirs.fileno())
            pid = ask(self.sock, {"do": "fork", "link": "a-name-of-15-bytes"}, fds)["pid"]
        ours.send(word)
        return pid, ours

    def status(self, pid: int) -> object:
        return ask(self.sock, {"do": "reap", "pid": pid})["status"]

    def end_of(self, pid: int) -> object:
        """Wait for the end of a process; its status."""
        pidfd = os.pidfd_open(pid)
        select.select([pidfd], [], [])
        os.close(pidfd)
        return self.status(pid)


@contextmanager
def serving() -> Iterator[Server]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        fd = theirs.fileno()
        command = [sys.executable, "-c", PROGRAM, str(fd)]
        with subprocess.Popen(command, pass_fds=[fd], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            theirs.close()
            try:
                yield Server(ours, process)
            finally:
                ours.close()


def test_what_is_forked_is_a_process_of_its_own() -> None:
    with serving() as server:
        pid, connection = server.fork()
        with connection:
            told = connection.recv(100).decode()
            assert told.startswith(f"({pid}, ")
            assert os.getsid(pid) == pid
            assert Path(f"/proc/{pid}/comm").read_text() == "gpiomux:a-name-\n"
            assert server.status(pid) is None
        assert server.end_of(pid) == 0


def test_it_ends_with_its_daemon_and_what_it_forked_goes_on() -> None:
    with serving() as server:
        pid, connection = server.fork()
    assert server.process.returncode == 0
    with connection:
        assert connection.recv(100).decode().startswith(f"({pid}, ")


def test_how_a_process_has_ended() -> None:
    with serving() as server:
        refusing, first = server.fork(b"refuse")
        faulty, second = server.fork(b"fault")
        with first, second:
            assert server.end_of(refusing) == server.end_of(faulty) == 1
        pid, connection = server.fork()
        with connection:
            os.kill(pid, 9)
            assert server.end_of(pid) == -9
        assert server.process.stderr is not None
        server.sock.close()
        errors = server.process.stderr.read()
    assert "gpiomux-datapath: a-name-of-15-bytes: refused\n" in errors
    assert "ValueError: a fault of ours\n" in errors


@pytest.mark.parametrize(
    "message", [{}, {"do": "dance"}, {"do": "fork", "link": "x"}, {"do": "reap"}, {"do": "reap", "pid": 1}]
)
def test_requests_that_make_no_sense(message: dict[str, object]) -> None:
    with serving() as server:
        with pytest.raises(GpiomuxError, match="fork server"):
            ask(server.sock, message)
        pid, connection = server.fork()
        with connection:
            assert connection.recv(100)
        assert server.end_of(pid) == 0
