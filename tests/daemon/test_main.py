"""The program gpiomuxd, run as a user runs it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gpiomux.rundir import VARIABLE
from gpiomux.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

CAP_NET_ADMIN = 12
PR_CAPBSET_DROP = 24


def gpiomuxd(*words: str, rundir: Path, powerless: bool = False) -> subprocess.CompletedProcess[str]:
    libc = ctypes.CDLL(None)

    def drop() -> None:
        libc.prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0)

    return subprocess.run(
        [sys.executable, "-m", "gpiomux.daemon", *words],
        text=True,
        capture_output=True,
        env={**os.environ, VARIABLE: str(rundir)},
        preexec_fn=drop if powerless else None,
    )


def test_version(tmp_path: Path) -> None:
    done = gpiomuxd("--version", rundir=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"gpiomuxd {VERSION}\n")


def test_help(tmp_path: Path) -> None:
    done = gpiomuxd("--help", rundir=tmp_path)
    assert done.returncode == 0
    for option in ("--exit-when-idle", "--answer", "--version", VARIABLE):
        assert option in done.stdout


@pytest.mark.parametrize("words", [["--exit"], ["--answer", "x"], ["--answer", "3", "--exit-when-idle"], ["more"]])
def test_bad_command_lines(words: list[str], tmp_path: Path) -> None:
    done = gpiomuxd(*words, rundir=tmp_path)
    assert done.returncode == 2
    assert "usage: gpiomuxd" in done.stderr


def test_without_the_capability(tmp_path: Path) -> None:
    done = gpiomuxd(rundir=tmp_path / "run", powerless=True)
    assert done.returncode == 1
    assert "gpiomuxd: gpiomuxd may not change network interfaces: it lacks CAP_NET_ADMIN" in done.stderr
    assert "hint: run it as root" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", ["0", "99"])
def test_answer_on_what_is_no_connection(number: str, tmp_path: Path) -> None:
    done = gpiomuxd("--answer", number, rundir=tmp_path)
    assert done.returncode == 2
    assert f"gpiomuxd: --answer: descriptor {number} is no connected socket" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version_import_nothing_heavy() -> None:
    code = "import sys, gpiomux.daemon.main; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pyroute2", "jsonschema", "yaml"} & set(modules)
