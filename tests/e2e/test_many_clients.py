"""Twenty clients with mixed commands at once, and readers while a change takes its time."""

from __future__ import annotations

import os
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.errors import ConflictError, GpiomuxError, UsageError
from tests.e2e.daemons import EXAMPLES, Daemons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.netns

CLIENTS = 20
SECONDS = 30.0 if "CI" in os.environ else 6.0
TWO_LINKS = EXAMPLES["two-links.yaml"]
READING = ("show", "status", "stats", "diff", "history", "chips")


@pytest.fixture
def daemons(tmp_path: Path, network: None) -> Iterator[Daemons]:
    daemons = Daemons(tmp_path)
    yield daemons
    daemons.close()


class Client(threading.Thread):
    """Adds and removes one child with one mark, and knows what it must be answered; in between it reads.

    *Threads and processes:* a thread of its own; `wrong` is read when it has ended.
    """

    def __init__(self, number: int, daemons: Daemons, until_s: float) -> None:
        super().__init__()
        self.link, self.child, self.mark = f"geth{number % 2}", f"child{number}", 100 + number
        self.has_child = self.has_mark = False
        self.asked = 0
        self.wrong: list[str] = []
        self._daemons, self._until_s = daemons, until_s
        self._random = random.Random(number)

    def run(self) -> None:
        steps = (self._child, self._mark, self._read, self._plan, self._apply, self._nonsense)
        with self._daemons.client() as self._client:
            while time.monotonic() < self._until_s and not self.wrong:
                self._random.choice(steps)()
                self.asked += 1

    def _ask(self, verb: str, expected: type[GpiomuxError] | None, **args: Any) -> dict[str, Any]:
        try:
            result = self._client.ask(verb, args)
        except GpiomuxError as err:
            if expected is None or not isinstance(err, expected):
                self.wrong.append(f"{verb} {args}: {type(err).__name__}: {err}")
            return {}
        if expected is not None:
            self.wrong.append(f"{verb} {args}: done, but {expected.__name__} was due")
        return result

    def _child(self) -> None:
        verb = self._random.choice(("add-child", "del-child"))
        fits = self.has_child is (verb == "del-child")
        place = {"link": self.link} if verb == "add-child" else {}
        self._ask(verb, None if fits else UsageError, child=self.child, **place)
        if fits:
            self.has_child, self.has_mark = not self.has_child, False

    def _mark(self) -> None:
        """To bind what is bound already is no error: there is nothing to do."""
        verb = self._random.choice(("add-mark", "del-mark"))
        fits = self.has_child and (verb == "add-mark" or self.has_mark)
        self._ask(verb, None if fits else UsageError, child=self.child, mark=self.mark)
        if fits:
            self.has_mark = verb == "add-mark"

    def _read(self) -> None:
        verb = self._random.choice(READING)
        result = self._ask(verb, None)
        if verb == "show" and result:
            children = {
                child["name"]: child.get("marks", []) for link in result["config"]["links"]
                for child in link.get("children", ())
            }  # fmt: skip
            expected = [self.mark] if self.has_mark else []
            if children.get(self.child) != (expected if self.has_child else None):
                self.wrong.append(f"show: {children}, but {self.child} has {expected}")

    def _plan(self) -> None:
        self._ask("plan", UsageError, text="links: []", file="x.yaml", reset_overlay=3)

    def _apply(self) -> None:
        """While one of ours is there, the file alone would lose it; otherwise others may have some, or nobody."""
        if self.has_child:
            self._ask("apply", ConflictError, text=TWO_LINKS, file="x.yaml")

    def _nonsense(self) -> None:
        self._ask("restart", UsageError, link="geth7")
        self._ask("down", UsageError, links=["geth7"])


def test_every_client_gets_the_right_answers(daemons: Daemons) -> None:
    daemons.start()
    daemons.apply(TWO_LINKS)
    pids = daemons.datapaths()
    clients = [Client(number, daemons, time.monotonic() + SECONDS) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert [wrong for client in clients for wrong in client.wrong] == []
    assert min(client.asked for client in clients) > 1
    assert daemons.ask("diff")["operations"] == []
    shown = {
        child["name"]: child.get("marks", [])
        for link in daemons.ask("show")["config"]["links"]
        for child in link.get("children", ())
    }
    assert shown == {it.child: [it.mark] if it.has_mark else [] for it in clients if it.has_child}
    assert daemons.datapaths() == pids


def test_readers_are_answered_while_a_change_takes_its_time(daemons: Daemons) -> None:
    daemons.start()
    daemons.apply(TWO_LINKS)
    daemons.arm(1, "before", "wait")
    done: list[dict[str, Any]] = []
    change = threading.Thread(target=lambda: done.append(daemons.down()))
    change.start()
    daemons.wait_for(daemons.has_struck, "the change has begun")
    for verb in READING:
        daemons.ask(verb)
    daemons.ask("plan", text=TWO_LINKS, file="x.yaml")
    assert [link["name"] for link in daemons.ask("show")["config"]["links"]] == ["geth0", "geth1"]
    assert done == []
    daemons.let_go()
    change.join()
    assert done
    assert daemons.ask("show")["config"].get("links", []) == []
