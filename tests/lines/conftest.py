"""Wires in a temporary directory, and the backends that keep the contract of `LineDriver`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import make_wire, open_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gpiomux.lines.driver import LineDriver

WAYS = 10
"""Lines each way of the ends that the contract is tested with: bit i of one end's outputs is bit i of the other's
inputs, and outputs stand above inputs."""
OUT = WAYS
"""Shift from an output's place among the outputs to its bit."""


@dataclass(slots=True)
class Ends:
    """Two requests of lines that are wired to each other."""

    open_end: Callable[[str], LineDriver]
    near: LineDriver
    far: LineDriver

    def reopen_near(self) -> None:
        """Release the near end's lines and request them again."""
        self.near.close()
        self.near = self.open_end("a")


def sim_end(directory: Path, end: str, offsets: Sequence[int], *, atomic: bool = True) -> SimulatedLines:
    """One end of a simulated wire with these outputs, and the lines opposite to them as inputs."""
    inputs = [offset + 16 for offset in offsets]
    return SimulatedLines(open_wire(directory, end), end, inputs=inputs, outputs=offsets, atomic=atomic)


def _simulated(atomic: bool, offsets: Sequence[int]) -> Callable[[Path], Callable[[str], LineDriver]]:
    def begin(directory: Path) -> Callable[[str], LineDriver]:
        make_wire(directory / "wire")
        return lambda end: sim_end(directory / "wire", end, offsets, atomic=atomic)

    return begin


IN_A_ROW = tuple(range(3, 3 + WAYS))
MIXED = (9, 2, 15, 0, 7, 4, 11, 13, 1, 6)
BACKENDS = {
    "simulated": _simulated(True, IN_A_ROW),
    "simulated-line-by-line": _simulated(False, IN_A_ROW),
    "simulated-mixed-offsets": _simulated(True, MIXED),
    "simulated-line-by-line-mixed-offsets": _simulated(False, MIXED),
}
"""Name to what prepares a pair of chips below a directory, and returns how to request end `a` or `b` of it."""


@pytest.fixture
def wire(tmp_path: Path) -> Path:
    """A fresh simulated wire."""
    make_wire(tmp_path / "wire")
    return tmp_path / "wire"


@pytest.fixture(params=BACKENDS)
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ends]:
    """Two ends of each backend."""
    open_end = BACKENDS[request.param](tmp_path)
    both = Ends(open_end, open_end("a"), open_end("b"))
    yield both
    both.near.close()
    both.far.close()
