"""A platform device with lines of its own, put under the aggregator driver by `driver_override`, and given back.

The kernel's example is a door with two lines in a device tree (Documentation/admin-guide/gpio/gpio-aggregator.rst).
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from gpiomux.aggregator.kernel_files import write, write_patiently
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.aggregator.roots import Roots

DRIVER = "gpio-aggregator"

_REASONS = {
    errno.EAGAIN: (  # a deferred probe, in the words of `bind` (drivers/base/bus.c)
        "it waits for a chip of its lines, or for something else that is not there yet",
        "dmesg and /sys/kernel/debug/devices_deferred tell for what",
    ),
    errno.EBUSY: ("a line of it is in use", "`gpiomux chips` shows by whom"),
}


def driver_of(roots: Roots, name: str) -> str:
    """The driver that a device is bound to; empty if to none."""
    link = roots.devices / name / "driver"
    return link.readlink().name if link.is_symlink() else ""


def override_of(roots: Roots, name: str) -> str:
    """The driver that is forced upon a device; empty if none is.

    Raises:
        MachineError: there is no such device.
    """
    path = roots.devices / name / "driver_override"
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as err:
        message = f"cannot read {path}: {err.strerror}"
        raise MachineError(
            message, errno=err.errno or 0, hint=f"see which devices there are: ls {roots.devices}"
        ) from err
    return "" if text == "(null)" else text


def bind(roots: Roots, name: str, lock: int) -> None:
    """Put a device under the aggregator driver.

    Raises:
        MachineError: the kernel refuses; the device is as before.
    """
    override, driver = override_of(roots, name), driver_of(roots, name)
    try:
        if driver:
            write_patiently(_driver(roots, driver) / "unbind", name, lock)
        write(roots.devices / name / "driver_override", DRIVER)
        write_patiently(roots.driver / "bind", name, lock)
    except MachineError as err:
        with suppress(MachineError):
            restore(roots, name, override, driver, lock)
        number = err.errno or 0
        if number not in _REASONS:
            raise
        message, hint = _REASONS[number]
        raise MachineError(f"device {name} cannot be bound: {message}", errno=number, hint=hint) from err


def restore(roots: Roots, name: str, override: str, driver: str, lock: int) -> None:
    """Take a device from the aggregator driver, and give it back to `driver`, if it had one.

    Raises:
        MachineError: the kernel refuses; ETIMEDOUT: it waits for a reader of a line.
    """
    if not (roots.devices / name).exists():
        return
    if driver_of(roots, name) == DRIVER:
        write_patiently(roots.driver / "unbind", name, lock)
    write(roots.devices / name / "driver_override", f"{override}\n")
    if driver and not driver_of(roots, name):
        write_patiently(_driver(roots, driver) / "bind", name, lock)


def _driver(roots: Roots, name: str) -> Path:
    return roots.platform / "drivers" / name
