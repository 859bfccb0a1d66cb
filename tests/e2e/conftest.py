"""The fixture of the end-to-end tests: a machine on which gpiomux is used as its manual says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.host import LOG, RUN_DIRECTORY, Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path, network: None) -> Iterator[Host]:
    """A machine without links; what a failed test leaves on it is taken down."""
    host = Host(tmp_path)
    yield host
    if LOG.exists():
        log = LOG.read_text(errors="replace")
        print(f"gpiomuxd's log:\n{log}")  # pytest shows it with a failed test
        assert "Traceback" not in log
    if RUN_DIRECTORY.exists():
        host.ask("down")
