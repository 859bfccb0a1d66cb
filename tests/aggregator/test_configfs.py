"""Tests of `gpiomux.aggregator.configfs` on a fake kernel: the order of writes, and every step that can fail."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator import configfs
from gpiomux.aggregator.configfs import Group
from gpiomux.aggregator.kernel_files import locked
from gpiomux.config.gathered import Gathered
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from tests.aggregator.fake_kernel import FakeKernel

LINES = (Gathered(key="soc", offset=5, name="tx"), Gathered(key="A", offset=None), Gathered(key="expander", offset=0))
MADE = [
    "mkdir gpiomux-g0",
    "mkdir gpiomux-g0/line0",
    "gpiomux-g0/line0/key <- soc",
    "gpiomux-g0/line0/offset <- 5",
    "gpiomux-g0/line0/name <- tx",
    "mkdir gpiomux-g0/line1",
    "gpiomux-g0/line1/key <- A",
    "mkdir gpiomux-g0/line2",
    "gpiomux-g0/line2/key <- expander",
    "gpiomux-g0/line2/offset <- 0",
    "gpiomux-g0/live <- 1",
]
REMOVED = [
    "gpiomux-g0/live <- 0",
    "rmdir gpiomux-g0/line0",
    "rmdir gpiomux-g0/line1",
    "rmdir gpiomux-g0/line2",
    "rmdir gpiomux-g0",
]


def create(kernel: FakeKernel) -> str:
    with locked(kernel.roots.driver) as lock:
        return configfs.create(kernel.roots.groups, "gpiomux-g0", LINES, lock)


def remove(kernel: FakeKernel) -> None:
    with locked(kernel.roots.driver) as lock:
        configfs.remove(kernel.roots.groups, "gpiomux-g0", lock)


def test_a_chip_is_made_line_by_line_and_goes_live_last(kernel: FakeKernel) -> None:
    before = kernel.snapshot()
    assert create(kernel) == "gpio-aggregator.0"
    assert kernel.log == MADE
    assert configfs.groups(kernel.roots.groups) == [
        Group(name="gpiomux-g0", device="gpio-aggregator.0", live=True, lines=LINES)
    ]
    kernel.log.clear()
    remove(kernel)
    assert kernel.log == REMOVED
    assert kernel.snapshot() == before


@pytest.mark.parametrize("step", range(len(MADE)))
def test_a_step_that_fails_leaves_nothing(kernel: FakeKernel, step: int) -> None:
    before = kernel.snapshot()
    kernel.refuse_at = step
    with pytest.raises(MachineError, match="Input/output error") as caught:
        create(kernel)
    assert caught.value.errno == errno.EIO
    assert kernel.log[: step + 1] == MADE[: step + 1]
    assert "gpiomux-g0/live <- 0" not in kernel.log, "what has not gone live need not be taken down"
    assert kernel.snapshot() == before


def test_a_name_that_is_taken_is_left_alone(kernel: FakeKernel) -> None:
    """Found when a group of that name is made in the moment before: it is whole, and somebody's."""
    create(kernel)
    before = kernel.snapshot()
    with pytest.raises(MachineError, match=r"cannot make .*gpiomux-g0: File exists") as caught:
        create(kernel)
    assert caught.value.errno == errno.EEXIST
    assert kernel.snapshot() == before


@pytest.mark.parametrize("step", range(len(REMOVED)))
def test_a_removal_that_fails_can_be_done_again(kernel: FakeKernel, step: int) -> None:
    before = kernel.snapshot()
    create(kernel)
    kernel.refuse_at = len(MADE) + step
    kernel.refusal = errno.EBUSY
    with pytest.raises(MachineError, match="Device or resource busy") as caught:
        remove(kernel)
    assert caught.value.errno == errno.EBUSY
    remove(kernel)
    assert kernel.snapshot() == before


def test_more_than_ten_lines_come_back_in_their_order(kernel: FakeKernel) -> None:
    lines = tuple(Gathered(key="soc", offset=number % 8, name=f"line-{number}") for number in range(12))
    with locked(kernel.roots.driver) as lock:
        configfs.create(kernel.roots.groups, "many", lines, lock)
    (group,) = configfs.groups(kernel.roots.groups)
    assert group.lines == lines


def test_there_are_no_groups_without_configfs(kernel: FakeKernel) -> None:
    kernel.roots.groups.rmdir()
    assert configfs.groups(kernel.roots.groups) == []


def test_a_group_that_goes_while_it_is_read_is_left_out(kernel: FakeKernel) -> None:
    create(kernel)
    (kernel.roots.groups / "gpiomux-g0/line1/key").unlink()
    assert configfs.groups(kernel.roots.groups) == []


def test_a_place_that_cannot_be_read(kernel: FakeKernel) -> None:
    kernel.roots.groups.rmdir()
    kernel.roots.groups.write_text("")
    with pytest.raises(MachineError, match=r"cannot read .*gpio-aggregator: Not a directory") as caught:
        configfs.groups(kernel.roots.groups)
    assert caught.value.errno == errno.ENOTDIR
