"""The machine that most tests of this room work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.aggregator.fake_kernel import FakeKernel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """A kernel with two chips of eight lines, the first with names for some."""
    fake = FakeKernel(tmp_path, monkeypatch)
    fake.chip("soc", ["A", "B", None, "twice", None, None, None, None])
    fake.chip("expander", [None, None, "C", "twice", None, None, None, None])
    return fake
