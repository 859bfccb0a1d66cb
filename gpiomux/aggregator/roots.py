"""Where the kernel shows what this room works with; tests put a tree of their own there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONFIGFS, SYSFS = "configfs", "sysfs"
"""The two doors to the aggregator driver."""
DOOR = "GPIOMUX_AGGREGATOR"
"""Environment variable that chooses one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The file systems of a machine."""

    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    proc: Path = Path("/proc")
    modules: Path = Path("/lib/modules")
    run: Path
    """Where chips that the kernel cannot label are recorded; not kept over a boot."""

    @property
    def platform(self) -> Path:
        return self.sys / "bus/platform"

    @property
    def devices(self) -> Path:
        """All platform devices, bound or not."""
        return self.platform / "devices"

    @property
    def driver(self) -> Path:
        """The aggregator driver; there while it is loaded."""
        return self.platform / "drivers/gpio-aggregator"

    @property
    def configfs(self) -> Path:
        """Where configfs is mounted by custom."""
        return self.sys / "kernel/config"

    @property
    def groups(self) -> Path:
        """The aggregator's place in configfs; from Linux 6.16 on."""
        return self.configfs / "gpio-aggregator"

    @property
    def gpio(self) -> Path:
        """All GPIO chips."""
        return self.sys / "bus/gpio/devices"
