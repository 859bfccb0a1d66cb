"""Whatever operation fails, and whether or not it was done all the same: the machine is as it was before."""

from __future__ import annotations

import errno
from itertools import count
from typing import TYPE_CHECKING

import pytest

from gpiomux.errors import MachineError
from tests.e2e.daemons import CHANGED, EXAMPLES, RICH, Daemons
from tests.e2e.faulty_daemon import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.netns

ROADS = {
    "first apply of two-links": ("", EXAMPLES["two-links.yaml"]),
    "down of two-links": (EXAMPLES["two-links.yaml"], ""),
    "first apply of three-modes": ("", EXAMPLES["three-modes.yaml"]),
    "down of three-modes": (EXAMPLES["three-modes.yaml"], ""),
    "first apply of much": ("", RICH),
    "change of much": (RICH, CHANGED),
    "down of much": (RICH, ""),
}


@pytest.fixture
def daemons(tmp_path: Path, network: None) -> Iterator[Daemons]:
    daemons = Daemons(tmp_path)
    yield daemons
    daemons.close()


@pytest.mark.parametrize("road", ROADS)
def test_every_operation_that_fails(daemons: Daemons, road: str) -> None:
    old, new = ROADS[road]
    daemons.start()
    for when in ("before", "after"):
        if old:
            daemons.apply(old)
        before = daemons.snapshot()
        for number in count():
            daemons.arm(number, when, "fail")
            err = daemons.failure(new)
            if err is None:
                break
            assert isinstance(err, MachineError), err
            assert (err.errno, err.exit_status) == (errno.EIO, 1)
            done = "what was done before is undone" if number or when == "after" else "nothing was changed"
            assert err.message.endswith(f": {WORDS}; {done}"), err.message
            daemons.require_one_of([before], f"{when} operation {number}, {err.message}")
        assert number > 4
        daemons.down()
