"""Tests of `gpiomux.aggregator.sysfs` on a fake kernel: which device is the new one."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator import sysfs
from gpiomux.aggregator.kernel_files import locked
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from tests.aggregator.fake_kernel import FakeKernel

LINES = (("soc", 5), ("soc", 2), ("expander", 0))
TEXT = "soc 5 soc 2 expander 0"


def create(kernel: FakeKernel, text: str = TEXT, lines: sysfs.Lines = LINES) -> str:
    with locked(kernel.roots.driver) as lock:
        return sysfs.create(kernel.roots, text, lines, sysfs.devices(kernel.roots), lock)


def remove(kernel: FakeKernel, device: str) -> None:
    with locked(kernel.roots.driver) as lock:
        sysfs.remove(kernel.roots, device, lock)


def test_one_write_makes_a_chip_and_one_removes_it(kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    assert create(kernel) == "gpio-aggregator.0"
    assert sysfs.mirror(kernel.roots) == {"gpio-aggregator.0": LINES}
    remove(kernel, "gpio-aggregator.0")
    assert kernel.log == [
        f"drivers/gpio-aggregator/new_device <- {TEXT}",
        "drivers/gpio-aggregator/delete_device <- gpio-aggregator.0",
    ]
    assert kernel.snapshot() == before


def test_a_text_that_is_refused_leaves_nothing(kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    kernel.refuse_at, kernel.refusal = 0, errno.EINVAL
    with pytest.raises(MachineError, match="Invalid argument") as caught:
        create(kernel)
    assert caught.value.errno == errno.EINVAL
    assert kernel.snapshot() == before


def test_a_device_that_somebody_makes_meanwhile_is_told_by_its_lines(kernel: FakeKernel) -> None:
    """From Linux 6.16 on, where configfs mirrors what was made."""
    with locked(kernel.roots.driver) as lock:
        before = sysfs.devices(kernel.roots)
        for text, lines in (("soc 1", (("soc", 1),)), (TEXT, LINES)):
            sysfs.create(kernel.roots, text, lines, sysfs.devices(kernel.roots), lock)
    assert sysfs.fresh(kernel.roots, LINES, before) == ["gpio-aggregator.1"]


def test_without_the_mirror_two_new_devices_cannot_be_told_apart(kernel: FakeKernel) -> None:
    with locked(kernel.roots.driver) as lock:
        sysfs.create(kernel.roots, TEXT, LINES, {}, lock)
        kernel.forget_mirror("0")
        assert sysfs.fresh(kernel.roots, LINES, {}) == ["gpio-aggregator.0"]
        with pytest.raises(MachineError, match="cannot tell which chip is the new one") as caught:
            sysfs.create(kernel.roots, "soc 1", (("soc", 1),), {}, lock)
    assert caught.value.errno == errno.EAGAIN
    assert caught.value.message.endswith(": gpio-aggregator.0, gpio-aggregator.1")


def test_a_later_device_of_the_same_name_is_another_one(kernel: FakeKernel) -> None:
    create(kernel)
    before = {"gpio-aggregator.0": sysfs.devices(kernel.roots)["gpio-aggregator.0"] + 1}
    assert sysfs.fresh(kernel.roots, LINES, before) == ["gpio-aggregator.0"]


def test_what_is_gone_already_is_removed(kernel: FakeKernel) -> None:
    remove(kernel, "gpio-aggregator.7")
    kernel.refuse_at, kernel.refusal = len(kernel.log), errno.EPERM
    with pytest.raises(MachineError, match="Operation not permitted"):
        remove(kernel, "gpio-aggregator.7")
