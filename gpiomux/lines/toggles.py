"""Lines that are moved one at a time, by hand as it were, to see what is wired to what.

On real lines only the one whose turn it is is driven; all others are inputs, so that no two outputs meet on a cable
that is not wired as it should be.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Protocol

import gpiod
from gpiod.line import Direction, Value

from gpiomux.errors import MachineError
from gpiomux.lines.gpio_request import BIAS, DRIVE, refused
from gpiomux.lines.simulated import SimulatedLines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gpiomux.config.model import Lines
    from gpiomux.lines.gpio_request import Settings

CONSUMER = "gpiomux-doctor"


class Toggles(Protocol):
    """Some lines of one end; bit i is line i of the sequence that they were made of.

    *Threads and processes:* one thread. `close` lets go of the lines, all of them inputs.
    """

    def get(self) -> int:
        """The levels of all lines.

        Raises:
            MachineError: a chip is gone.
        """

    def drive(self, bit: int, level: int) -> None:
        """Give a line a level; it becomes an output.

        Raises:
            MachineError: as `get`.
        """

    def rest(self, bit: int) -> None:
        """Make a line an input again.

        Raises:
            MachineError: as `get`.
        """

    def close(self) -> None:
        """Release the lines."""


class RealToggles:
    """Lines of one chip or of several, held by requests of this process."""

    def __init__(self, places: Sequence[tuple[Path, int]], lines: Lines, low: frozenset[int]) -> None:
        """Request lines as inputs.

        Args:
            places: node of the chip and offset on it, of each line.
            lines: tells bias and drive.
            low: those of `places`, by index, that are active low.

        Raises:
            MachineError: the kernel refuses: somebody has a line (EBUSY).
        """
        self._places = list(places)
        self._bias, self._drive, self._low = BIAS[lines.bias], DRIVE[lines.drive], low
        self._held: dict[Path, gpiod.LineRequest] = {}
        self._driven: int | None = None
        with ExitStack() as closing:
            closing.callback(self.close)
            for node in dict.fromkeys(node for node, _ in places):
                try:
                    self._held[node] = gpiod.request_lines(str(node), self._settings(node), consumer=CONSUMER)
                except (OSError, ValueError) as err:
                    raise refused(node, err) from err
            closing.pop_all()

    def get(self) -> int:
        """See Toggles."""
        levels = 0
        for node, request in self._held.items():
            bits = self._bits(node)
            try:
                values = request.get_values([self._places[bit][1] for bit in bits])
            except OSError as err:
                raise refused(node, err) from err
            levels |= sum(1 << bit for bit, value in zip(bits, values, strict=True) if value is Value.ACTIVE)
        return levels

    def drive(self, bit: int, level: int) -> None:
        """See Toggles."""
        value = Value.ACTIVE if level else Value.INACTIVE
        if bit != self._driven:
            self._configure(bit, value)
            self._driven = bit
            return
        node, offset = self._places[bit]
        try:
            self._held[node].set_value(offset, value)
        except OSError as err:
            raise refused(node, err) from err

    def rest(self, bit: int) -> None:
        """See Toggles."""
        self._configure(bit, None)
        self._driven = None

    def close(self) -> None:
        """See Toggles. What a line does that was driven when it is released is up to the kernel's driver."""
        if self._driven is not None:
            with suppress(MachineError):  # the chip is gone, and its lines with it
                self.rest(self._driven)
        while self._held:
            _, request = self._held.popitem()
            request.release()

    def _bits(self, node: Path) -> list[int]:
        return [bit for bit, (other, _) in enumerate(self._places) if other == node]

    def _configure(self, bit: int, value: Value | None) -> None:
        node, _ = self._places[bit]
        try:
            self._held[node].reconfigure_lines(self._settings(node, {} if value is None else {bit: value}))
        except (OSError, ValueError) as err:
            raise refused(node, err) from err

    def _settings(self, node: Path, driven: dict[int, Value] | None = None) -> Settings:
        """Of all lines of a chip: kernels before 6.10 forget the settings of those that are not named."""
        settings: Settings = {}
        for bit in self._bits(node):
            value = (driven or {}).get(bit)
            settings[self._places[bit][1]] = (
                gpiod.LineSettings(direction=Direction.INPUT, bias=self._bias, active_low=bit in self._low)
                if value is None
                else gpiod.LineSettings(
                    direction=Direction.OUTPUT, drive=self._drive, active_low=bit in self._low, output_value=value
                )
            )
        return settings


class SimulatedToggles:
    """Lines of one end of a simulated wire, which has no directions: what is not driven is low."""

    def __init__(self, fds: Sequence[int], end: str, lines: Lines) -> None:
        """Take over the descriptors of an end; the lines are `lines.inputs`, then `lines.outputs`."""
        self._lines = SimulatedLines(fds, end, inputs=lines.inputs, outputs=lines.outputs)
        self._lines.set(0)

    def get(self) -> int:
        """See Toggles."""
        return self._lines.get()

    def drive(self, bit: int, level: int) -> None:
        """See Toggles."""
        self._lines.set(level << bit)

    def rest(self, bit: int) -> None:
        """See Toggles."""
        self._lines.set(0)

    def close(self) -> None:
        """See Toggles."""
        self._lines.close()
