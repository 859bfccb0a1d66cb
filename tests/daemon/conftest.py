"""A daemon's world for the tests on real interfaces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.rundir import RunDir
from tests.daemon.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world(network: None) -> Iterator[World]:
    world = World(RunDir(Path("/run/gpiomux")))
    yield world
    log = world.rundir.log.read_text() if world.rundir.log.exists() else ""
    world.end()
    print(log)
    assert "Traceback" not in log
