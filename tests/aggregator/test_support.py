"""Tests of `gpiomux.aggregator.support`: machines that lack something."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator.roots import CONFIGFS, Roots
from gpiomux.aggregator.support import require_aggregator, require_gpio
from gpiomux.errors import UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """A machine without anything."""
    return Roots(
        sys=tmp_path / "sys", dev=tmp_path / "dev", proc=tmp_path, modules=tmp_path / "modules", run=tmp_path / "run"
    )


def test_a_kernel_without_gpio(roots: Roots) -> None:
    with pytest.raises(UnsupportedError, match="this kernel has no GPIO") as caught:
        require_gpio(roots)
    assert "CONFIG_GPIOLIB" in caught.value.hint


def test_a_machine_without_chips(roots: Roots) -> None:
    roots.gpio.mkdir(parents=True)
    with pytest.raises(UnsupportedError, match="this machine shows no GPIO chip"):
        require_gpio(roots)
    roots.dev.mkdir()
    (roots.dev / "gpiochip0").touch()
    require_gpio(roots)


def test_a_kernel_without_aggregator(roots: Roots) -> None:
    with pytest.raises(UnsupportedError, match="built without CONFIG_GPIO_AGGREGATOR") as caught:
        require_aggregator(roots)
    assert "aggregate: false" in caught.value.hint


def test_a_module_that_is_not_loaded(roots: Roots) -> None:
    place = roots.modules / os.uname().release
    place.mkdir(parents=True)
    (place / "modules.dep").write_text("kernel/drivers/gpio/gpio-aggregator.ko.xz:\n")
    with pytest.raises(UnsupportedError, match="its module is not loaded") as caught:
        require_aggregator(roots)
    assert caught.value.hint == "modprobe gpio-aggregator"


def test_configfs_that_is_not_mounted(roots: Roots) -> None:
    roots.driver.mkdir(parents=True)
    require_aggregator(roots)
    with pytest.raises(UnsupportedError, match="has no door in configfs") as caught:
        require_aggregator(roots, CONFIGFS)
    assert caught.value.hint.startswith("mount -t configfs none ")
    roots.groups.mkdir(parents=True)
    require_aggregator(roots, CONFIGFS)
