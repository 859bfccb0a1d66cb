"""Which package answers to the name gpiod."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from gpiomux.aggregator.bindings import bindings

if TYPE_CHECKING:
    import pytest


def test_the_one_that_gpiomux_is_installed_with() -> None:
    found = bindings()
    assert found.version.split(".")[0] == "2"
    assert found.path.endswith("gpiod/__init__.py")
    assert found.fault == ""


def test_version_1_of_the_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ModuleType("gpiod")
    old.__file__ = "/usr/lib/python3/dist-packages/gpiod.so"
    monkeypatch.setitem(sys.modules, "gpiod", old)
    assert "in /usr/lib/python3/dist-packages/gpiod.so is a version without number" in bindings().fault
    old.__dict__["__version__"] = "1.5.4"
    assert "is version 1.5.4, whose functions are those of libgpiod 1" in bindings().fault


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    found = bindings()
    assert (found.version, found.path) == ("", "")
    assert found.fault.startswith("gpiod cannot be imported: ")
