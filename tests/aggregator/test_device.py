"""Tests of `gpiomux.aggregator.device` on a fake kernel: devices are given back as they were, whatever fails."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator import device
from gpiomux.aggregator.kernel_files import locked
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from tests.aggregator.fake_kernel import FakeKernel

BOUND = [
    "drivers/leds-gpio/unbind <- door",
    "devices/door/driver_override <- gpio-aggregator",
    "drivers/gpio-aggregator/bind <- door",
]
RESTORED = [
    "drivers/gpio-aggregator/unbind <- door",
    "devices/door/driver_override <- ",
    "drivers/leds-gpio/bind <- door",
]


@pytest.fixture
def door(kernel: FakeKernel) -> FakeKernel:
    """A machine with a device `door` that another driver has."""
    kernel.platform_device("door", driver="leds-gpio")
    return kernel


def bind(kernel: FakeKernel) -> None:
    with locked(kernel.roots.driver) as lock:
        device.bind(kernel.roots, "door", lock)


def restore(kernel: FakeKernel, override: str = "", driver: str = "leds-gpio") -> None:
    with locked(kernel.roots.driver) as lock:
        device.restore(kernel.roots, "door", override, driver, lock)


def test_a_device_is_taken_from_its_driver_and_given_back(door: FakeKernel) -> None:
    before = door.snapshot()
    assert device.driver_of(door.roots, "door") == "leds-gpio"
    assert device.override_of(door.roots, "door") == ""
    bind(door)
    assert device.driver_of(door.roots, "door") == device.DRIVER
    assert device.override_of(door.roots, "door") == device.DRIVER
    restore(door)
    assert door.log == BOUND + RESTORED
    assert door.snapshot() == before


@pytest.mark.parametrize("step", range(len(BOUND)))
def test_a_step_that_fails_leaves_the_device_as_it_was(door: FakeKernel, step: int) -> None:
    before = door.snapshot()
    door.refuse_at = step
    with pytest.raises(MachineError) as caught:
        bind(door)
    assert caught.value.errno == errno.EIO
    assert door.log[: step + 1] == BOUND[: step + 1]
    assert door.snapshot() == before


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EAGAIN, "device door cannot be bound: it waits for a chip of its lines, or for something else"),
        (errno.EBUSY, "device door cannot be bound: a line of it is in use"),
    ],
)
def test_why_a_device_cannot_be_bound(door: FakeKernel, number: int, said: str) -> None:
    before = door.snapshot()
    door.refuse_at, door.refusal = len(BOUND) - 1, number
    with pytest.raises(MachineError) as caught:
        bind(door)
    assert caught.value.message.startswith(said)
    assert caught.value.hint
    assert caught.value.errno == number
    assert door.snapshot() == before


@pytest.mark.parametrize("step", range(len(RESTORED)))
def test_a_restoration_that_fails_can_be_done_again(door: FakeKernel, step: int) -> None:
    before = door.snapshot()
    bind(door)
    door.refuse_at = len(BOUND) + step
    with pytest.raises(MachineError):
        restore(door)
    restore(door)
    assert door.snapshot() == before


def test_a_device_without_driver_gets_none_and_its_override_again(kernel: FakeKernel) -> None:
    kernel.platform_device("door", override="some-driver")
    before = kernel.snapshot()
    bind(kernel)
    restore(kernel, override="some-driver", driver="")
    assert kernel.snapshot() == before


def test_a_device_that_another_driver_has_got_meanwhile_keeps_it(door: FakeKernel) -> None:
    before = door.snapshot()
    restore(door)
    assert door.log == ["devices/door/driver_override <- "]
    assert door.snapshot() == before


def test_a_device_that_is_gone_needs_nothing(kernel: FakeKernel) -> None:
    restore(kernel)
    assert kernel.log == []
    with pytest.raises(MachineError, match=r"cannot read .*/door/driver_override: No such file") as caught:
        device.override_of(kernel.roots, "door")
    assert str(kernel.roots.devices) in caught.value.hint
