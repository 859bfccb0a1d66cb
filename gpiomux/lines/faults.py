"""Faults of a simulated wire, switched on and off while it runs: from the configuration, or by a test.

The faults of an end concern what arrives there. They are written into the wire itself, so any process that may open
the wire can change them, and both ends notice at once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpiomux.lines.simulated import Delivery
from gpiomux.lines.wire_file import Cell, block_of, map_levels, open_wire

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gpiomux.config.model import Faults


def set_faults(directory: Path, end: str, faults: Faults, noisy: Iterable[int]) -> None:
    """Replace all faults on the way to `end`. `noisy` are the offsets that `flip_rate` is about.

    Raises:
        MachineError: the wire cannot be opened.
        ProtocolError: it is not a wire.
    """
    fds = open_wire(directory, end)
    try:
        with map_levels(fds[0]) as mapping, memoryview(mapping).cast("Q") as cells:
            write_faults(cells, end, faults, noisy)
            # The levels that stand on the wire are spoilt, or restored, as well.
            Delivery(cells, end, fds[1]).deliver(cells[block_of(end) + Cell.DRIVEN])
    finally:
        for fd in fds:
            os.close(fd)


def write_faults(cells: memoryview, end: str, faults: Faults, noisy: Iterable[int]) -> None:
    """Write the fault cells of one end; takes effect from the next change of levels."""
    base = block_of(end)
    cells[base + Cell.CUT] = int(faults.cut)
    cells[base + Cell.STUCK_MASK] = sum(1 << offset for offset, _ in faults.stuck)
    cells[base + Cell.STUCK_LEVELS] = sum(level << offset for offset, level in faults.stuck)
    cells[base + Cell.FLIP_MASK] = sum(1 << offset for offset in noisy)
    cells[base + Cell.FLIP_RATE] = min(int(faults.flip_rate * 2**64), 2**64 - 1)
    cells[base + Cell.DELAY_NS] = faults.delay_us * 1000
    cells[base + Cell.SEED] = faults.seed
    on = faults.cut or faults.stuck or faults.flip_rate or faults.delay_us
    cells[base + Cell.FAULTY] = int(bool(on))
