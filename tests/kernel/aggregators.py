"""Aggregators as tests make them, through each of the kernel's two doors, with nothing of gpiomux in between."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONFIGFS = Path("/sys/kernel/config")
PLATFORM = Path("/sys/bus/platform")
AGGREGATOR = PLATFORM / "drivers/gpio-aggregator"


@contextmanager
def through_configfs(label: str, offsets: Sequence[int]) -> Iterator[Path]:
    """An aggregator as kernels from 6.16 on make it."""
    place = CONFIGFS / "gpio-aggregator" / f"test-{label}"
    place.mkdir()
    with ExitStack() as closing_down:
        closing_down.callback(place.rmdir)
        for number, offset in enumerate(offsets):
            line = place / f"line{number}"
            line.mkdir()
            closing_down.callback(line.rmdir)
            (line / "key").write_text(label)
            (line / "offset").write_text(str(offset))
        (place / "live").write_text("1")
        closing_down.callback((place / "live").write_text, "0")
        yield node_of((place / "dev_name").read_text().strip())


@contextmanager
def through_sysfs(label: str, offsets: Sequence[int]) -> Iterator[Path]:
    """An aggregator as all kernels make it; a pair for each line, because one list would be sorted."""
    before = set(AGGREGATOR.glob("gpio-aggregator.*"))
    (AGGREGATOR / "new_device").write_text(" ".join(f"{label} {offset}" for offset in offsets))
    (device,) = set(AGGREGATOR.glob("gpio-aggregator.*")) - before
    try:
        yield node_of(device.name)
    finally:
        (AGGREGATOR / "delete_device").write_text(device.name)


def node_of(device: str) -> Path:
    """The character device that a platform device has made."""
    (directory,) = (PLATFORM / "devices" / device).glob("gpiochip*")
    return Path("/dev", directory.name)
