"""The narrow door through which checks look at a machine. Whatever goes through it changes nothing.

One thing is more than a look: to learn whether a line has an interrupt, a free input is requested for a moment.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gpiomux.aggregator.bindings import bindings
from gpiomux.aggregator.chip import Chips
from gpiomux.aggregator.inventory import read_chips
from gpiomux.aggregator.kernel_files import locked
from gpiomux.aggregator.node import read_access
from gpiomux.aggregator.roots import DOOR, Roots
from gpiomux.errors import MachineError
from gpiomux.netdev import marks, syscalls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gpiomux.aggregator.bindings import Bindings
    from gpiomux.aggregator.inventory import Chip
    from gpiomux.rundir import RunDir


class Node(NamedTuple):
    """A file that has to be opened, and what came of it."""

    path: Path
    device: tuple[int, int] | None
    """Major and minor number of a character device; None for anything else, and where nothing is."""
    owner: str
    group: str
    mode: int
    refusal: int
    """Number of the error when it was opened for reading and writing; 0: none."""

    @property
    def access(self) -> str:
        """Who may open it, as a person reads it."""
        return f"{self.owner}:{self.group} {self.mode:04o}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine that this process runs on, with the rights of this process.

    *Threads and processes:* any.
    """

    rundir: RunDir
    roots: Roots

    @staticmethod
    def here(rundir: RunDir) -> Machine:
        """This machine."""
        return Machine(rundir=rundir, roots=Roots(run=rundir.chips))

    @property
    def tun(self) -> Node:
        """The device from which interfaces are made."""
        return self.node(self.roots.dev / "net/tun")

    @property
    def gpio_nodes(self) -> list[Node]:
        """The devices of all GPIO chips."""
        return [self.node(path) for path in sorted(self.roots.dev.glob("gpiochip*"))]

    def node(self, path: Path) -> Node:
        """Open a file and close it again."""
        try:
            about = path.stat()
            access, _, _ = read_access(path)
        except OSError as err:
            return Node(path, None, "", "", 0, err.errno or errno.EIO)
        device = (os.major(about.st_rdev), os.minor(about.st_rdev)) if stat.S_ISCHR(about.st_mode) else None
        refusal = 0
        try:
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY))
        except OSError as err:
            refusal = err.errno or errno.EIO
        return Node(path, device, access.owner or "", access.group or "", access.mode or 0, refusal)

    def has_module(self, name: str) -> bool:
        """Whether the modules of the running kernel have one of that name."""
        directory = self.roots.modules / os.uname().release
        try:
            return f"/{name}.ko" in (directory / "modules.dep").read_text(encoding="utf-8")
        except OSError:
            return False

    def file_systems(self) -> set[str]:
        """The kinds of file systems that the kernel knows."""
        lines = (self.roots.proc / "filesystems").read_text(encoding="ascii").splitlines()
        return {line.split()[-1] for line in lines}

    def door(self) -> str:
        """The way to make chips that the environment chooses; empty if it does not."""
        return os.environ.get(DOOR, "")

    def configfs_hides_aggregator(self) -> bool:
        """Whether configfs, which need not be mounted, has a place for aggregators.

        Raises:
            OSError: the kernel does not let us look.
        """
        directory = syscalls.open_configfs()
        try:
            return "gpio-aggregator" in os.listdir(directory)
        finally:
            os.close(directory)

    def capabilities(self) -> int:
        """The effective capabilities of this process, a bit for each."""
        lines = (self.roots.proc / "self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))

    def user(self) -> int:
        """Number of the user whose rights this process has."""
        return os.geteuid()

    def marks_refusal(self, method: str) -> str | None:
        """Why the kernel does not let marks be carried in one way; None if it does."""
        try:
            return marks.refusal_of(method)
        except MachineError as err:
            return err.message

    def bindings(self) -> Bindings:
        """The package by which lines are requested."""
        return bindings()

    def chips(self) -> tuple[Chip, ...]:
        """All GPIO chips.

        Raises:
            MachineError: one of them may not be opened.
        """
        return read_chips(self.roots.dev)

    def owners(self) -> dict[str, str]:
        """Links whose aggregators stand, by the names under which these hold lines.

        Raises:
            MachineError: they cannot be looked at.
        """
        try:
            standing = Chips(self.roots, None, self.rundir.owner).standing()
        except MachineError as err:
            if err.errno != errno.EBUSY:  # whose chip hangs is seen all the same, by who holds its lines
                raise
            return {}
        return {chip.device: chip.link for chip in standing if chip.device}

    def is_interrupt_controller(self, chip: Path) -> bool:
        """Whether the device tree says that the lines of a chip, by its node, have interrupts."""
        return (self.roots.gpio / chip.name / "of_node/interrupt-controller").exists()

    def without_interrupt(self, chip: Path, offsets: Sequence[int]) -> list[tuple[int, str]]:
        """Which of some free inputs have no interrupt, and the kernel's words; requests one after the other.

        Under the lock of those who make chips, so that no apply finds a line in use for this.

        Raises:
            MachineError: the chip is gone, or somebody was faster.
        """
        from gpiomux.lines.interrupts import refusal  # late: a machine without real lines needs no gpiod

        with locked(self.roots.driver) if self.roots.driver.is_dir() else nullcontext():
            return [(offset, words) for offset in offsets if (words := refusal(chip, offset)) is not None]
