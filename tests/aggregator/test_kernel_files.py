"""Tests of `gpiomux.aggregator.kernel_files`: writing with patience, and the lock, with ordinary files and pipes."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator import kernel_files
from gpiomux.aggregator.kernel_files import locked, write, write_patiently
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_text_is_written_at_once(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    write(tmp_path / "key", "soc")
    with locked(tmp_path) as lock:
        write_patiently(tmp_path / "key", "SO", lock)
    assert (tmp_path / "key").read_text() == "SOc"


def test_a_refusal_keeps_its_number(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"cannot write .*/live: No such file or directory") as caught:
        write(tmp_path / "live", "1")
    assert caught.value.errno == errno.ENOENT
    with locked(tmp_path) as lock, pytest.raises(MachineError, match="No such file or directory") as caught:
        write_patiently(tmp_path / "live", "1", lock)
    assert caught.value.errno == errno.ENOENT


def test_a_write_that_hangs_goes_on_alone_and_keeps_the_lock(tmp_path: Path) -> None:
    pipe = tmp_path / "live"
    os.mkfifo(pipe)  # opening it for writing waits for a reader
    with locked(tmp_path) as lock, pytest.raises(MachineError) as caught:
        write_patiently(pipe, "0", lock, patience_s=0.1)
    assert caught.value.errno == errno.ETIMEDOUT
    with pytest.raises(MachineError, match="another chip is being made or removed"), locked(tmp_path, patience_s=0.1):
        pass
    assert pipe.read_text() == "0"
    (stuck,) = kernel_files._stuck
    assert stuck.wait() == 0
    kernel_files._stuck.clear()
    with locked(tmp_path):
        pass


def test_nobody_else_has_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(MachineError) as caught, locked(tmp_path, patience_s=0.05):
        pass
    assert caught.value.errno == errno.EBUSY


def test_a_driver_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"cannot open .*/none"), locked(tmp_path / "none"):
        pass
