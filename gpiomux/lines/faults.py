"""Faults of a simulated wire, switched on and off while it runs: from the configuration, or by a test.

The faults of an end concern what arrives there. They are written into the wire itself, so any process that may open
the wire can change them, and both ends notice at once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpiomux.config.model import Bundle
from gpiomux.lines.delivery import Delivery, locked
from gpiomux.lines.wire_file import SPOILT, WORDS, Cell, block_of, cross, map_levels, open_wire

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.config.model import Faults, PulseLines

_RATES = (Cell.FLIP_RATE, Cell.LOSS_RATE, Cell.DOUBLE_RATE, Cell.REORDER_RATE)
_WORD_CELLS = (Cell.LOSS_RATE, Cell.DOUBLE_RATE, Cell.REORDER_RATE, Cell.DOUBLING)
_SPOILING_CELLS = (Cell.FLIP_RATE, Cell.CUT, Cell.STUCK_MASK, Cell.DELAY_NS, Cell.INVERTED)


def set_faults(directory: Path, end: str, faults: Faults, into: Bundle | PulseLines) -> None:
    """Replace all faults on the way to `end`, whose words come over the lines `into`.

    Raises:
        MachineError: the wire cannot be opened.
        ProtocolError: it is not a wire.
    """
    far = "b" if end == "a" else "a"
    fds = open_wire(directory, far)
    try:
        with map_levels(fds[0]) as mapping, memoryview(mapping).cast("Q") as cells:
            with locked(fds[0]):
                write_faults(cells, end, faults, into)
            # The levels that stand on the wire are spoilt, or restored, as well.
            Delivery(cells, far, fds).deliver(cells[block_of(end) + Cell.DRIVEN])
    finally:
        for fd in fds:
            os.close(fd)


def write_faults(cells: memoryview, end: str, faults: Faults, into: Bundle | PulseLines) -> None:
    """Write the fault cells of one end; takes effect from the next change of levels."""
    base = block_of(end)
    cells[base + Cell.CUT] = int(faults.cut)
    cells[base + Cell.STUCK_MASK] = sum(1 << offset for offset, _ in faults.stuck)
    cells[base + Cell.STUCK_LEVELS] = sum(level << offset for offset, level in faults.stuck)
    bundle = into if isinstance(into, Bundle) else None
    flipping = into.forward if bundle is None else bundle.data
    cells[base + Cell.DATA_MASK] = sum(1 << offset for offset in flipping)
    cells[base + Cell.REQ] = 0 if bundle is None else 1 << bundle.req
    cells[base + Cell.ACK] = 0 if bundle is None else cross(1 << bundle.ack)
    rates = (faults.flip_rate, faults.loss_rate, faults.double_rate, faults.reorder_rate)
    for cell, rate in zip(_RATES, rates, strict=True):
        cells[base + cell] = min(int(rate * 2**64), 2**64 - 1)
    cells[base + Cell.DELAY_NS] = faults.delay_us * 1000
    cells[base + Cell.SEED] = faults.seed
    # Losing or doubling a word takes both directions, and a line stays inverted when the fault is gone.
    blocks = [block_of(either) for either in "ab"]
    words = any(cells[block + cell] for block in blocks for cell in _WORD_CELLS)
    for block in blocks:
        spoilt = any(cells[block + cell] for cell in _SPOILING_CELLS)
        cells[block + Cell.FAULTY] = WORDS if words else SPOILT if spoilt else 0
