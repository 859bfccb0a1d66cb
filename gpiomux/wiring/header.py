"""The 40-pin header that every Raspberry Pi since the B+ has: which pin is which line, which are ground and supply.

Source: "GPIO and the 40-pin header" of the Raspberry Pi documentation. The lines keep their numbers (BCM) on all
models: they are the offsets 0..27 of the chip that drives the header.
"""

from __future__ import annotations

CHIPS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
"""Labels of the chips whose offsets 0..27 are on the header: models up to 3, model 4, model 5."""
PINS = 40
GROUND = "GND"
GROUND_PIN = 39
"""The ground that is used: the last pin of its column, easily found."""

_PIN_OF_GPIO = {
    2: 3,
    3: 5,
    4: 7,
    14: 8,
    15: 10,
    17: 11,
    18: 12,
    27: 13,
    22: 15,
    23: 16,
    24: 18,
    10: 19,
    9: 21,
    25: 22,
    11: 23,
    8: 24,
    7: 26,
    0: 27,
    1: 28,
    5: 29,
    6: 31,
    12: 32,
    13: 33,
    19: 35,
    16: 36,
    26: 37,
    20: 38,
    21: 40,
}
FIVE_VOLTS = "5 V"
_SUPPLY = {1: "3.3 V", 2: FIVE_VOLTS, 4: FIVE_VOLTS, 17: "3.3 V"}
_BOARD_ID = {"ID_SDA": 0, "ID_SCL": 1}
"""What the kernel calls the lines of the EEPROM of an add-on board."""

LABELS = {
    pin: {number: f"GPIO{gpio}" for gpio, number in _PIN_OF_GPIO.items()}.get(pin) or _SUPPLY.get(pin, GROUND)
    for pin in range(1, PINS + 1)
}
"""Pin -> what is on it: `GPIO17`, `3.3 V`, `5 V` or `GND`."""


def pin_of(offset: int) -> int | None:
    """The pin of a line of one of `CHIPS`; None for one that is not on the header."""
    return _PIN_OF_GPIO.get(offset)


def offset_of(name: str) -> int | None:
    """The offset of a line by the name that the kernel gives it on these boards; None for any other name."""
    if name in _BOARD_ID:
        return _BOARD_ID[name]
    number = name.removeprefix("GPIO")
    if number == name or not (number.isascii() and number.isdigit()) or len(number) > 2:
        return None
    return int(number) if int(number) in _PIN_OF_GPIO else None
