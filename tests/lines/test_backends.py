"""From a transport to its lines, in the two halves of the privilege border."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.model import (
    Bundle,
    Faults,
    GpioMedium,
    Lines,
    LineSource,
    Mode,
    ProtocolIds,
    SimMedium,
    Transport,
)
from gpiomux.errors import MachineError, ProtocolError
from gpiomux.lines.backends import (
    chip_offsets,
    low_offsets,
    open_driver,
    open_driver_fds,
)
from gpiomux.lines.handshake import Handshake
from gpiomux.lines.wire_file import make_wire
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.config.model import Medium

# Two ends that fit, of different widths, with lines in no order.
LINES_A = Lines(out=Bundle(data=(3, 1, 2, 0), req=7, ack=28), into=Bundle(data=(21, 20), req=24, ack=15))
LINES_B = Lines(out=Bundle(data=(5, 4), req=8, ack=31), into=Bundle(data=(19, 17, 18, 16), req=23, ack=12))


def transport(medium: Medium, lines: Lines | None = LINES_A) -> Transport:
    return Transport(mode=Mode.NET_HDR, protocol=ProtocolIds(reader=1, writer=2), medium=medium, lines=lines)


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    found = RunDir(tmp_path)
    make_wire(found.wire("cable0"))
    return found


def test_the_order_of_a_request() -> None:
    inputs, outputs = LINES_A.inputs, LINES_A.outputs
    assert inputs == (21, 20, 24, 28)
    assert outputs == (3, 1, 2, 0, 7, 15)


def test_two_ends_understand_each_other(rundir: RunDir) -> None:
    ends = []
    for end, lines in (("a", LINES_A), ("b", LINES_B)):
        wanted = transport(SimMedium(wire="cable0", end=end), lines)
        driver = open_driver(wanted, open_driver_fds(wanted, rundir))
        assert isinstance(lines.into, Bundle)
        assert isinstance(lines.out, Bundle)
        ends.append((driver, Handshake(driver, width_in=len(lines.into.data), width_out=len(lines.out.data))))
    (one, a), (two, b) = ends
    a.load(bytes(range(16)))
    b.load(bytes([0, 1, 2, 3]))
    while not (a.idle and b.idle) or a.pending() or b.pending():
        a.run(1, 1)
        b.run(1, 1)
    assert (bytes(a.received), bytes(b.received)) == (bytes([0, 1, 2, 3]), bytes(range(16)))
    one.close()
    two.close()


def test_faults_of_the_configuration_are_on_from_the_start(rundir: RunDir) -> None:
    wanted = transport(SimMedium(wire="cable0", end="a", faults=Faults(stuck=((24, 1),))))
    driver = open_driver(wanted, open_driver_fds(wanted, rundir))
    assert driver.get() == 0b100
    driver.close()
    mended = transport(SimMedium(wire="cable0", end="a"))
    driver = open_driver(mended, open_driver_fds(mended, rundir))
    assert driver.get() == 0
    driver.close()


PINS = Lines(
    out=Bundle(data=(3, 1), req=5, ack=2),
    into=Bundle(data=(0,), req=4, ack=6),
    sources=(LineSource(chip="soc", offsets=(20, 21, 22)), LineSource(chip="soc", offsets=(9, 8, 7, 6))),
    active_low=(2, 3),
)


def test_lines_of_the_links_own_chip() -> None:
    assert chip_offsets(PINS) == ((0, 4, 2), (3, 1, 5, 6))
    assert low_offsets(PINS, *chip_offsets(PINS)) == {2, 3}


def test_lines_of_the_source_chip() -> None:
    bare = replace(PINS, aggregate=False)
    assert chip_offsets(bare) == ((20, 8, 22), (9, 21, 7, 6))
    assert low_offsets(bare, *chip_offsets(bare)) == {22, 9}


def test_a_chip_that_is_not_there(rundir: RunDir, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="gpiochip9: cannot request the lines of the link: No such file") as caught:
        open_driver_fds(transport(GpioMedium(), PINS), rundir, node=tmp_path / "gpiochip9", consumer="gpiomux-x")
    assert caught.value.errno == errno.ENOENT


def test_a_missing_wire(rundir: RunDir) -> None:
    with pytest.raises(MachineError, match="simulated wire cable1: cannot open"):
        open_driver_fds(transport(SimMedium(wire="cable1", end="a")), rundir)


def test_descriptors_that_are_no_wire() -> None:
    """They stay the caller's to close."""
    fds = [*os.pipe2(os.O_CLOEXEC), os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)]
    with pytest.raises(ProtocolError):
        open_driver(transport(SimMedium(wire="cable0", end="a")), fds)
    for fd in fds:
        os.close(fd)
