"""Daemons with faults on order, asked without the cost of a command: see tests/e2e/faulty_daemon.py."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.control.client import connect
from gpiomux.errors import DaemonError, GpiomuxError
from gpiomux.rundir import RunDir
from tests import snapshot
from tests.e2e.host import PATIENCE_S, POLL_S, ROOT, RUN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gpiomux.control.client import Client
    from tests.snapshot import Snapshot

LINE = 400
"""Longest line that says what is different."""

EXAMPLES = {name: (ROOT / "configs" / name).read_text() for name in ("two-links.yaml", "three-modes.yaml")}
"""Those that need no GPIO."""

# Ethernet addresses are written down, because the kernel draws others each time.
RICH = """
links:
  - name: near0
    mode: eth
    medium: sim
    wire: rope0
    protocol: {reader: 1, writer: 2}
    mac: 02:00:00:00:00:01
    addresses: [10.20.0.1/24, 10.20.0.5/24, "fd00:20::1/64"]
    routes:
      - {to: 10.21.0.0/16, via: 10.20.0.2, metric: 5}
      - {to: "fd00:21::/64", via: "fd00:20::2"}
    children:
      - {name: child1, marks: [7, 8], addresses: [10.20.7.1/24], netns: side, mac: 02:00:00:00:00:11}
      - {name: child2, mtu: 1400, mac: 02:00:00:00:00:12}
  - {name: far0, mode: eth, medium: sim, wire: rope0, protocol: {reader: 2, writer: 1}, netns: far,
     mac: 02:00:00:00:00:03}
  - {name: lone, mode: net_hdr, medium: sim, wire: {name: rope1, external: true}, protocol: {reader: 1, writer: 1},
     up: false}
"""
CHANGED = """
links:
  - name: near0
    mode: eth
    medium: sim
    wire: rope0
    protocol: {reader: 1, writer: 2}
    mac: 02:00:00:00:00:02
    mtu: 1450
    addresses: [10.20.0.5/24, "fd00:20::1/64", "fd00:20::5/64"]
    routes:
      - {to: 10.21.0.0/16, via: 10.20.0.2, metric: 6}
      - {to: "fd00:21::/64", via: "fd00:20::2"}
    children:
      - {name: child2, mtu: 1400, marks: [8], mac: 02:00:00:00:00:12}
      - {name: child1, marks: [7], addresses: [10.20.7.1/24], netns: other, mac: 02:00:00:00:00:11}
  - {name: far0, mode: eth, medium: sim, wire: rope0, protocol: {reader: 2, writer: 1}, netns: other, mtu: 1450,
     mac: 02:00:00:00:00:03}
  - {name: lone, mode: net_hdr, medium: sim, wire: {name: rope1, external: true}, protocol: {reader: 1, writer: 1},
     addresses: ["fd00:22::1/64"], delivery: datagram}
"""
"""What RICH becomes: every kind of operation is in between."""


class Daemons:
    """One daemon after another on the run directory of the test's machine.

    *Threads and processes:* used by the test's thread; owns the process that they are forks of.
    """

    def __init__(self, directory: Path, *, records: bool = True) -> None:
        """Start none yet; `records` says whether what they note counts in a snapshot."""
        self.rundir = RunDir(RUN_DIRECTORY)
        self._records = records
        self._order = directory / "fault.json"
        self._log = directory / "log"
        with self._log.open("w") as log:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.faulty_daemon", self._order],
                cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def arm(self, at: int, when: str, do: str) -> None:
        """Give the next plan a fault."""
        self._order.with_suffix(".new").write_text(json.dumps({"at": at, "when": when, "do": do}))
        self._order.with_suffix(".new").rename(self._order)

    def has_struck(self) -> bool:
        """Whether a plan has taken the fault that was ordered."""
        return not self._order.exists()

    def let_go(self) -> None:
        """End the waiting of a machine that was told to wait, and see it go on."""
        self._order.touch()
        self.wait_for(self.has_struck, "the machine goes on")

    def start(self, *options: str) -> int:
        """Start a daemon; its process id, once it answers."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(options) + "\n")
        self._parent.stdin.flush()
        pid = int(self._parent.stdout.readline())
        self.wait_for(self._answers, "the daemon answers")
        return pid

    def ask(self, verb: str, **args: Any) -> dict[str, Any]:
        with self.client() as client:
            return client.ask(verb, args)

    def client(self) -> Client:
        return connect(self.rundir)

    def apply(self, text: str) -> list[dict[str, Any]]:
        """Apply a configuration, without links if the text is empty; the operations."""
        result = self.ask("apply", text=text, file="x.yaml", confirm_s=0, reset_overlay=True) if text else self.down()
        operations: list[dict[str, Any]] = result["operations"]
        return operations

    def failure(self, text: str) -> GpiomuxError | None:
        """Apply a configuration; what it failed with, if it did."""
        try:
            self.apply(text)
        except GpiomuxError as err:
            return err
        self._order.unlink(missing_ok=True)  # the plan had fewer operations
        return None

    def down(self) -> dict[str, Any]:
        return self.ask("down", links=[], all=False)

    def plan(self, text: str) -> list[str]:
        return [it["text"] for it in self.ask("plan", text=text, file="x.yaml")["operations"]]

    def end(self, pid: int) -> None:
        """Tell a daemon to end, and wait until it has."""
        with suppress(ProcessLookupError):
            os.kill(pid, 15)
        self.wait_for_end(pid)

    def wait_for_end(self, pid: int) -> None:
        """Wait for the end of a daemon, whoever is its parent."""
        with suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            try:
                assert select.select([pidfd], [], [], PATIENCE_S)[0], f"process {pid} does not end"
            finally:
                os.close(pidfd)

    def snapshot(self) -> Snapshot:
        return snapshot.take(self.rundir.root, records=self._records)

    def require_one_of(self, states: list[Snapshot], what: str) -> None:
        """Fail unless the machine is as one snapshot, or soon is: a daemon recovers, the kernel works a bit later."""
        give_up = time.monotonic() + PATIENCE_S / 4
        while all(found := [snapshot.differing(state, self.snapshot()) for state in states]):
            if time.monotonic() > give_up:
                texts = ["\n  ".join(line[:LINE] for line in lines) for lines in found]
                pytest.fail(f"{what}: the machine is not as it may be:\n  " + "\nnor is it:\n  ".join(texts))
            time.sleep(POLL_S)

    def datapaths(self) -> dict[str, int]:
        """Link -> process id."""
        return {link["name"]: link["datapath"]["pid"] for link in self.ask("status")["links"]}

    def wait_for_carrier(self) -> None:
        self.wait_for(lambda: all(link["carrier"] for link in self.ask("status")["links"]), "a carrier on every link")

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > give_up:
                pytest.fail(f"never happened: {what}\n{self.log()}")
            time.sleep(POLL_S)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """Take everything down, and end what is left."""
        self._order.unlink(missing_ok=True)
        pid = 0
        if not self._answers():
            pid = self.start()
        with suppress(DaemonError):
            self.ask("down", links=[], all=True)
            pid = self.ask("status")["daemon"]["pid"]
        self.end(pid)
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.stdout.close()
        self._parent.wait()
        print(self.log())
        assert "Traceback" not in self.log()

    def _answers(self) -> bool:
        try:
            self.client().close()
        except DaemonError:
            return False
        return True
