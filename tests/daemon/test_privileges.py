"""Asking the kernel what we are allowed to do."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from gpiomux.daemon.privileges import require_net_admin
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path


def status(tmp_path: Path, effective: int) -> Path:
    path = tmp_path / "status"
    path.write_text(f"Name:\tpython\nCapPrm:\t{2**41 - 1:016x}\nCapEff:\t{effective:016x}\nCapBnd:\t{0:016x}\n")
    return path


@pytest.mark.parametrize("effective", [2**41 - 1, 1 << 12])
def test_allowed(effective: int, tmp_path: Path) -> None:
    require_net_admin(status(tmp_path, effective))


@pytest.mark.parametrize("effective", [0, (2**41 - 1) & ~(1 << 12)])
def test_refused(effective: int, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="lacks CAP_NET_ADMIN") as caught:
        require_net_admin(status(tmp_path, effective))
    assert caught.value.errno == errno.EPERM
    assert "run it as root" in caught.value.hint
