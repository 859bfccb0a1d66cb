"""gpio-aggregator and gpio-sim are there, through each of their doors, and carry levels and edges of the null modem."""

from __future__ import annotations

import select
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import gpiod
import pytest
from gpiod.line import Edge

from tests.kernel import modem
from tests.kernel.aggregators import AGGREGATOR, CONFIGFS, PLATFORM, node_of, through_configfs, through_sysfs
from tests.kernel.raw_lines import RawLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("cable")]

PATIENCE_S = 10.0

OUTPUTS, INPUTS = (0, 1, 2, 3, 8), (16, 17, 18, 19, 24)
"""A link of four bits, the same at both ends of the null modem."""
NEAR_OUT, NEAR_IN = range(5), range(5, 10)
"""The same lines on an aggregator of OUTPUTS and INPUTS."""


def wait_for_input(lines: RawLines) -> None:
    poll = select.poll()
    poll.register(lines.fileno(), select.POLLIN)
    assert poll.poll(PATIENCE_S * 1000), "no edge has come"


@pytest.mark.parametrize("door", [through_configfs, through_sysfs])
def test_aggregators_forward_levels_and_edges(
    door: Callable[[str, Sequence[int]], AbstractContextManager[Path]], multiple: bool
) -> None:
    with (
        door(modem.LABELS[0], (*OUTPUTS, *INPUTS)) as near_chip,
        door(modem.LABELS[1], (*OUTPUTS, *INPUTS)) as far_chip,
        closing(RawLines(near_chip, inputs=NEAR_IN, outputs=NEAR_OUT)) as near,
        closing(RawLines(far_chip, inputs=NEAR_IN, outputs=NEAR_OUT)) as far,
    ):
        with gpiod.Chip(str(modem.chip(0))) as source:
            assert source.get_line_info(OUTPUTS[0]).consumer.startswith("gpio-aggregator.")
        far.set_edges(True)
        for turn, word in enumerate((0b00001, 0b10001, 0b10000)):
            near.set(word << len(INPUTS))
            wait_for_input(far)
            (event,) = far.read_events()
            assert event.seqno == turn + 1
            assert far.get() & 0b11111 == word
        far.set(0b01010 << len(INPUTS))
        assert near.get() & 0b11111 == 0b01010
    assert modem.fights() == 0
    assert not list(AGGREGATOR.glob("gpio-aggregator.*"))


@pytest.mark.parametrize("name", ["near", "far"])
def test_the_device_tree_names_lines_of_the_null_modem(name: str) -> None:
    """`near` and `far` of board.dts, ten lines each, become chips when the driver is put on them."""
    with overridden(name) as chip, gpiod.Chip(str(chip)) as opened:
        info = opened.get_info()
        assert (info.label, info.num_lines) == (name, 20)


def test_the_door_of_the_device_tree_opens() -> None:
    """The example in the kernel's documentation, on a simulated chip of the device tree."""
    with overridden("door") as chip:
        with gpiod.Chip(str(chip)) as opened:
            assert [opened.get_line_info(offset).name for offset in (0, 1)] == ["open", "lock"]
        value = simulated("dt-bank") / "sim_gpio1/value"
        with closing(RawLines(chip, inputs=(), outputs=(0, 1))) as lines:
            lines.set(0b10)
            assert value.read_text() == "1\n"
    assert not chip.exists()


@contextmanager
def overridden(name: str) -> Iterator[Path]:
    """A device of the device tree with the aggregator put on it as its driver."""
    device = PLATFORM / "devices" / name
    (device / "driver_override").write_text("gpio-aggregator")
    (AGGREGATOR / "bind").write_text(name)
    try:
        yield node_of(name)
    finally:
        (AGGREGATOR / "unbind").write_text(name)
        (device / "driver_override").write_text("\n")


def simulated(label: str) -> Path:
    """Directory of a simulated chip, where its lines can be pulled and looked at."""
    for directory in PLATFORM.glob("devices/*gpio-sim*/gpiochip*"):
        with gpiod.Chip(f"/dev/{directory.name}") as chip:
            if chip.get_info().label == label:
                return directory
    raise AssertionError(f"no simulated chip is called {label}")


def test_a_simulated_chip_shows_what_is_pulled() -> None:
    place = CONFIGFS / "gpio-sim" / "test"
    bank = place / "bank"
    place.mkdir()
    bank.mkdir()
    try:
        (bank / "num_lines").write_text("4")
        (bank / "label").write_text("test-bank")
        (place / "live").write_text("1")
        chip = f"/dev/{(bank / 'chip_name').read_text().strip()}"
        settings = gpiod.LineSettings(edge_detection=Edge.RISING)
        with gpiod.request_lines(chip, {2: settings}) as request:
            (simulated("test-bank") / "sim_gpio2/pull").write_text("pull-up")
            assert request.wait_edge_events(PATIENCE_S)
            (event,) = request.read_edge_events()
            assert event.line_offset == 2
    finally:
        (place / "live").write_text("0")
        bank.rmdir()
        place.rmdir()


def test_an_aggregator_of_an_unplugged_chip_can_be_removed() -> None:
    with through_configfs(modem.LABELS[0], OUTPUTS) as chip, closing(RawLines(chip, inputs=(), outputs=(0,))) as lines:
        modem.unplug(0)
        try:
            with pytest.raises(OSError, match="No such device"):
                lines.set(1)
        finally:
            modem.plug(0)
    begun_s = time.monotonic()
    while chip.exists():
        assert time.monotonic() < begun_s + PATIENCE_S
