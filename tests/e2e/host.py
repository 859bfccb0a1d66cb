"""The machine of an end-to-end test: a private world in which gpiomux is used as its manual says.

Every command goes through the installed program, every packet through a real interface. The near end of a link is in
the test's own network namespace, the far end in one that `apply` makes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
GPIOMUX = Path(sys.executable).with_name("gpiomux")
RUN_DIRECTORY = Path("/run/gpiomux")
LOG = RUN_DIRECTORY / "gpiomuxd.log"

PATIENCE_S = 60.0
"""How long a state may take to come true. Not a limit on speed: only a broken program ever waits so long."""
POLL_S = 0.02

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command gave back."""

    exit_status: int
    output: str
    errors: str


class Host:
    """Commands on the test's machine, and what there is to see on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def file(self, text: str) -> str:
        """Write a configuration; its path."""
        path = self.directory / "links.yaml"
        path.write_text(text)
        return str(path)

    def ask(self, *words: str) -> Answer:
        """Run `gpiomux`; whatever it says, no traceback may show."""
        done = subprocess.run([GPIOMUX, *words], cwd=ROOT, text=True, capture_output=True, timeout=PATIENCE_S * 2)
        assert "Traceback" not in done.stderr, done.stderr
        assert "internal error" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    def gpiomux(self, *words: str) -> str:
        """Run `gpiomux`, which must succeed; its output."""
        answer = self.ask(*words)
        assert answer.exit_status == 0, f"gpiomux {' '.join(words)}: {answer}"
        return answer.output

    def apply(self, text: str) -> str:
        """Apply a configuration and wait until every link has a carrier."""
        output = self.gpiomux("apply", self.file(text))
        self.wait_for_carrier()
        return output

    def run(self, *words: str, netns: str | None = None) -> str:
        """Run any other program, in a named network namespace if one is given; it must succeed."""
        prefix = () if netns is None else ("ip", "netns", "exec", netns)
        done = subprocess.run([*prefix, *words], text=True, capture_output=True)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def status(self) -> Status:
        answer: Status = json.loads(self.gpiomux("status", "--json"))
        return answer

    def stats(self) -> Status:
        answer: Status = json.loads(self.gpiomux("stats", "--json"))
        return answer

    def link(self, name: str) -> Status:
        """One link's part of the status."""
        (link,) = (link for link in self.status()["links"] if link["name"] == name)
        return dict(link)

    def datapaths(self) -> dict[str, int]:
        """Link -> process id of its datapath."""
        return {link["name"]: link["datapath"]["pid"] for link in self.status()["links"]}

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is true; say what the machine looked like if it never is."""
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > give_up:
                pytest.fail(f"never happened: {what}\n{self.gpiomux('status')}")
            time.sleep(POLL_S)

    def wait_for_carrier(self) -> None:
        self.wait_for(lambda: all(link["carrier"] for link in self.status()["links"]), "a carrier on every link")

    def marks_work_inwards(self) -> bool:
        """Whether a received packet bears its mark: only where the kernel grants BPF (see `status`)."""
        methods = {link["marks"]["method"] for link in self.status()["links"]}
        assert methods <= {"bpf-tcx", "bpf-clsact", "packet-socket"}
        assert len(methods) == 1
        return methods != {"packet-socket"}


def links_file(
    *,
    mode: str = "net_hdr",
    near: str = "addresses: [10.10.0.1/24]",
    far: str = "addresses: [10.10.0.2/24]",
    near_protocol: str = "{reader: 0x12, writer: 0x8}",
    far_protocol: str = "{reader: 0x8, writer: 0x12}",
) -> str:
    """A configuration of one pair of links, `geth0` here and `geth1` in the namespace `far`.

    Args:
        mode: of both links.
        near: more properties of geth0, in flow style.
        far: more properties of geth1.
        near_protocol: ids of geth0.
        far_protocol: ids of geth1.
    """
    return (
        "links:\n"
        f"  - {{name: geth0, mode: {mode}, medium: sim, wire: cable0, protocol: {near_protocol}, {near}}}\n"
        f"  - {{name: geth1, mode: {mode}, medium: sim, wire: cable0, protocol: {far_protocol}, netns: far, {far}}}\n"
    )
