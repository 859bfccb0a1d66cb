"""What holds for the tests that need the test kernel: outside of it they are skipped with the reason."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.e2e.host import Host
from tests.kernel import chips, modem
from tests.kernel.boot import INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `kernel` on any other kernel."""
    if INSIDE in os.environ:
        return
    for item in items:
        if item.get_closest_marker("kernel"):
            item.add_marker(pytest.mark.skip(reason="needs the test kernel: make test-kernel"))


@pytest.fixture
def cable() -> Iterator[None]:
    """A null modem whose cable is whole, before the test and after it."""
    modem.reset()
    yield
    modem.reset()


@pytest.fixture(params=[True, False], ids=["multiple", "one-by-one"], scope="module")
def multiple(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Chips that set and read several lines in one operation, and chips that do not."""
    with modem.replugged(multiple=request.param):
        yield request.param


@pytest.fixture
def host(tmp_path: Path, network: None, cable: None) -> Iterator[Host]:
    """A machine without links; afterwards it has no chip that was not there before, and no wire was fought over."""
    host = Host(tmp_path)
    yield host
    host.ask("down")
    assert chips.aggregators() == []
    assert modem.fights() == 0


@pytest.fixture(params=["configfs", "sysfs"])
def door(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The way in which chips are made."""
    monkeypatch.setenv("GPIOMUX_AGGREGATOR", request.param)
    return str(request.param)
