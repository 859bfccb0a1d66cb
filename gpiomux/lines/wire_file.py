"""A simulated wire as files, so that two processes share it and either may die and come back.

A wire is a directory: `levels`, a file that both ends map, and two named pipes, `a` and `b`, one to wake each end. The
file is an array of 64-bit cells in native byte order: a magic number, then one block for each end with what arrives
there. Each cell has one writer (the far end writes levels and events, the near end its own masks, faults whoever wants
to test) unless a lock is held, and each is read and written with a single aligned access.

                    cell 0        16 ..           16 + BLOCK_CELLS ..
    levels:         magic         block of a      block of b
"""

from __future__ import annotations

import mmap
import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError, ProtocolError

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = 0x32_77_78_75_6D_69_70_67
"""Tells a wire of this layout and of this byte order."""

LINE_COUNT = 32
"""Lines of each chip; line i of one end is wired to line (i + 16) mod 32 of the other, as in the test kernel's chip."""
CROSSING = 16

EVENT_CAPACITY = 1024
"""Slots for events; a power of two. One less can wait unread: the far end writes into a slot before it says so. The
kernel allows up to 1,024."""
EVENT_CELLS = 4
"""Cells of one event: timestamp in ns; offset + rising << 32; seqno; seqno of the line."""


class Cell:
    """Offsets inside the block of one end; everything is about that end's inputs, unless it says otherwise."""

    DRIVEN = 0
    """Levels as the far end drives them, already crossed."""
    LEVELS = 1
    """Levels as they arrive: DRIVEN after faults."""
    EDGES = 2
    """Lines on which edges are to be noted; 0 while edge detection is off."""
    EVENTS_WRITTEN = 3
    """Events noted since the wire was made; the next goes to slot EVENTS_WRITTEN mod EVENT_CAPACITY."""
    FAULTY = 4
    """What the far end has to heed of the faults below: 0 for nothing, SPOILT or WORDS."""
    CUT = 5
    """Not 0: every line reads inactive."""
    STUCK_MASK = 6
    STUCK_LEVELS = 7
    DATA_MASK = 8
    """Lines of the word; they may arrive inverted, or late."""
    FLIP_RATE = 9
    """Probability of a flip in units of 2^-64; so are the other rates."""
    DELAY_NS = 10
    SEED = 11
    REQ = 12
    """The line that tells of a word, as a mask."""
    ACK = 13
    """The line of the far end that hears the answer, as a mask."""
    LOSS_RATE = 14
    DOUBLE_RATE = 15
    REORDER_RATE = 16
    INVERTED = 17
    """Lines that arrive inverted until further notice: `req` after a word that was lost or doubled, or an `ack`."""
    DOUBLING = 18
    """Not 0: the word that is on the lines will be told of once more."""
    RISING_ONLY = 19
    """Not 0: falling edges are not noted."""
    LINE_SEQNO = 24
    """First of LINE_COUNT cells: events noted on each line."""
    EVENTS = 24 + LINE_COUNT
    """First cell of the event slots."""


SPOILT, WORDS = 1, 2
"""Values of Cell.FAULTY: levels arrive otherwise than they are driven; or also words are lost, doubled or reordered, at
either end."""

BLOCK_CELLS = Cell.EVENTS + EVENT_CAPACITY * EVENT_CELLS
FIRST_BLOCK = 16
SIZE_BYTES = 8 * (FIRST_BLOCK + 2 * BLOCK_CELLS)


def block_of(end: str) -> int:
    """First cell of the block of end `a` or `b`."""
    return FIRST_BLOCK + ("a", "b").index(end) * BLOCK_CELLS


def cross(levels: int) -> int:
    """Levels of one chip's 32 lines as the lines of the other that they are wired to."""
    return ((levels << CROSSING) | (levels >> CROSSING)) & 0xFFFFFFFF


def make_wire(directory: Path) -> None:
    """Make a wire with all lines inactive; it appears whole or not at all.

    Raises:
        MachineError: the directory exists or cannot be made.
    """
    draft = directory.with_name(f".{directory.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True, mode=0o700)
        levels = draft / "levels"
        levels.write_bytes(MAGIC.to_bytes(8, sys.byteorder) + bytes(SIZE_BYTES - 8))
        for name in ("a", "b"):
            os.mkfifo(draft / name, mode=0o600)
        draft.rename(directory)
    except OSError as err:
        shutil.rmtree(draft, ignore_errors=True)
        raise MachineError(f"cannot make {directory}: {err.strerror}", errno=err.errno or 0) from err


def remove_wire(directory: Path) -> None:
    """Remove a wire. Ends that have it open go on with each other until they close it.

    Raises:
        MachineError: the directory cannot be removed.
    """
    try:
        shutil.rmtree(directory)
    except OSError as err:
        reason = err.strerror or str(err)  # rmtree itself refuses a symbolic link, with a text but without a number
        raise MachineError(f"cannot remove {directory}: {reason}", errno=err.errno or 0) from err


def open_wire(directory: Path, end: str) -> list[int]:
    """Descriptors for one end: the file of levels, the pipe that wakes this end, the pipe that wakes the other.

    The pipes are opened for reading and writing, so that neither end ever sees the other's absence as end of file.

    Raises:
        MachineError: a part of the wire is missing, or is not what it should be.
    """
    far = "b" if end == "a" else "a"
    fds: list[int] = []
    try:
        for name, wanted in (("levels", stat.S_ISREG), (end, stat.S_ISFIFO), (far, stat.S_ISFIFO)):
            flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
            fds.append(os.open(directory / name, flags))
            if not wanted(os.fstat(fds[-1]).st_mode):
                raise OSError(22, "is of the wrong type")
    except OSError as err:
        for fd in fds:
            os.close(fd)
        raise MachineError(
            f"simulated wire {directory.name}: cannot open {directory}: {err.strerror}",
            errno=err.errno or 0,
            hint="`gpiomux apply` makes the wire again",
        ) from err
    return fds


def map_levels(fd: int) -> mmap.mmap:
    """Map the file of levels after a check that it is one.

    Raises:
        ProtocolError: the file has another size or does not begin with MAGIC.
    """
    if os.fstat(fd).st_size != SIZE_BYTES:
        raise ProtocolError(f"simulated wire: file of levels has {os.fstat(fd).st_size} bytes, not {SIZE_BYTES}")
    mapping = mmap.mmap(fd, SIZE_BYTES)
    if int.from_bytes(mapping[:8], sys.byteorder) != MAGIC:
        mapping.close()
        raise ProtocolError("simulated wire: file of levels does not begin with the magic number")
    return mapping
