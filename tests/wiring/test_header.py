"""gpiomux.wiring.header: the pins of a Raspberry Pi."""

from __future__ import annotations

from collections import Counter

import pytest

from gpiomux.wiring import header


def test_every_line_has_one_pin_and_every_pin_one_meaning() -> None:
    pins = [header.pin_of(offset) for offset in range(28)]
    assert len(set(pins)) == 28
    assert [header.LABELS[pin] for pin in pins if pin is not None] == [f"GPIO{offset}" for offset in range(28)]
    others = Counter(label for pin, label in header.LABELS.items() if pin not in pins)
    assert others == {"GND": 8, "3.3 V": 2, "5 V": 2}
    assert header.LABELS[header.GROUND_PIN] == header.GROUND


def test_a_line_beyond_the_header_has_no_pin() -> None:
    assert header.pin_of(28) is None


@pytest.mark.parametrize(
    ("name", "offset"),
    [("GPIO17", 17), ("GPIO0", 0), ("ID_SCL", 1), ("GPIO28", None), ("GPIO", None), ("GPIO٣", None), ("17", None)],
)
def test_a_name_of_the_kernel_is_an_offset(name: str, offset: int | None) -> None:
    assert header.offset_of(name) == offset
