"""The door to the machine: this one, and files in a temporary directory."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.doctor.machine import Machine
from gpiomux.errors import MachineError
from gpiomux.netdev import marks, syscalls
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from tests.doctor.fake_machine import FakeMachine


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    return Machine.here(RunDir(tmp_path / "run"))


def test_a_device_that_opens(here: Machine) -> None:
    node = here.node(Path("/dev/null"))
    assert (node.device, node.refusal) == ((1, 3), 0)
    assert node.access.endswith("0666")


def test_files_that_do_not(here: Machine, tmp_path: Path) -> None:
    assert here.node(tmp_path / "nothing").refusal == errno.ENOENT
    directory = here.node(tmp_path)
    assert (directory.device, directory.refusal) == (None, errno.EISDIR)


def test_what_the_kernel_says_of_this_process(here: Machine) -> None:
    assert here.user() == os.geteuid()
    assert "proc" in here.file_systems()
    effective = here.capabilities()
    status = Path("/proc/self/status").read_text()
    assert f"CapEff:\t{effective:016x}\n" in status
    assert here.bindings().fault == ""


def test_modules(machine: FakeMachine) -> None:
    assert not machine.has_module("tun")
    (machine.roots.modules / os.uname().release / "modules.dep").write_text("kernel/drivers/net/tun.ko.zst: a.ko\n")
    assert machine.has_module("tun")
    assert not machine.has_module("un")
    assert not replace(machine, roots=replace(machine.roots, modules=Path("/nowhere"))).has_module("tun")


def test_chips_in_a_device_tree(machine: FakeMachine) -> None:
    chip = machine.roots.dev / "gpiochip0"
    assert not machine.is_interrupt_controller(chip)
    place = machine.roots.gpio / "gpiochip0/of_node"
    place.mkdir(parents=True)
    assert not machine.is_interrupt_controller(chip)
    (place / "interrupt-controller").touch()
    assert machine.is_interrupt_controller(chip)


def test_a_kernel_that_says_neither_yes_nor_no_says_no(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal(method: str) -> str | None:
        if method == marks.TCX:
            return None
        raise MachineError(f"cannot ask the kernel for {method}: Out of memory", errno=errno.ENOMEM)

    monkeypatch.setattr(marks, "refusal_of", refusal)
    assert here.marks_refusal(marks.TCX) is None
    assert here.marks_refusal(marks.CLSACT) == "cannot ask the kernel for bpf-clsact: Out of memory"


@pytest.mark.parametrize("entries", [[], ["gpio-aggregator"]])
def test_configfs_that_is_mounted_nowhere(
    here: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[str]
) -> None:
    for name in entries:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(syscalls, "open_configfs", lambda: os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY))
    assert here.configfs_hides_aggregator() == bool(entries)
