"""Tests of `gpiomux.lines.gpiochip` without a chip: what it asks the kernel for, and what it makes of events.

That the kernel understands it is shown in tests/kernel.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.config.model import Bias, Drive
from gpiomux.lines import gpiochip
from gpiomux.lines.driver import EdgeEvent
from gpiomux.lines.gpiochip import GET_VALUES, SET_CONFIG, SET_VALUES, GpioLines

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUTS, OUTPUTS = (7, 3), (5, 9, 1)


class Request:
    """What the kernel would hold of a request of lines."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.levels = 0b01000
        self.sets: list[tuple[int, int]] = []
        self.configs: list[bytes] = []

    def ioctl(self, fd: int, number: int, buffer: Any) -> int:
        assert fd == self.reading
        if number == SET_CONFIG:
            self.configs.append(bytes(buffer))
        elif number == GET_VALUES:
            buffer[0] = self.levels & buffer[1]
        else:
            assert number == SET_VALUES
            self.sets.append((buffer[0], buffer[1]))
            self.levels = self.levels & ~buffer[1] | buffer[0] & buffer[1]
        return 0

    def event(self, offset: int, seqno: int, *, rising: bool = True) -> None:
        os.write(self.writing, struct.pack("=QIIII24x", 1000 + seqno, 1 if rising else 2, offset, seqno, seqno))

    def open(self, **settings: Any) -> GpioLines:
        return GpioLines(self.reading, inputs=INPUTS, outputs=OUTPUTS, **settings)


@pytest.fixture
def request_(monkeypatch: pytest.MonkeyPatch) -> Iterator[Request]:
    request = Request()
    monkeypatch.setattr(gpiochip, "ioctl", request.ioctl)
    yield request
    os.close(request.writing)


@pytest.fixture
def lines(request_: Request) -> Iterator[GpioLines]:
    lines = request_.open()
    yield lines
    lines.close()


def attributes(config: bytes) -> list[tuple[int, int, int]]:
    """Kind, value and mask of each attribute."""
    default, count = struct.unpack_from("=QI", config)
    assert default == 0, "what is not mentioned has no direction, and is left alone"
    assert not any(config[12:32])
    found = [struct.unpack_from("=IIQQ", config, 32 + 24 * index) for index in range(count)]
    assert not any(config[32 + 24 * count :])
    return [(kind, value, mask) for kind, padding, value, mask in found if padding == 0]


def test_outputs_keep_what_stands_on_them(request_: Request, lines: GpioLines) -> None:
    request_.levels = 0b00001
    assert lines.get() == 0b01001
    assert request_.sets == []


def test_only_inputs_that_matter_are_read(request_: Request, lines: GpioLines) -> None:
    request_.levels = 0b00011
    assert lines.get(0b10) == 0b01010
    assert lines.get() == 0b01011


def test_only_lines_that_change_are_set(request_: Request, lines: GpioLines) -> None:
    lines.set(0b11011)
    assert request_.sets == [(0b11000, 0b10000)]
    assert lines.get() >> 2 == 0b110


def test_setting_the_same_again_drives_every_output(request_: Request, lines: GpioLines) -> None:
    lines.set(0b01000)
    assert request_.sets == [(0b01000, 0b11100)]


def test_edges_concern_inputs_only(request_: Request, lines: GpioLines) -> None:
    lines.set_edges(True)
    lines.set_edges(False)
    assert [attributes(config) for config in request_.configs] == [[(1, 0x34, 0b11)], [(1, 0x4, 0b11)]]


def test_edges_of_some_inputs(request_: Request) -> None:
    lines = request_.open(watched=(3,), bias=Bias.PULL_UP)
    lines.set_edges(True)
    assert attributes(request_.configs[0]) == [(1, 0x134, 0b10)]
    lines.close()


def test_active_low_is_stated_for_older_kernels(request_: Request) -> None:
    lines = request_.open(watched=(3,), low=(7, 3, 9))
    lines.set_edges(True)
    assert attributes(request_.configs[0]) == [(1, 0x36, 0b10), (1, 0x2, 0b1000), (1, 0x2, 0b1)]
    lines.close()


def test_open_drain_is_stated_with_direction_and_levels(request_: Request) -> None:
    lines = request_.open(drive=Drive.OPEN_DRAIN, low=(9,))
    lines.set(0b10100)
    lines.set_edges(True)
    assert attributes(request_.configs[0]) == [
        (2, 0b10100, 0b11100),
        (1, 0x34, 0b11),
        (1, 0x48, 0b10100),
        (1, 0x4A, 0b01000),
    ]
    lines.close()


def test_events_are_sorted_as_they_happened(request_: Request, lines: GpioLines) -> None:
    for offset, seqno in ((3, 2), (7, 1), (3, 4), (7, 3)):
        request_.event(offset, seqno, rising=offset == 7)
    assert lines.read_events() == [
        EdgeEvent(1001, True, 0, 1, 1),
        EdgeEvent(1002, False, 1, 2, 2),
        EdgeEvent(1003, True, 0, 3, 3),
        EdgeEvent(1004, False, 1, 4, 4),
    ]
    assert lines.read_events() == []


def test_numbers_that_wrap_are_sorted(request_: Request, lines: GpioLines) -> None:
    for seqno in (0, 2**32 - 1, 1, 2**32 - 2):
        request_.event(7, seqno)
    assert [event.seqno for event in lines.read_events()] == [2**32 - 2, 2**32 - 1, 0, 1]


def test_a_chip_that_is_gone_says_so(request_: Request, lines: GpioLines, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> int:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(gpiochip, "ioctl", gone)
    for use in (lines.get, lambda: lines.set(0), lambda: lines.set_edges(True)):
        with pytest.raises(OSError) as caught:
            use()
        assert caught.value.errno == errno.ENODEV


def test_closing_twice_closes_once(request_: Request) -> None:
    lines = request_.open()
    lines.close()
    lines.close()
    with pytest.raises(OSError):
        os.fstat(request_.reading)
