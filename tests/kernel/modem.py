"""The null modem as tests handle it: its chips, its cable, its parameters. What it is stands in null_modem.c."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = 32
ALL_WIRES = 0xFFFFFFFF
LABELS = ("null-modem.0", "null-modem.1")
"""Of the two chips, unless a test gives them others."""

DEVICES = Path("/sys/devices/platform")
DRIVER = Path("/sys/bus/platform/drivers/null-modem")
PARAMETERS = Path("/sys/module/null_modem/parameters")
KNOBS = Path("/sys/kernel/debug/null-modem")
LIST = Path("/sys/kernel/debug/gpio")


def far(offset: int) -> int:
    """The line of the other chip that a line is wired to."""
    return (offset + LINES // 2) % LINES


def chip(end: int) -> Path:
    """The character device of chip 0 or 1; its number is another one after each unplugging."""
    (directory,) = (DEVICES / f"null-modem.{end}").glob("gpiochip*")
    return Path("/dev", directory.name)


def cut(wires: int = ALL_WIRES) -> None:
    """Let these wires carry nothing, and all others what is on them; wire i is line i of chip 0."""
    _write(KNOBS / "cut", str(wires))


def pull_high(wires: int) -> None:
    """Let these wires read 1 at both ends, and no others."""
    _write(KNOBS / "high", str(wires))


def driven(end: int, offset: int) -> bool:
    """The level of a line that somebody holds as an output: what the kernel's own list of all lines says."""
    lines = LIST.read_text(encoding="ascii").partition(f"{chip(end).name}: ")[2]
    found = re.search(rf"^ gpio-{offset} .*\) out (hi|lo)", lines, re.MULTILINE)
    assert found
    return found[1] == "hi"


def fights() -> int:
    """The wires that have been driven from both ends since the last `reset`."""
    return int((KNOBS / "fights").read_text(), 16)


def writes() -> int:
    """How often a driver has set levels, on either chip, since the last `reset`: once for each line, or for several."""
    return int((KNOBS / "writes").read_text(), 16)


def reset() -> None:
    """Mend the cable, forget what was counted."""
    for knob in ("cut", "high", "fights", "writes"):
        _write(KNOBS / knob, "0")


def unplug(end: int) -> None:
    """Take a chip away from under whoever uses it."""
    _write(DRIVER / "unbind", f"null-modem.{end}")


def plug(end: int) -> None:
    """Bring a chip back."""
    _write(DRIVER / "bind", f"null-modem.{end}")


@contextmanager
def replugged(*, multiple: bool = True, labels: tuple[str, str] = LABELS) -> Iterator[None]:
    """Inside the block both chips are of another make: without operations on several lines, with other labels."""
    names = ("multiple", "labels")
    before = {name: (PARAMETERS / name).read_text(encoding="ascii").rstrip() for name in names}
    wanted = {"multiple": "Y" if multiple else "N", "labels": ",".join(labels)}
    if wanted == before:
        yield
        return
    _replug(wanted)
    try:
        yield
    finally:
        _replug(before)


def _replug(parameters: dict[str, str]) -> None:
    # The driver reads its parameters when a chip is bound. A line feed would be part of the last label.
    for name, value in parameters.items():
        _write(PARAMETERS / name, value)
    for end in (0, 1):
        unplug(end)
        plug(end)


def _write(path: Path, text: str) -> None:
    # One write(2): sysfs takes each for a request of its own.
    path.write_text(text, encoding="ascii")
