"""A machine whose files are a tree in a temporary directory, and whose kernel answers as a test wants."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpiomux.aggregator.bindings import Bindings
from gpiomux.aggregator.inventory import Chip, Line
from gpiomux.aggregator.roots import Roots
from gpiomux.doctor.machine import Machine, Node
from gpiomux.netdev import marks
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gpiomux.errors import MachineError

ALL = (1 << 41) - 1
GOOD = Bindings("2.5.0", "/lib/gpiod", "")


@dataclass(slots=True)
class Kernel:
    """What cannot be a file, or not for an ordinary user."""

    effective: int = ALL
    uid: int = 0
    refusals: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys((marks.TCX, marks.CLSACT)))
    binding: Bindings = GOOD
    tun: Node | None = None
    nodes: tuple[Node, ...] = ()
    hidden: bool | OSError = True
    """What configfs that is not mounted says of a place for aggregators."""
    chips: tuple[Chip, ...] = ()
    holders: dict[str, str] = field(default_factory=dict)
    uninterrupted: dict[tuple[str, int], str | MachineError] = field(default_factory=dict)
    """Lines, by label and offset, without interrupts, or that cannot be asked."""
    asked: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMachine(Machine):
    """Its files are real ones."""

    kernel: Kernel

    @property
    def tun(self) -> Node:
        return self.kernel.tun or Node(self.roots.dev / "net/tun", (10, 200), "root", "root", 0o666, 0)

    @property
    def gpio_nodes(self) -> list[Node]:
        return list(self.kernel.nodes)

    def configfs_hides_aggregator(self) -> bool:
        if isinstance(self.kernel.hidden, OSError):
            raise self.kernel.hidden
        return self.kernel.hidden

    def capabilities(self) -> int:
        return self.kernel.effective

    def user(self) -> int:
        return self.kernel.uid

    def marks_refusal(self, method: str) -> str | None:
        return self.kernel.refusals.get(method)

    def bindings(self) -> Bindings:
        return self.kernel.binding

    def chips(self) -> tuple[Chip, ...]:
        return self.kernel.chips

    def owners(self) -> dict[str, str]:
        return self.kernel.holders

    def without_interrupt(self, chip: Path, offsets: Sequence[int]) -> list[tuple[int, str]]:
        label = next(it.label for it in self.kernel.chips if it.node == chip)
        self.kernel.asked += [(label, offset) for offset in offsets]
        found = []
        for offset in offsets:
            answer = self.kernel.uninterrupted.get((label, offset))
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                found.append((offset, answer))
        return found


def whole_machine(directory: Path) -> FakeMachine:
    """One that lacks nothing: two chips of 32 lines, `one` and `two`."""
    roots = Roots(
        sys=directory / "sys",
        dev=directory / "dev",
        proc=directory / "proc",
        modules=directory / "modules",
        run=directory / "run/chips",
    )
    for path in (
        roots.gpio,
        roots.driver,
        roots.groups,
        roots.dev,
        roots.proc / "sys/net/ipv6",
        roots.proc / "self/ns",
    ):
        path.mkdir(parents=True)
    (roots.proc / "self/ns/net").touch()
    (roots.proc / "filesystems").write_text("nodev\tproc\nnodev\tconfigfs\n\text4\n")
    (roots.modules / os.uname().release).mkdir(parents=True)
    chips = tuple(
        Chip(
            node=roots.dev / f"gpiochip{number}",
            label=label,
            lines=tuple(Line(offset=offset, name=f"{label}-{offset}") for offset in range(32)),
        )
        for number, label in enumerate(("one", "two"))
    )
    for chip in chips:
        chip.node.touch()
    nodes = tuple(Node(chip.node, (254, number), "root", "gpio", 0o660, 0) for number, chip in enumerate(chips))
    kernel = Kernel(chips=chips, nodes=nodes)
    return FakeMachine(rundir=RunDir(directory / "run"), roots=roots, kernel=kernel)
