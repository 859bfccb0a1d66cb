"""Lines that are moved one at a time: simulated ones here, real ones in tests/kernel/test_doctor.py."""

from __future__ import annotations

import errno
from contextlib import closing
from pathlib import Path
from typing import Any

import gpiod
import pytest
from gpiod.line import Value

from gpiomux.config.defaults import SIM_LINES
from gpiomux.errors import MachineError
from gpiomux.lines.toggles import CONSUMER, RealToggles, SimulatedToggles
from gpiomux.lines.wire_file import make_wire, open_wire

INPUTS = len(SIM_LINES.inputs)


def test_what_one_end_drives_arrives_at_the_other(tmp_path: Path) -> None:
    make_wire(tmp_path / "wire")
    with (
        closing(SimulatedToggles(open_wire(tmp_path / "wire", "a"), "a", SIM_LINES)) as near,
        closing(SimulatedToggles(open_wire(tmp_path / "wire", "b"), "b", SIM_LINES)) as far,
    ):
        for number in range(INPUTS):
            near.drive(INPUTS + number, 1)
            assert far.get() == 1 << number
            near.drive(INPUTS + number, 0)
            assert far.get() == 0
        near.drive(INPUTS, 1)
        near.rest(INPUTS)
        assert far.get() == 0


class FakeRequest:
    """Lines of a chip by offset: None while a line is an input."""

    def __init__(self, levels: dict[int, int]) -> None:
        self.levels = levels
        self.driven: dict[int, bool | None] = {}
        self.released = False
        self.gone = False

    def take(self, settings: dict[int, gpiod.LineSettings]) -> None:
        self.driven = {
            offset: it.output_value is Value.ACTIVE if it.direction.name == "OUTPUT" else None
            for offset, it in settings.items()
        }

    def reconfigure_lines(self, settings: dict[int, gpiod.LineSettings]) -> None:
        if self.gone:
            raise OSError(errno.ENODEV, "No such device")
        assert settings.keys() == self.driven.keys(), "all lines are named each time"
        self.take(settings)

    def set_value(self, offset: int, value: Value) -> None:
        assert self.driven[offset] is not None
        self.driven[offset] = value is Value.ACTIVE

    def get_values(self, offsets: list[int]) -> list[Value]:
        if self.gone:
            raise OSError(errno.ENODEV, "No such device")
        return [Value.ACTIVE if self.driven[it] or self.levels.get(it) else Value.INACTIVE for it in offsets]

    def release(self) -> None:
        self.released = True


@pytest.fixture
def chips(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeRequest]:
    """Two chips, `one` and `two`; a third is in use."""
    made = {"one": FakeRequest({7: 1}), "two": FakeRequest({})}

    def request_lines(path: str, settings: Any, consumer: str) -> FakeRequest:
        assert consumer == CONSUMER
        if path not in made:
            raise OSError(errno.EBUSY, "Device or resource busy")
        made[path].take(settings)
        return made[path]

    monkeypatch.setattr(gpiod, "request_lines", request_lines)
    return made


PLACES = [(Path("one"), 7), (Path("two"), 3), (Path("one"), 4)]


def test_lines_of_two_chips_are_one_row_of_bits(chips: dict[str, FakeRequest]) -> None:
    lines = RealToggles(PLACES, SIM_LINES, frozenset())
    assert lines.get() == 0b001
    assert chips["one"].driven == {7: None, 4: None}
    lines.drive(2, 0)
    assert chips["one"].driven == {7: None, 4: False}
    lines.drive(2, 1)
    assert lines.get() == 0b101
    lines.rest(2)
    assert chips["one"].driven == {7: None, 4: None}
    lines.drive(1, 1)
    assert chips["two"].driven == {3: True}
    lines.close()
    lines.close()
    assert chips["two"].driven == {3: None}, "it rests before it is released"
    assert all(chip.released for chip in chips.values())


def test_a_chip_that_is_in_use_gives_the_others_back(chips: dict[str, FakeRequest]) -> None:
    with pytest.raises(MachineError) as caught:
        RealToggles([*PLACES, (Path("three"), 0)], SIM_LINES, frozenset())
    assert caught.value.errno == errno.EBUSY
    assert all(chip.released for chip in chips.values())


def test_a_chip_that_goes(chips: dict[str, FakeRequest]) -> None:
    with closing(RealToggles(PLACES, SIM_LINES, frozenset())) as lines:
        lines.drive(2, 1)
        chips["one"].gone = True
        for act in (lines.get, lambda: lines.drive(0, 1), lambda: lines.rest(0)):
            with pytest.raises(MachineError) as caught:
                act()
            assert caught.value.errno == errno.ENODEV
