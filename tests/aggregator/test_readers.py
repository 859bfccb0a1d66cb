"""Tests of `gpiomux.aggregator.readers`: who holds lines, from a tree like /proc."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator.readers import of_chips

if TYPE_CHECKING:
    from pathlib import Path


def process(proc: Path, pid: int, name: str, **descriptors: tuple[str, int | None]) -> None:
    """A process; each of its descriptors leads somewhere and has flags, or tells none."""
    for part in ("fd", "fdinfo"):
        (proc / str(pid) / part).mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(f"{name}\n")
    for number, (target, flags) in enumerate(descriptors.values()):
        (proc / str(pid) / "fd" / str(number)).symlink_to(target)
        text = "pos:\t0\n" if flags is None else f"pos:\t0\nflags:\t0{flags:o}\nmnt_id:\t15\n"
        (proc / str(pid) / "fdinfo" / str(number)).write_text(text)


@pytest.mark.parametrize("kind", ["anon_inode:gpio-line", "anon_inode:gpio-event"])
def test_who_can_sleep_on_lines_is_named(tmp_path: Path, kind: str) -> None:
    process(tmp_path, 10, "kettle", log=("/dev/null", os.O_RDWR), lines=(kind, os.O_RDWR))
    process(tmp_path, 9, "gpiomon", lines=(kind, os.O_RDONLY))
    assert of_chips(tmp_path) == ["gpiomon (process 9)", "kettle (process 10)"]


def test_who_cannot_sleep_or_holds_no_lines_is_not(tmp_path: Path) -> None:
    process(tmp_path, 5, "gpiomux", lines=("anon_inode:gpio-line", os.O_RDWR | os.O_NONBLOCK))
    process(tmp_path, 6, "shell", tty=("/dev/pts/0", os.O_RDWR), chip=("/dev/gpiochip0", os.O_RDWR))
    assert of_chips(tmp_path) == []


def test_a_kernel_that_tells_no_flags(tmp_path: Path) -> None:
    process(tmp_path, 5, "kettle", lines=("anon_inode:gpio-line", None))
    assert of_chips(tmp_path) == ["kettle (process 5)"]


def test_a_process_that_ends_meanwhile_is_left_out(tmp_path: Path) -> None:
    process(tmp_path, 4, "kettle", lines=("anon_inode:gpio-line", os.O_RDWR))
    process(tmp_path, 5, "ended", lines=("anon_inode:gpio-line", os.O_RDWR))
    (tmp_path / "5/fdinfo/0").unlink()
    (tmp_path / "6").mkdir()
    (tmp_path / "self").mkdir()
    assert of_chips(tmp_path) == ["kettle (process 4)"]
