"""Tests of `gpiomux.aggregator.node` on a fake kernel: the right node, and who may open it."""

from __future__ import annotations

import errno
import grp
import os
import pwd
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator import node
from gpiomux.aggregator.node import Access, check_access, give, node_of, read_access, settle
from gpiomux.errors import MachineError
from tests import namespaces

if TYPE_CHECKING:
    from pathlib import Path

    from tests.aggregator.fake_kernel import FakeKernel

LABEL = "gpio-aggregator.3"
NOBODY = 65534

needs_root = pytest.mark.skipif(not namespaces.has_other_users(), reason="needs root, to give a file away")


@pytest.fixture
def chip(kernel: FakeKernel) -> Path:
    """The node of an aggregator chip."""
    path = kernel.chip(LABEL, [None])
    (kernel.roots.devices / LABEL / path.name).mkdir(parents=True)
    return path


def test_the_node_of_a_device(kernel: FakeKernel, chip: Path) -> None:
    assert node_of(kernel.roots, LABEL) == chip
    assert node_of(kernel.roots, "gpio-aggregator.4") is None


@needs_root
def test_owner_group_and_mode_by_name(chip: Path) -> None:
    user, group = pwd.getpwuid(NOBODY).pw_name, grp.getgrgid(NOBODY).gr_name
    give(chip, LABEL, Access(owner=user, group=group, mode=0o640))
    assert read_access(chip) == (Access(owner=user, group=group, mode=0o640), NOBODY, NOBODY)


@needs_root
def test_owner_and_group_by_number_with_a_name_or_without(chip: Path) -> None:
    give(chip, LABEL, Access(owner=str(NOBODY), group="54321"))
    access, owner_id, group_id = read_access(chip)
    assert (owner_id, group_id) == (NOBODY, 54321)
    assert (access.owner, access.group) == (pwd.getpwuid(NOBODY).pw_name, "54321")


def test_what_is_not_given_stays(chip: Path) -> None:
    chip.chmod(0o604)
    before = read_access(chip)
    give(chip, LABEL, Access())
    assert read_access(chip) == before
    give(chip, LABEL, Access(mode=0o600))
    assert read_access(chip) == (Access(owner=before[0].owner, group=before[0].group, mode=0o600), *before[1:])


@pytest.mark.parametrize(
    ("access", "missing"),
    [
        (Access(owner="nosuch"), "user nosuch"),
        (Access(group="nosuch"), "group nosuch"),
        (Access(owner="root", group="nosuch"), "group nosuch"),
        (Access(owner=str(2**32 - 1)), "user 4294967295"),  # chown(2) takes it for "leave it"
        (Access(group="9" * 31), f"group {'9' * 31}"),
    ],
)
def test_an_account_that_is_not_there(chip: Path, access: Access, missing: str) -> None:
    with pytest.raises(MachineError) as caught:
        check_access(access)
    assert (caught.value.message, caught.value.errno) == (f"there is no {missing}", errno.ENOENT)
    before = chip.stat()
    with pytest.raises(MachineError, match=f"there is no {missing}"):
        give(chip, LABEL, access)
    assert chip.stat() == before


def test_the_node_of_another_chip_is_refused(chip: Path) -> None:
    """Numbers of chips are used again: the chip may have gone and another have come."""
    before = chip.stat().st_mode
    with pytest.raises(MachineError, match=f"{chip} is {LABEL}, not gpio-aggregator.4") as caught:
        give(chip, "gpio-aggregator.4", Access(mode=0o666))
    assert caught.value.errno == errno.ENODEV
    assert chip.stat().st_mode == before


def test_a_node_that_is_no_chip(chip: Path) -> None:
    chip.write_text("")
    with pytest.raises(MachineError, match=f"cannot open {chip}: No such device") as caught:
        give(chip, LABEL, Access(mode=0o666))
    assert caught.value.errno == errno.ENODEV


def test_a_node_that_never_appears(chip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "PATIENCE_S", 0.05)
    chip.unlink()
    with pytest.raises(MachineError, match=f"{chip} does not appear") as caught:
        settle(chip)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.hint


def test_no_descriptor_is_left(chip: Path) -> None:
    before = os.listdir("/proc/self/fd")
    give(chip, LABEL, Access(mode=0o600))
    with pytest.raises(MachineError):
        give(chip, "gpio-aggregator.4", Access())
    assert os.listdir("/proc/self/fd") == before
