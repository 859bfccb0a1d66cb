"""Tests of `gpiomux.aggregator.chip` on a fake kernel: chips of links through each door, whole or not at all."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator import configfs, device, records, sysfs
from gpiomux.aggregator.chip import Chips
from gpiomux.aggregator.inventory import read_chips
from gpiomux.aggregator.kernel_files import locked, refused
from gpiomux.aggregator.node import Access, read_access
from gpiomux.aggregator.records import Record
from gpiomux.aggregator.roots import CONFIGFS, SYSFS
from gpiomux.config.gathered import Gathered
from gpiomux.errors import MachineError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.aggregator.fake_kernel import FakeKernel

LINES = (
    Gathered(key="soc", offset=5, name="g0-tx"),
    Gathered(key="C", offset=None),
    Gathered(key="soc", offset=0),
    Gathered(key="B", offset=None),
)
"""Of two chips, by label and by name, not in ascending order."""
PLACES = (("soc", 5), ("expander", 2), ("soc", 0), ("soc", 1))
ACCESS = Access(mode=0o660)


def held(kernel: FakeKernel) -> dict[tuple[str, int], str]:
    """Lines that somebody holds, and who."""
    chips = read_chips(kernel.roots.dev)
    return {(chip.label, line.offset): line.consumer for chip in chips for line in chip.lines if line.used}


@pytest.fixture(params=[CONFIGFS, SYSFS])
def chips(request: pytest.FixtureRequest, kernel: FakeKernel) -> Chips:
    return Chips(kernel.roots, request.param)


def test_a_chip_is_made_found_and_removed(kernel: FakeKernel, chips: Chips) -> None:
    before = kernel.snapshot()
    node = chips.make("g0", LINES, None, ACCESS)
    assert read_access(node)[0].mode == 0o660
    (standing,) = chips.standing()
    assert (standing.link, standing.device, standing.lines) == ("g0", "gpio-aggregator.0", LINES)
    assert (standing.bound, standing.node) == (False, node)
    assert chips.node("g0") == node
    assert held(kernel) == dict.fromkeys(PLACES, "gpio-aggregator.0")
    assert chips.alive(standing, read_chips(kernel.roots.dev))
    chips.change_access("g0", Access(mode=0o600))
    assert read_access(node)[0].mode == 0o600
    chips.remove("g0")
    assert chips.standing() == []
    assert kernel.snapshot() == before


def test_lines_are_gathered_in_the_order_written(kernel: FakeKernel) -> None:
    Chips(kernel.roots, SYSFS).make("g0", LINES, None, Access())
    assert kernel.log == ["drivers/gpio-aggregator/new_device <- soc 5 expander 2 soc 0,1"]
    Chips(kernel.roots, CONFIGFS).make("g1", LINES[1:], None, Access())
    keys = [line.rpartition(" ")[2] for line in kernel.log if "/key " in line]
    assert keys == ["C", "soc", "B"]


STEPS = {CONFIGFS: 13, SYSFS: 1}


@pytest.mark.parametrize(("door", "step"), [(door, step) for door, count in STEPS.items() for step in range(count)])
def test_a_step_that_fails_leaves_nothing(kernel: FakeKernel, door: str, step: int) -> None:
    before = kernel.snapshot()
    kernel.refuse_at = step
    with pytest.raises(MachineError, match="Input/output error"):
        Chips(kernel.roots, door).make("g0", LINES, None, ACCESS)
    assert kernel.snapshot() == before
    kernel.refuse_at, kernel.log = None, []
    Chips(kernel.roots, door).make("g0", LINES, None, ACCESS)
    assert len(kernel.log) == STEPS[door], "there are steps that this test does not let fail"


def test_a_device_is_bound_and_given_back(kernel: FakeKernel, chips: Chips) -> None:
    kernel.platform_device("door", driver="leds-gpio")
    before = kernel.snapshot()
    node = chips.make("g0", (), "door", ACCESS)
    (standing,) = chips.standing()
    assert (standing.device, standing.bound, standing.node, standing.lines) == ("door", True, node, ())
    assert chips.alive(standing, ())
    chips.remove("g0")
    assert kernel.snapshot() == before


@pytest.mark.parametrize("step", range(3))
def test_a_device_that_cannot_be_bound_is_as_before(kernel: FakeKernel, step: int) -> None:
    kernel.platform_device("door", driver="leds-gpio")
    before = kernel.snapshot()
    kernel.refuse_at = step
    with pytest.raises(MachineError, match="Input/output error"):
        Chips(kernel.roots).make("g0", (), "door", ACCESS)
    assert kernel.snapshot() == before


def test_a_device_that_makes_no_chip_is_given_back(kernel: FakeKernel) -> None:
    """Deferred probe: the driver takes it, and says nothing."""
    kernel.platform_device("door", driver="leds-gpio")
    before = kernel.snapshot()
    kernel.dumb = True
    with pytest.raises(MachineError, match="the kernel has made no chip of door") as caught:
        Chips(kernel.roots).make("g0", (), "door", ACCESS)
    assert caught.value.hint == "see the kernel's log: dmesg"
    assert kernel.snapshot() == before


def test_a_device_that_loses_the_driver_has_no_chip(kernel: FakeKernel) -> None:
    kernel.platform_device("door")
    chips = Chips(kernel.roots)
    chips.make("g0", (), "door", ACCESS)
    (kernel.roots.devices / "door/driver").unlink()
    (standing,) = chips.standing()
    assert standing.node is None
    assert not chips.alive(standing, ())
    with pytest.raises(MachineError, match="link g0 has no chip") as caught:
        chips.node("g0")
    assert caught.value.errno == errno.ENODEV


@pytest.mark.parametrize("door", [CONFIGFS, SYSFS])
def test_a_kernel_that_does_not_say_why(kernel: FakeKernel, door: str) -> None:
    before = kernel.snapshot()
    kernel.dumb = True
    with pytest.raises(MachineError) as caught:
        Chips(kernel.roots, door).make("g0", LINES, None, ACCESS)
    assert (caught.value.errno, caught.value.hint) == (errno.ENXIO, "see the kernel's log: dmesg")
    assert kernel.snapshot() == before


@pytest.mark.parametrize("door", [CONFIGFS, SYSFS])
def test_what_the_kernel_does_not_say_is_found_out(kernel: FakeKernel, door: str) -> None:
    Chips(kernel.roots, door).make("g0", LINES, None, ACCESS)
    before = kernel.snapshot()
    kernel.dumb = True
    with pytest.raises(MachineError) as caught:
        Chips(kernel.roots, door).make("g1", LINES[:1], None, ACCESS)
    assert caught.value.message == "line 5 of chip soc is in use by gpio-aggregator.0"
    with pytest.raises(MachineError, match="no chip is labelled sock; labels here: soc, expander"):
        Chips(kernel.roots, door).make("g1", (Gathered(key="sock", offset=1),), None, ACCESS)
    assert kernel.snapshot() == before


def test_what_a_door_cannot_say_leaves_nothing(kernel: FakeKernel) -> None:
    kernel.chip("a=b", [None])
    before = kernel.snapshot()
    with pytest.raises(UnsupportedError, match="label a=b holds a quote or an equals sign"):
        Chips(kernel.roots, SYSFS).make("g0", (Gathered(key="a=b", offset=0),), None, ACCESS)
    assert kernel.snapshot() == before


def test_an_account_that_is_not_there_leaves_nothing(kernel: FakeKernel, chips: Chips) -> None:
    before = kernel.snapshot()
    with pytest.raises(MachineError, match="there is no user nosuch"):
        chips.make("g0", LINES, None, Access(owner="nosuch"))
    assert kernel.snapshot() == before
    assert kernel.log == []


def test_a_node_that_cannot_be_given_takes_the_chip_with_it(
    kernel: FakeKernel, chips: Chips, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    before = kernel.snapshot()
    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(MachineError, match=r"cannot set who may open .*: Read-only file system"):
        chips.make("g0", LINES, None, ACCESS)
    assert kernel.snapshot() == before


def test_a_maker_that_was_killed_leaves_a_chip_that_is_known(kernel: FakeKernel) -> None:
    """The record is written before the chip is made, and tells what was there before."""
    chips = Chips(kernel.roots, SYSFS)
    before = kernel.snapshot()
    chips.make("other", LINES[:1], None, ACCESS)
    chips.make("g0", LINES[1:], None, ACCESS)
    (made,) = (record for record in records.load_all(kernel.roots.run) if record.link == "g0")
    records.save(kernel.roots.run, replace(made, device="", inode=0))
    (standing,) = (chip for chip in chips.standing() if chip.link == "g0")
    assert (standing.device, standing.lines) == ("gpio-aggregator.1", LINES[1:])
    for link in ("g0", "other"):
        chips.remove(link)
    assert kernel.snapshot() == before


def test_a_maker_that_was_killed_before_it_made_anything(kernel: FakeKernel) -> None:
    chips = Chips(kernel.roots, SYSFS)
    records.save(kernel.roots.run, Record(link="g0", lines=LINES, places=PLACES))
    (standing,) = chips.standing()
    assert (standing.device, standing.node) == ("", None)
    chips.remove("g0")
    assert chips.standing() == []
    assert kernel.log == []


def test_a_maker_that_was_killed_leaves_a_group_that_can_be_removed(kernel: FakeKernel) -> None:
    chips = Chips(kernel.roots, CONFIGFS)
    before = kernel.snapshot()
    chips.make("g0", LINES, None, ACCESS)
    kernel.refuse_at, kernel.refusal = len(kernel.log) + 2, errno.EINTR  # killed in the middle of a removal
    with pytest.raises(MachineError):
        chips.remove("g0")
    (standing,) = chips.standing()
    assert (standing.link, standing.node) == ("g0", None)
    chips.remove("g0")
    assert kernel.snapshot() == before


def test_a_device_of_the_same_name_that_is_not_ours_is_left_alone(kernel: FakeKernel) -> None:
    chips = Chips(kernel.roots, SYSFS)
    chips.make("g0", LINES, None, ACCESS)
    (made,) = records.load_all(kernel.roots.run)
    records.save(kernel.roots.run, replace(made, inode=made.inode + 1))
    (standing,) = chips.standing()
    assert (standing.device, standing.node) == ("", None)
    chips.remove("g0")
    assert sysfs.devices(kernel.roots).keys() == {"gpio-aggregator.0"}


def test_a_chip_whose_source_went_is_dead(kernel: FakeKernel, chips: Chips) -> None:
    """Its node stays, and even when the source is back it does not work: nobody holds the lines of the new one."""
    chips.make("g0", LINES, None, ACCESS)
    (standing,) = chips.standing()
    (kernel.roots.dev / "gpiochip0").unlink()
    assert not chips.alive(standing, read_chips(kernel.roots.dev))
    kernel.chip("soc", ["A", "B", None, "twice", None, None, None, None])
    assert not chips.alive(standing, read_chips(kernel.roots.dev))


def test_a_name_that_is_doubled_later_does_not_matter_to_a_chip(kernel: FakeKernel, chips: Chips) -> None:
    chips.make("g0", LINES, None, ACCESS)
    kernel.chip("late", ["B", "C"])
    (standing,) = chips.standing()
    assert chips.alive(standing, read_chips(kernel.roots.dev))
    with pytest.raises(MachineError, match="there is more than one line C"):
        Chips(kernel.roots, SYSFS).make("g1", LINES[1:2], None, ACCESS)


@pytest.mark.parametrize("door", [CONFIGFS, SYSFS])
def test_others_chips_are_not_ours(kernel: FakeKernel, door: str) -> None:
    """Not those of another run directory, and not those that somebody made by hand."""
    other = Chips(replace(kernel.roots, run=kernel.roots.run / "other"), door, "/run/other")
    other.make("g0", LINES[:1], None, ACCESS)
    with locked(kernel.roots.driver) as lock:
        configfs.create(kernel.roots.groups, "by-hand", LINES[1:2], lock)
    theirs = kernel.snapshot()
    ours = Chips(kernel.roots, door)
    assert ours.standing() == []
    ours.remove("g0")
    assert kernel.snapshot() == theirs
    ours.make("g0", LINES[2:], None, ACCESS)
    assert [(chip.link, chip.lines) for chip in other.standing()] == [("g0", LINES[:1])]
    assert [(chip.link, chip.lines) for chip in ours.standing()] == [("g0", LINES[2:])]
    ours.remove("g0")
    assert kernel.snapshot() == theirs


@pytest.mark.parametrize("door", [CONFIGFS, SYSFS, "device"])
def test_a_removal_that_hangs_names_who_reads(kernel: FakeKernel, door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(path: Path, *_: object) -> None:
        raise refused(path, errno.ETIMEDOUT)

    kernel.platform_device("door")
    chips = Chips(kernel.roots, None if door == "device" else door)
    if door == "device":
        chips.make("g0", (), "door", ACCESS)
    else:
        chips.make("g0", LINES, None, ACCESS)
    reader = kernel.roots.proc / "77"
    for part in ("fd", "fdinfo"):
        (reader / part).mkdir(parents=True)
    (reader / "comm").write_text("kettle\n")
    (reader / "fd/3").symlink_to("anon_inode:gpio-line")
    (reader / "fdinfo/3").write_text("flags:\t02\n")
    for module in (configfs, sysfs, device):
        monkeypatch.setattr(module, "write_patiently", hang)
    with pytest.raises(MachineError, match="the kernel cannot remove the chip of g0 yet") as caught:
        chips.remove("g0")
    assert caught.value.errno == errno.EBUSY
    assert "kettle (process 77)" in caught.value.hint
    assert [chip.link for chip in chips.standing()] == ["g0"], "it is ours until it is gone"


def test_doors(kernel: FakeKernel) -> None:
    assert Chips(kernel.roots).door() == CONFIGFS
    assert Chips(kernel.roots, SYSFS).door() == SYSFS
    os.rmdir(kernel.roots.groups)
    assert Chips(kernel.roots).door() == SYSFS


def test_a_kernel_without_the_driver_has_no_chips(kernel: FakeKernel) -> None:
    for attribute in kernel.roots.driver.iterdir():
        attribute.unlink()
    kernel.roots.driver.rmdir()
    assert Chips(kernel.roots).standing() == []


def test_devices_that_have_to_be_there(kernel: FakeKernel) -> None:
    kernel.platform_device("door")
    Chips(kernel.roots).require_devices(["door"])
    with pytest.raises(UnsupportedError, match=f"there is no device gate in {kernel.roots.devices}"):
        Chips(kernel.roots).require_devices(["door", "gate"])
