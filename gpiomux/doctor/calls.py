"""The call by which the far end of a wire is told which line is moved: levels and times in, calls out. Pure.

A call is a row of pulses on one line, all else being still. After a long one come 28 bits, each a pulse of one unit (0)
or four (1) with a pause behind it:

    5 bits  who calls: drawn by lot, so that an end knows its own calls when it hears them
    1 bit   whether the caller has heard all that it should
    4 bits  which line: 0-7 out.data0-7, 8 out.req, 9 in.ack; both ends have the same numbers
    10 bits offset of the line on its chip, or in the link's own chip if it is simulated
    8 bits  three times the 20 bits before them, as a number, modulo 251: one or two wrong bits show

A unit is long for a process and short for a person. Whoever is late makes pauses longer, which harms nothing, or spoils
a call, which the remainder shows; the next round brings it again.
"""

from __future__ import annotations

from typing import NamedTuple

UNIT_S = 0.01
BEGIN_UNITS, ONE_UNITS, ZERO_UNITS, PAUSE_UNITS = 12, 4, 1, 1
REST_UNITS = 4
"""Low, before a call and after it."""
LONGEST_UNITS = 30
"""A level that stands for longer is no part of a call."""
_BITS = 28
_CHECK_BITS, _FACTOR, _MODULUS = 8, 3, 251
"""No two powers of 2 that bits here stand for differ by the factor, modulo the modulus: so two wrong bits show."""


class Call(NamedTuple):
    """What one call says."""

    caller: int
    """0..31."""
    complete: bool
    """The caller has heard all that it should."""
    line: int
    """0..9."""
    offset: int
    """0..1023; higher ones go round."""

    @property
    def text(self) -> str:
        """The bits, first to last."""
        body = (self.caller & 0x1F) << 15 | self.complete << 14 | (self.line & 0xF) << 10 | self.offset & 0x3FF
        return f"{body << _CHECK_BITS | body * _FACTOR % _MODULUS:0{_BITS}b}"


def levels(call: Call) -> list[tuple[int, int]]:
    """What the caller does with its line: pairs of a level and how many units it stands."""
    steps = [(0, REST_UNITS), (1, BEGIN_UNITS), (0, PAUSE_UNITS)]
    for bit in call.text:
        steps += [(1, ONE_UNITS if bit == "1" else ZERO_UNITS), (0, PAUSE_UNITS)]
    return [*steps, (0, REST_UNITS)]


class Listener:
    """Hears calls on one line.

    *Threads and processes:* one thread.
    """

    def __init__(self) -> None:
        self._level = 0
        self._since_s = 0.0
        self._bits: str | None = None
        """Of the call that is going on; None: no call has begun."""

    def hear(self, level: int, now_s: float) -> Call | None:
        """Take the level that the line has now; the call that has ended with it, if one has."""
        if level == self._level:
            return None
        lasted = (now_s - self._since_s) / UNIT_S
        self._level, self._since_s = level, now_s
        if level:
            if lasted > LONGEST_UNITS:
                self._bits = None
            return None
        return self._pulse(lasted)

    def _pulse(self, lasted: float) -> Call | None:
        if lasted > (BEGIN_UNITS + ONE_UNITS) / 2:
            self._bits = "" if lasted < LONGEST_UNITS else None
        elif self._bits is not None:
            self._bits += "1" if lasted > (ONE_UNITS + ZERO_UNITS) / 2 else "0"
            if len(self._bits) == _BITS:
                said, self._bits = int(self._bits, 2), None
                return _call(said)
        return None


def _call(said: int) -> Call | None:
    body, check = divmod(said, 1 << _CHECK_BITS)
    if body * _FACTOR % _MODULUS != check:
        return None
    return Call(body >> 15, bool(body >> 14 & 1), body >> 10 & 0xF, body & 0x3FF)
