"""Tests of `gpiomux.aggregator.inventory` on a fake kernel."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import gpiod
import pytest

from gpiomux.aggregator.inventory import Line, read_chips
from gpiomux.errors import MachineError, UnsupportedError
from tests.aggregator.fake_kernel import LINE, FakeChip

if TYPE_CHECKING:
    from tests.aggregator.fake_kernel import FakeKernel


def test_all_chips_with_all_their_lines(kernel: FakeKernel) -> None:
    held = {**LINE, "name": "B", "used": True, "consumer": "kettle"}
    (kernel.roots.dev / "gpiochip1").write_text(json.dumps({"label": "other", "lines": [LINE, held]}))
    first, second = read_chips(kernel.roots.dev)
    assert (first.label, first.node) == ("soc", kernel.roots.dev / "gpiochip0")
    assert [line.name for line in first.lines] == ["A", "B", "", "twice", "", "", "", ""]
    assert second.lines == (Line(offset=0), Line(offset=1, name="B", used=True, consumer="kettle"))


def test_chips_come_in_the_order_of_their_numbers(kernel: FakeKernel) -> None:
    for number in range(2, 12):
        kernel.chip(f"chip{number}", [None])
    assert [chip.node.name for chip in read_chips(kernel.roots.dev)] == [f"gpiochip{number}" for number in range(12)]


def test_version_1_of_gpiod_is_told_and_not_used(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(gpiod, "LineSettings")
    with pytest.raises(UnsupportedError, match="whose functions are those of libgpiod 1") as caught:
        read_chips(kernel.roots.dev)
    assert "take python3-libgpiod" in caught.value.hint
    for node in kernel.roots.dev.glob("gpiochip*"):
        node.unlink()
    assert read_chips(kernel.roots.dev) == (), "a machine without chips needs no gpiod"


def test_a_chip_that_goes_meanwhile_is_left_out(kernel: FakeKernel) -> None:
    (kernel.roots.dev / "gpiochip0").write_text("")  # ENODEV
    (kernel.roots.dev / "gpiochip2").symlink_to("nowhere")  # ENOENT
    assert [chip.label for chip in read_chips(kernel.roots.dev)] == ["expander"]


def test_a_chip_that_may_not_be_opened(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> FakeChip:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(gpiod, "Chip", refuse)
    with pytest.raises(MachineError, match=r"cannot look at .*/gpiochip0: Permission denied") as caught:
        read_chips(kernel.roots.dev)
    hint = f"become root, or a member of its group: ls -l {kernel.roots.dev / 'gpiochip0'}"
    assert (caught.value.errno, caught.value.hint) == (errno.EACCES, hint)


def test_a_machine_without_chips(kernel: FakeKernel) -> None:
    for node in kernel.roots.dev.iterdir():
        node.unlink()
    assert read_chips(kernel.roots.dev) == ()
