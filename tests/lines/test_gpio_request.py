"""What `gpiomux.lines.gpio_request` asks of gpiod, and what becomes of its refusals; on real lines see tests/kernel."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gpiod
import pytest
from gpiod.line import Bias as GpiodBias
from gpiod.line import Direction, Value
from gpiod.line import Drive as GpiodDrive

from gpiomux.config.model import Bias, Bundle, Drive, Lines, PulseLines
from gpiomux.errors import MachineError
from gpiomux.lines.gpio_request import request, rest

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = Path("/dev/gpiochip7")
INPUTS, OUTPUTS = (5, 3), (9, 2)
LINES = Lines(
    out=Bundle(data=(0,), req=1, ack=2),
    into=Bundle(data=(3,), req=4, ack=5),
    bias=Bias.PULL_UP,
    drive=Drive.OPEN_DRAIN,
)
STANDING = {9: Value.ACTIVE, 2: Value.INACTIVE}
"""What the outputs carry already."""


class FakeRequest:
    """A request as gpiod gives it, over one end of a pipe."""

    def __init__(self, settings: dict[Any, Any]) -> None:
        self.settings = [settings]
        self.fd, self._other = os.pipe()
        self.released = False

    def __enter__(self) -> FakeRequest:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def get_values(self, offsets: list[int]) -> list[Value]:
        return [STANDING[offset] for offset in offsets]

    def reconfigure_lines(self, settings: dict[Any, Any]) -> None:
        self.settings.append(settings)

    def release(self) -> None:
        if not self.released:
            self.released = True
            os.close(self.fd)
            os.close(self._other)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeRequest]]:
    """The requests that are made of gpiod."""
    requests: list[FakeRequest] = []

    def request_lines(
        path: str, settings: dict[Any, Any], consumer: str, event_buffer_size: int | None = None
    ) -> FakeRequest:
        assert (path, consumer) == (str(NODE), "gpiomux-g0")
        assert event_buffer_size in (None, 1024)
        requests.append(FakeRequest(settings))
        return requests[-1]

    monkeypatch.setattr(gpiod, "request_lines", request_lines)
    yield requests
    assert all(one.released for one in requests)


def test_lines_are_taken_as_they_stand_and_then_given_their_directions(made: list[FakeRequest]) -> None:
    """The peer must see no change of level."""
    fd = request(NODE, LINES, INPUTS, OUTPUTS, frozenset({3, 9}), "gpiomux-g0")
    assert not os.get_blocking(fd), "a reader that sleeps in read(2) keeps its chip from being removed"
    os.close(fd)
    first, second = made[0].settings
    assert list(first) == [*INPUTS, *OUTPUTS], "bit i of all levels is the i-th line of the request"
    assert {settings.direction for settings in first.values()} == {Direction.AS_IS}
    for settings in (first, second):
        assert {offset for offset, one in settings.items() if one.active_low} == {3, 9}
    for offset in INPUTS:
        assert (second[offset].direction, second[offset].bias) == (Direction.INPUT, GpiodBias.PULL_UP)
    for offset in OUTPUTS:
        assert (second[offset].direction, second[offset].drive) == (Direction.OUTPUT, GpiodDrive.OPEN_DRAIN)
        assert second[offset].output_value is STANDING[offset]


def test_outputs_of_the_pulse_code_are_low_from_the_request_on(made: list[FakeRequest]) -> None:
    """Whatever stands on them: a gpiosk board must never see an edge rise that is no pulse."""
    pulses = Lines(out=PulseLines(ctl=0, data=1), into=PulseLines(ctl=2, data=3))
    os.close(request(NODE, pulses, INPUTS, OUTPUTS, frozenset(), "gpiomux-g0"))
    first, second = made[0].settings
    assert {settings.direction for settings in first.values()} == {Direction.AS_IS}
    assert {second[offset].output_value for offset in OUTPUTS} == {Value.INACTIVE}


def test_lines_at_rest_are_inputs_and_released(made: list[FakeRequest]) -> None:
    rest(NODE, OUTPUTS, "gpiomux-g0")
    (settings,) = made[0].settings
    assert [(offsets, one.direction) for offsets, one in settings.items()] == [(OUTPUTS, Direction.INPUT)]


@pytest.mark.parametrize(
    ("refusal", "number", "said"),
    [
        (OSError(errno.EBUSY, "Device or resource busy"), errno.EBUSY, "Device or resource busy"),
        (ValueError(errno.EINVAL, "Invalid argument"), errno.EINVAL, "Invalid argument"),
        (ValueError("line offset of out range"), errno.EINVAL, "line offset of out range"),
    ],
)
def test_refusals_keep_their_number_and_words(
    monkeypatch: pytest.MonkeyPatch, refusal: Exception, number: int, said: str
) -> None:
    """gpiod makes a ValueError of EINVAL, and of what it refuses itself."""

    def refuse(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr(gpiod, "request_lines", refuse)
    for ask in (
        lambda: request(NODE, LINES, INPUTS, OUTPUTS, frozenset(), "gpiomux-g0"),
        lambda: rest(NODE, OUTPUTS, "gpiomux-g0"),
    ):
        with pytest.raises(MachineError) as caught:
            ask()
        assert caught.value.errno == number
        assert caught.value.message == f"{NODE}: cannot request the lines of the link: {said}"
