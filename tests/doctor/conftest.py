"""A machine that lacks nothing, for the tests to break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doctor.fake_machine import FakeMachine, whole_machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return whole_machine(tmp_path)
