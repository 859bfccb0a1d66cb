"""The null modem is what its head says: two chips, thirty-two wires, edges, faults, ends that can be unplugged."""

from __future__ import annotations

import errno
import os
import select
from contextlib import closing
from typing import TYPE_CHECKING

import gpiod
import pytest
from gpiod.line import Direction, Value

from tests.kernel import modem
from tests.kernel.raw_lines import RawLines

if TYPE_CHECKING:
    from gpiomux.lines.driver import EdgeEvent

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("cable")]

INPUTS, OUTPUTS = tuple(range(16, 32)), tuple(range(16))
WORDS = (0x0000, 0xFFFF, 0x5555, 0xAAAA, 0x0001, 0x8000, 0x1234)
PATIENCE_S = 10.0
"""How long to wait for what must come."""


def whole_end(end: int) -> RawLines:
    """A chip with its lower half as outputs, which fits the same at the other end."""
    return RawLines(modem.chip(end), inputs=INPUTS, outputs=OUTPUTS)


def events_of(lines: RawLines, count: int) -> list[EdgeEvent]:
    """As many events as must come, in the order in which the kernel noticed them; more than that is a fault."""
    poll = select.poll()
    poll.register(lines.fileno(), select.POLLIN)
    events: list[EdgeEvent] = []
    while len(events) < count:
        assert poll.poll(PATIENCE_S * 1000), f"{len(events)} of {count} events have come: {events}"
        events += lines.read_events()
    assert len(events) == count
    return sorted(events, key=lambda event: event.seqno)


@pytest.mark.parametrize("end", [0, 1])
def test_a_chip_shows_its_label_and_names(end: int) -> None:
    with gpiod.Chip(str(modem.chip(end))) as chip:
        info = chip.get_info()
        assert (info.label, info.num_lines) == (modem.LABELS[end], modem.LINES)
        names = [chip.get_line_info(offset).name for offset in range(modem.LINES)]
        directions = {chip.get_line_info(offset).direction for offset in range(modem.LINES)}
    assert names == [f"{'AB'[end]}{offset}" for offset in range(modem.LINES)]
    assert directions == {Direction.INPUT}


@pytest.mark.parametrize("end", [0, 1])
def test_levels_cross(end: int, multiple: bool) -> None:
    with closing(whole_end(end)) as near, closing(whole_end(1 - end)) as far:
        for word in WORDS:
            near.set(word << 16)
            assert far.get() & 0xFFFF == word
            assert near.get() == word << 16, "outputs read as they are driven, undriven inputs read 0"
    assert modem.fights() == 0


def test_each_wire_leads_to_one_line() -> None:
    with closing(RawLines(modem.chip(1), inputs=range(modem.LINES), outputs=())) as far:
        for offset in range(modem.LINES):
            with closing(RawLines(modem.chip(0), inputs=(), outputs=(offset,))) as near:
                near.set(1)
                assert far.get() == 1 << modem.far(offset)
            assert far.get() == 0, "a line that nobody holds is not driven"


def test_how_many_operations_a_word_takes(multiple: bool) -> None:
    with closing(whole_end(0)) as near:
        before = modem.writes()
        near.set(0xFFFF << 16)
        assert modem.writes() - before == (1 if multiple else 16)


def test_edges_are_numbered_in_the_order_of_the_writes(multiple: bool) -> None:
    with closing(whole_end(0)) as near, closing(whole_end(1)) as far:
        far.set_edges(True)
        for turn, levels in enumerate((0b01, 0b00, 0b10, 0b11, 0b00)):
            near.set(levels << 16)
            expected = {0: [(0, True)], 1: [(0, False)], 2: [(1, True)], 3: [(0, True)], 4: [(0, False), (1, False)]}
            events = events_of(far, len(expected[turn]))
            assert [(event.bit, event.rising) for event in events] == expected[turn]
            assert [event.seqno for event in events] == list(range(turn + 1, turn + 1 + len(events)))
        assert [event.line_seqno for event in events] == [4, 2]
        far.set_edges(False)
        near.set(0b11 << 16)
        assert far.read_events() == []


def test_edges_that_are_not_asked_for_do_not_come() -> None:
    settings = gpiod.LineSettings(edge_detection=gpiod.line.Edge.RISING)
    request = gpiod.request_lines(str(modem.chip(1)), {16: settings})
    with closing(whole_end(0)) as near, request:
        os.set_blocking(request.fd, False)
        for _ in range(3):
            near.set(1 << 16)
            near.set(0)
            assert request.wait_edge_events(PATIENCE_S)
            (event,) = request.read_edge_events()
            assert event.event_type is event.Type.RISING_EDGE
        with pytest.raises(BlockingIOError):
            request.read_edge_events()


def test_a_cut_wire_reads_0_and_says_so() -> None:
    with closing(whole_end(0)) as near, closing(whole_end(1)) as far:
        near.set(0b11 << 16)
        far.set_edges(True)
        modem.cut(0b01)
        assert far.get() & 0xFFFF == 0b10
        assert [(event.bit, event.rising) for event in events_of(far, 1)] == [(0, False)]
        modem.cut(0)
        assert far.get() & 0xFFFF == 0b11
        assert [(event.bit, event.rising) for event in events_of(far, 1)] == [(0, True)]


def test_a_wire_at_the_supply_reads_1_at_both_ends() -> None:
    with closing(whole_end(0)) as near, closing(whole_end(1)) as far:
        modem.pull_high(1 << 0 | 1 << 31)
        assert far.get() & 0xFFFF == 1 << 0
        assert near.get() & 0xFFFF == 1 << 15
        modem.pull_high(0)
        assert far.get() == near.get() == 0


def test_two_outputs_on_one_wire_are_noticed() -> None:
    with closing(RawLines(modem.chip(0), inputs=(), outputs=(3, 4))):
        assert modem.fights() == 0
        with closing(RawLines(modem.chip(1), inputs=(), outputs=(modem.far(4), 7))):
            assert modem.fights() == 1 << 4


def test_an_unplugged_chip_is_gone_for_its_holder_and_comes_back() -> None:
    with closing(whole_end(0)) as near, closing(whole_end(1)) as far:
        near.set(0xFFFF << 16)
        poll = select.poll()
        poll.register(near.fileno(), select.POLLIN)
        modem.unplug(0)
        try:
            assert poll.poll(PATIENCE_S * 1000) == [(near.fileno(), select.POLLERR | select.POLLHUP)]
            for refused in (near.get, near.read_events, lambda: near.set(0)):
                with pytest.raises(OSError) as caught:
                    refused()
                assert caught.value.errno == errno.ENODEV
            assert far.get() == 0, "a chip that is gone drives nothing"
        finally:
            modem.plug(0)
        with closing(whole_end(0)) as again:
            again.set(0x1234 << 16)
            assert far.get() == 0x1234


def test_chips_pose_as_others() -> None:
    with modem.replugged(labels=("pinctrl-bcm2711", "pinctrl rp1")):
        for end, label in enumerate(("pinctrl-bcm2711", "pinctrl rp1")):
            with gpiod.Chip(str(modem.chip(end))) as chip:
                assert chip.get_info().label == label


def test_gpiod_sets_and_reads_values() -> None:
    output, value = gpiod.LineSettings(direction=Direction.OUTPUT), gpiod.LineSettings(direction=Direction.INPUT)
    with (
        gpiod.request_lines(str(modem.chip(0)), {(0, 1): output}) as near,
        gpiod.request_lines(str(modem.chip(1)), {(16, 17): value}) as far,
    ):
        near.set_values({0: Value.ACTIVE, 1: Value.INACTIVE})
        assert far.get_values() == [Value.ACTIVE, Value.INACTIVE]
