"""A run directory in a private world, and whatever daemon and datapaths run on it."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from gpiomux.control.client import connect, start_daemon
from gpiomux.errors import DaemonError
from tests.plan.test_diff import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpiomux.control.client import Client
    from gpiomux.rundir import RunDir

TWO_LINKS = {"text": EXAMPLES["two-links.yaml"].read_text(), "file": "two-links.yaml"}
PATIENCE_S = 60.0
"""How long a state may take to come true. Not a limit on speed: only a broken program ever waits so long."""


class World:
    """Asks the daemon of a run directory, and sees to it that nothing is left."""

    def __init__(self, rundir: RunDir) -> None:
        self.rundir = rundir

    def start(self) -> None:
        start_daemon(self.rundir)

    def client(self) -> Client:
        return connect(self.rundir)

    def ask(self, verb: str, **args: Any) -> dict[str, Any]:
        with self.client() as client:
            return client.ask(verb, args)

    def apply(self, **args: Any) -> list[dict[str, str]]:
        operations: list[dict[str, str]] = self.ask("apply", **TWO_LINKS, **args)["operations"]
        return operations

    def daemon(self) -> int:
        pid: int = self.ask("status")["daemon"]["pid"]
        return pid

    def datapaths(self) -> dict[str, int | None]:
        return {link["name"]: link["datapath"]["pid"] for link in self.ask("status")["links"]}

    def end(self) -> None:
        """Take down what a test has left, by a new daemon if need be."""
        if self.rundir.root.exists():
            try:
                self.ask("down", links=[], all=True)
            except DaemonError:
                self.start()
                with suppress(DaemonError):  # one that finds nothing to do may be gone before it is asked
                    self.ask("down", links=[], all=True)


@contextmanager
def watched(pid: int) -> Iterator[int]:
    """A pidfd: readable when the process has ended."""
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def send_and_wait(pid: int, number: signal.Signals) -> None:
    """Send a signal and wait for the end of the process."""
    with watched(pid) as pidfd:
        signal.pidfd_send_signal(pidfd, number)
        select.select([pidfd], [], [])


def has_ended(pid: int) -> bool:
    try:
        with watched(pid) as pidfd:
            return bool(select.select([pidfd], [], [], 0)[0])
    except ProcessLookupError:
        return True


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that does not run for a while: whoever asks it waits."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until something is true."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"never happened: {what}"
        time.sleep(0.02)
