"""Asking a line for its interrupt; tests/kernel/test_doctor.py asks real ones."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import gpiod
import pytest

from gpiomux.errors import MachineError
from gpiomux.lines.interrupts import refusal
from gpiomux.lines.toggles import CONSUMER

NODE = Path("/dev/gpiochip9")


class Request:
    """What gpiod gives for lines; tells whether it was let go."""

    released = 0

    def release(self) -> None:
        Request.released += 1


def answer(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = []

    def request_lines(path: str, config: dict[int, gpiod.LineSettings], consumer: str) -> Request:
        (offset,) = config
        asked.append((path, offset, config[offset].direction.name, config[offset].edge_detection.name, consumer))
        if error is not None:
            raise error
        return Request()

    monkeypatch.setattr(gpiod, "request_lines", request_lines)
    monkeypatch.setattr(Request, "released", 0)
    return asked


def test_a_line_that_has_one_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, None)
    assert refusal(NODE, 4) is None
    assert asked == [("/dev/gpiochip9", 4, "INPUT", "BOTH", CONSUMER)]
    assert Request.released == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENXIO, "told by gpiod"), os.strerror(errno.ENXIO)),
        (ValueError(errno.EINVAL, "Invalid argument"), "Invalid argument"),
    ],
)
def test_a_line_that_has_none(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    answer(monkeypatch, error)
    assert refusal(NODE, 4) == words


@pytest.mark.parametrize("number", [errno.EBUSY, errno.ENODEV, errno.EACCES])
def test_a_line_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    answer(monkeypatch, OSError(number, os.strerror(number)))
    with pytest.raises(MachineError, match="cannot ask line 4 of /dev/gpiochip9") as caught:
        refusal(NODE, 4)
    assert caught.value.errno == number
