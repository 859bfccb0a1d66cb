"""What the simulated lines do beyond the contract: order, standing levels, the queue and its wake-up."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from gpiomux.errors import ProtocolError
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import EVENT_CAPACITY, LINE_COUNT, Cell, block_of, map_levels, open_wire
from tests.lines.conftest import IN_A_ROW, MIXED, OUT, WAYS, sim_end

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("offsets", [IN_A_ROW, MIXED])
def test_line_by_line_goes_in_ascending_offset(wire: Path, offsets: tuple[int, ...]) -> None:
    near, far = sim_end(wire, "a", offsets), sim_end(wire, "b", offsets, atomic=False)
    near.set_edges(True)
    far.set((1 << WAYS) - 1 << OUT)
    assert [offsets[event.bit] for event in near.read_events()] == sorted(offsets)
    near.close()
    far.close()


def test_levels_stay_when_an_end_is_closed(wire: Path) -> None:
    near, far = sim_end(wire, "a", MIXED), sim_end(wire, "b", MIXED)
    near.set(0b1011 << OUT)
    near.close()
    assert far.get() == 0b1011
    near = sim_end(wire, "a", MIXED)
    assert near.get() == 0b1011 << OUT, "and the next holder finds them"
    assert far.get() == 0b1011
    near.close()
    far.close()


def test_a_line_is_wired_to_the_one_sixteen_further(wire: Path) -> None:
    for offset in range(LINE_COUNT):
        opposite = (offset + LINE_COUNT // 2) % LINE_COUNT
        near = SimulatedLines(open_wire(wire, "a"), "a", inputs=[opposite], outputs=[offset])
        far = SimulatedLines(open_wire(wire, "b"), "b", inputs=[opposite], outputs=[offset])
        near.set(0b10)
        assert (near.get(), far.get()) == (0b10, 0b01)
        near.set(0)
        near.close()
        far.close()


def test_any_offsets_in_any_order(wire: Path) -> None:
    for seed in range(30):
        draws = random.Random(seed)
        offsets = draws.sample(range(16), draws.randrange(1, 16))
        near = sim_end(wire, "a", offsets, atomic=draws.random() < 0.5)
        far = sim_end(wire, "b", offsets, atomic=draws.random() < 0.5)
        for _ in range(20):
            one, two = draws.getrandbits(len(offsets)), draws.getrandbits(len(offsets))
            near.set(one << len(offsets))
            far.set(two << len(offsets))
            assert near.get() == one << len(offsets) | two
            assert far.get() == two << len(offsets) | one
        near.close()
        far.close()


def test_an_unread_wake_up_pipe_blocks_nobody(wire: Path) -> None:
    near, far = sim_end(wire, "a", MIXED), sim_end(wire, "b", MIXED)
    near.set_edges(True)
    for number in range(70_000):  # a pipe holds 65,536 bytes
        far.set((number & 1) << OUT)
    events = near.read_events()
    assert events[-1].seqno == 69_999
    near.close()
    far.close()


def test_an_event_that_is_being_overwritten_is_not_told(wire: Path) -> None:
    """The far end writes into the oldest slot of a full queue before it says so."""
    near, far = sim_end(wire, "a", IN_A_ROW), sim_end(wire, "b", IN_A_ROW)
    near.set_edges(True)
    for number in range(EVENT_CAPACITY):
        far.set((number + 1 & 1) << OUT)
    fds = open_wire(wire, "b")
    with map_levels(fds[0]) as mapping, memoryview(mapping).cast("Q") as cells:
        cells[block_of("a") + Cell.EVENTS] = torn_ns = 7
    for fd in fds:
        os.close(fd)
    events = near.read_events()
    assert torn_ns not in [event.timestamp_ns for event in events]
    assert [event.seqno for event in events] == list(range(2, EVENT_CAPACITY + 1))
    near.close()
    far.close()


def test_sequence_numbers_are_those_of_32_bits(wire: Path) -> None:
    near, far = sim_end(wire, "a", IN_A_ROW), sim_end(wire, "b", IN_A_ROW)
    near.close()
    fds = open_wire(wire, "b")
    with map_levels(fds[0]) as mapping, memoryview(mapping).cast("Q") as cells:
        cells[block_of("a") + Cell.EVENTS_WRITTEN] = 2**32 - 1
        cells[block_of("a") + Cell.LINE_SEQNO + IN_A_ROW[0] + 16] = 2**32 - 1
    for fd in fds:
        os.close(fd)
    near = sim_end(wire, "a", IN_A_ROW)
    near.set_edges(True)
    for levels in (1, 0):
        far.set(levels << OUT)
    # Counted on over all requests in the file, where they have gone round; a request counts its own.
    assert [(event.seqno, event.line_seqno) for event in near.read_events()] == [(1, 1), (2, 2)]
    near.close()
    far.close()


def test_a_file_that_is_no_wire_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "levels"
    path.write_bytes(b"gpiomuxw")
    fd = os.open(path, os.O_RDWR)
    with pytest.raises(ProtocolError, match="8 bytes"):
        SimulatedLines([fd, fd, fd], "a", inputs=[16], outputs=[0])
    os.close(fd)
