"""Booting ends with the command's result or with an error, with scripts that play the kernel."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.kernel.boot import Ended, boot
from tests.kernel.cache import Kernel
from tests.kernel.failure import KernelError

PATIENCE_S = 10.0

ONLINE = r"""#!/bin/sh
for word; do
    case $word in ssl0=*) serial=/dev/fd/${word##*:} ;; esac
    share=$word # the last one
done
"""
"""The part of every such kernel that finds the serial line and the shared directory on its command line."""


def run(tmp_path: Path, script: str, *, timeout_s: float = 60.0) -> tuple[Ended, bytes]:
    """Boot a kernel that is `script`."""
    linux = tmp_path / "linux"
    linux.write_text(ONLINE + script, encoding="ascii")
    linux.chmod(0o755)
    heard = bytearray()
    ended = boot(
        Kernel(linux=linux, dtc=Path("/bin/false"), version=""),
        ["program", "argument"],
        directory=Path("/somewhere"),
        environment={"A": "1"},
        show=heard.extend,
        device_tree=None,
        timeout_s=timeout_s,
    )
    return ended, bytes(heard)


def test_a_command_runs_and_its_result_comes_back(tmp_path: Path) -> None:
    ended, heard = run(tmp_path, 'cat "$share/job.json" >"$serial"; echo 7 >"$share/status"')
    assert ended == Ended(status=7, console="")
    assert re.fullmatch(
        rb'{"command": \["program", "argument"\], "directory": "/somewhere", '
        rb'"environment": {"A": "1", "GPIOMUX_TEST_KERNEL": "1", "GPIOMUX_SHARE": "/.*"}}',
        heard,
    )


def test_the_console_is_kept_apart(tmp_path: Path) -> None:
    ended, heard = run(
        tmp_path, 'echo out >"$serial"; echo "WARNING: x"; echo "[1] reboot: Power down"; echo 0 >"$share/status"'
    )
    assert ended == Ended(status=0, console="WARNING: x")
    assert heard == b"out\n"


def test_a_crash_is_an_error_and_shows_the_console(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="ended without a result") as caught:
        run(tmp_path, "echo Kernel panic; exit 134")
    assert caught.value.hint == "Kernel panic"


def test_a_kernel_that_hangs_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(KernelError, match="did not end within 1 s"):
        run(tmp_path, f'sleep 1000 & echo $! $$ >"{pids}"; wait', timeout_s=1.0)
    give_up_s = time.monotonic() + PATIENCE_S
    for pid in pids.read_text().split():
        status = Path(f"/proc/{pid}/status")
        while status.exists() and "Z (zombie)" not in status.read_text():
            assert time.monotonic() < give_up_s


def test_a_kernel_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="none cannot be started: No such file"):
        boot(
            Kernel(linux=tmp_path / "none", dtc=Path("/bin/false"), version=""),
            [],
            directory=tmp_path,
            environment={},
            show=lambda _: None,
            device_tree=None,
        )


def test_a_device_tree_that_does_not_compile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"board\.dts is no device tree"):
        boot(
            Kernel(linux=tmp_path, dtc=Path("/bin/false"), version=""),
            [],
            directory=tmp_path,
            environment={},
            show=lambda _: None,
        )
