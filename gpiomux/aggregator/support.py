"""What a machine lacks for real lines, in words: asked before anything is done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpiomux.aggregator.roots import CONFIGFS
from gpiomux.errors import UnsupportedError

if TYPE_CHECKING:
    from gpiomux.aggregator.roots import Roots

MODULE = "gpio-aggregator"


def require_gpio(roots: Roots) -> None:
    """Make sure that there are GPIO chips.

    Raises:
        UnsupportedError: says what is missing.
    """
    if not roots.gpio.is_dir():
        raise UnsupportedError(
            "this kernel has no GPIO: there is no " + str(roots.gpio),
            hint="it needs CONFIG_GPIOLIB and CONFIG_GPIO_CDEV; without lines, use `medium: sim`",
        )
    if not any(roots.dev.glob("gpiochip*")):
        raise UnsupportedError(
            f"this machine shows no GPIO chip: there is no {roots.dev}/gpiochip*",
            hint="load the driver of the board's lines; the kernel also needs CONFIG_GPIO_CDEV",
        )


def require_aggregator(roots: Roots, door: str | None = None) -> None:
    """Make sure that lines can be gathered.

    Raises:
        UnsupportedError: says what is missing: the kernel's option, the module, configfs.
    """
    if not roots.driver.is_dir():
        raise UnsupportedError(f"the driver {MODULE} is not there: {_why_missing(roots)}", hint=_hint(roots))
    if door == CONFIGFS and not roots.groups.is_dir():
        raise UnsupportedError(
            f"{MODULE} has no door in configfs: there is no {roots.groups}",
            hint=f"mount -t configfs none {roots.configfs}; Linux 6.16 or newer has it",
        )


def _why_missing(roots: Roots) -> str:
    return "its module is not loaded" if _has_module(roots) else "this kernel was built without CONFIG_GPIO_AGGREGATOR"


def _hint(roots: Roots) -> str:
    if _has_module(roots):
        return f"modprobe {MODULE}"
    return "build a kernel with it, or set `aggregate: false` in `lines` to run on the source chip itself"


def _has_module(roots: Roots) -> bool:
    try:
        return f"/{MODULE}.ko" in (roots.modules / os.uname().release / "modules.dep").read_text(encoding="utf-8")
    except OSError:
        return False
