"""Real lines keep the contract of line drivers: on the null modem, through aggregators by either door, on chips with
and without operations on several lines.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.kernel import chips, modem
from tests.lines.conftest import OUT, Ends
from tests.lines.test_contract import *  # noqa: F403  # the same tests, with other ends
from tests.lines.test_contract import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiomux.lines.driver import LineDriver

pytestmark = pytest.mark.kernel

DIRECT = "direct"


@pytest.fixture(params=[DIRECT, "configfs", "sysfs"])
def ends(request: pytest.FixtureRequest, multiple: bool, cable: None, tmp_path: Path) -> Iterator[Ends]:
    """Both ends of the null modem, each through the way that the test has."""
    with ExitStack() as stack:
        if request.param == DIRECT:
            nodes = [modem.chip(end) for end in (0, 1)]
            inputs = [offset + 16 for offset in chips.OUTPUTS]
        else:
            nodes = [stack.enter_context(chips.made(tmp_path / "chips", request.param, end)) for end in (0, 1)]
            inputs = list(chips.INPUTS)

        def open_end(end: str) -> LineDriver:
            return chips.driver(nodes["ab".index(end)], inputs, chips.OUTPUTS)

        both = Ends(open_end, open_end("a"), open_end("b"))
        yield both
        both.near.close()
        both.far.close()
    assert chips.aggregators() == []
    assert modem.fights() == 0


def test_a_full_queue_drops_its_oldest_events(ends: Ends) -> None:  # type: ignore[no-redef]  # instead of the other
    """Otherwise than on simulated lines, edges of one line that come fast may merge, share a number or get two.

    The interrupt numbers an edge, its thread reads the number later, and neither locks against the other
    (edge_irq_handler and edge_irq_thread in drivers/gpio/gpiolib-cdev.c). What holds: none is numbered backwards, and
    the newest is there. Whether the queue fills before they merge is up to the scheduler.
    """
    ends.near.set_edges(True)
    count = 3000
    for number in range(count):
        ends.far.set((number + 1 & 1) << OUT)
    seqnos: list[int] = []
    while not seqnos or seqnos[-1] < count:
        more = [event.seqno for event in told(ends.near, 1)]
        assert more, "the newest edge is never told"
        seqnos += more
    assert len(seqnos) < count
    assert seqnos == sorted(seqnos)
