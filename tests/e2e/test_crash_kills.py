"""The daemon killed before and after every operation: the next one leads to the old state or to the new one."""

from __future__ import annotations

import os
import signal
from itertools import count
from typing import TYPE_CHECKING

import pytest

from gpiomux.errors import DaemonError
from tests.e2e.daemons import CHANGED, EXAMPLES, RICH, Daemons
from tests.e2e.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.netns

TWO_LINKS = EXAMPLES["two-links.yaml"]
ROADS = {
    "first apply of two-links": ("", TWO_LINKS),
    "down of two-links": (TWO_LINKS, ""),
    "first apply of much": ("", RICH),
    "change of much": (RICH, CHANGED),
}
if "CI" in os.environ:  # two minutes more
    ROADS["first apply of three-modes"] = ("", EXAMPLES["three-modes.yaml"])
    ROADS["down of three-modes"] = (EXAMPLES["three-modes.yaml"], "")


def both(text: str, other: str) -> str:
    """Two configurations in one."""
    return text + other.split("links:", 1)[1]


@pytest.fixture
def daemons(tmp_path: Path, network: None) -> Iterator[Daemons]:
    daemons = Daemons(tmp_path, records=False)
    yield daemons
    daemons.close()


def lead(daemons: Daemons, text: str) -> None:
    daemons.apply(text)
    assert daemons.plan(text or "links: []") == []


def kill_at_every_operation(daemons: Daemons, when: str, old: str, new: str) -> int:
    """Lead from one configuration to another, killed at each operation; the number of operations."""
    daemons.start()
    lead(daemons, new)
    new_state = daemons.snapshot()
    for number in count():
        lead(daemons, old)
        old_state = daemons.snapshot()
        victim = daemons.ask("status")["daemon"]["pid"]
        daemons.arm(number, when, "kill")
        err = daemons.failure(new)
        if err is None:
            return number
        assert isinstance(err, DaemonError), err
        daemons.wait_for_end(victim)
        daemons.start()
        daemons.require_one_of([old_state, new_state], f"killed {when} operation {number}")
        lead(daemons, new)
        daemons.require_one_of([new_state], f"applied again after a kill {when} operation {number}")
    raise AssertionError


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("road", ROADS)
def test_the_next_daemon_leads_to_the_old_or_the_new_state(daemons: Daemons, road: str, when: str) -> None:
    assert kill_at_every_operation(daemons, when, *ROADS[road]) > 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_links_that_have_no_part_in_it_lose_no_packet(daemons: Daemons, when: str) -> None:
    daemons.start()
    daemons.apply(TWO_LINKS)
    daemons.wait_for_carrier()
    pids = daemons.datapaths()
    with Stream("far", "10.10.0.2") as stream:
        victim = daemons.ask("status")["daemon"]["pid"]
        daemons.end(victim)
        assert kill_at_every_operation(daemons, when, both(TWO_LINKS, RICH), both(TWO_LINKS, CHANGED)) > 4
    assert (stream.lost(), stream.errors) == ([], [])
    assert stream.sent > 100
    assert {link: daemons.datapaths()[link] for link in pids} == pids


def test_a_new_daemon_takes_over_without_losing_a_packet(daemons: Daemons) -> None:
    daemons.start()
    daemons.apply(TWO_LINKS)
    daemons.wait_for_carrier()
    pids = daemons.datapaths()
    with Stream("far", "10.10.0.2") as stream:
        for _ in range(3):
            victim = daemons.ask("status")["daemon"]["pid"]
            os.kill(victim, signal.SIGKILL)
            daemons.wait_for_end(victim)
            daemons.start()
            assert daemons.apply(TWO_LINKS) == []
    assert (stream.lost(), stream.errors) == ([], [])
    assert stream.sent > 20
    assert daemons.datapaths() == pids
