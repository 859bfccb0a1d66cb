"""The chips of links: made and removed through whichever door the kernel has, and found again by what marks them.

A chip from configfs is marked by the name of its group, `gpiomux-<link>`, or `gpiomux@<check sum>-<link>` for a run
directory other than the usual; others are by a record (records.py).
"""

from __future__ import annotations

import errno
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gpiomux.aggregator import configfs, device, readers, records, sources, sysfs
from gpiomux.aggregator.inventory import read_chips
from gpiomux.aggregator.kernel_files import locked
from gpiomux.aggregator.node import Access, check_access, give, node_of
from gpiomux.aggregator.records import Record
from gpiomux.aggregator.roots import CONFIGFS, SYSFS
from gpiomux.errors import MachineError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from gpiomux.aggregator.inventory import Chip
    from gpiomux.aggregator.roots import Roots
    from gpiomux.config.gathered import Gathered

PREFIX = "gpiomux-"
_SHOWN = "`gpiomux chips` shows the lines that there are, and who uses them"
_MADE_AGAIN = "`gpiomux apply` makes it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A chip of ours, as it stands."""

    link: str
    device: str
    """The platform device behind it; empty if that is gone."""
    lines: tuple[Gathered, ...]
    bound: bool = False
    """The device was there before and will be after; `lines` is empty."""
    node: Path | None = None
    """None: there is no chip, only what is left of one."""


class Chips:
    """Makes, finds and removes the chips of links.

    *Threads and processes:* any; all that changes anything is done under one lock of the machine.
    """

    def __init__(self, roots: Roots, door: str | None = None, owner: str = "") -> None:
        """Work on a machine.

        Args:
            roots: where the kernel's files are.
            door: how chips are made; None takes configfs where it exists.
            owner: what tells our groups from those of other run directories, for configfs has one place for all.
        """
        self.roots = self._roots = roots
        self._door = door
        self._prefix = f"gpiomux@{zlib.crc32(owner.encode()):08x}-" if owner else PREFIX

    def standing(self) -> list[Standing]:
        """All chips of ours, by link.

        Under the lock as well: the kernel lets nobody read a group in configfs that it is busy with, and a removal
        that waits for a reader would let us wait with it.

        Raises:
            MachineError: something cannot be looked at.
        """
        if not self._roots.driver.is_dir():
            return []
        with locked(self._roots.driver):
            return self._standing()

    def _standing(self) -> list[Standing]:
        found = [
            Standing(
                link=group.name.removeprefix(self._prefix),
                device=group.device,
                lines=group.lines,
                node=node_of(self._roots, group.device) if group.live else None,
            )
            for group in configfs.groups(self._roots.groups)
            if group.name.startswith(self._prefix)
        ]
        found += [self._recorded(record) for record in records.load_all(self._roots.run)]
        return sorted(found, key=lambda chip: chip.link)

    def alive(self, chip: Standing, chips: Sequence[Chip]) -> bool:
        """Whether a chip still has the lines it was made of: when a source goes, and even if it comes back, what
        stands on it is dead, and its node stays. A name that another line bears as well by now does no harm to it.
        """
        if chip.node is None:
            return False
        return chip.bound or all(
            any(place.line.consumer == chip.device for place in sources.candidates(line, chips)) for line in chip.lines
        )

    def require_devices(self, names: Iterable[str]) -> None:
        """Make sure that devices are there.

        Raises:
            UnsupportedError: names the first that is not.
        """
        for name in names:
            if not (self._roots.devices / name).exists():
                hint = f"see `device` in the file, and what there is: ls {self._roots.devices}"
                raise UnsupportedError(f"there is no device {name} in {self._roots.devices}", hint=hint)

    def make(self, link: str, lines: tuple[Gathered, ...], from_device: str | None, access: Access) -> Path:
        """Make the chip of a link; return its node.

        Raises:
            MachineError: the kernel refuses, in its words or in ours. Nothing is left.
            UnsupportedError: the kernel's door cannot gather these lines.
        """
        check_access(access)
        with locked(self._roots.driver) as lock:
            if from_device is not None:
                name = self._bind(link, from_device, lock)
            elif self.door() == CONFIGFS:
                name = self._explained(lines, lambda: self._through_configfs(link, lines, lock))
            else:
                name = self._through_sysfs(link, lines, lock)
            try:
                node = node_of(self._roots, name)
                if node is None:
                    raise self._reason(lines, f"the kernel has made no chip of {name}")
                give(node, name, access)
            except MachineError:
                self._remove(link, lock)
                raise
            return node

    def remove(self, link: str) -> None:
        """Remove the chip of a link, or what is left of it.

        Raises:
            MachineError: the kernel refuses, or waits for a reader of the lines; names that reader.
        """
        with locked(self._roots.driver) as lock:
            self._remove(link, lock)

    def node(self, link: str) -> Path:
        """The node of the chip of a link.

        Raises:
            MachineError: it has none (ENODEV).
        """
        for chip in self.standing():
            if chip.link == link and chip.node is not None:
                return chip.node
        raise MachineError(f"link {link} has no chip", errno=errno.ENODEV, hint=_MADE_AGAIN)

    def change_access(self, link: str, access: Access) -> None:
        """Set who may open the chip of a link.

        Raises:
            MachineError: the link has no chip, or the kernel refuses.
        """
        for chip in self.standing():
            if chip.link == link and chip.node is not None:
                return give(chip.node, chip.device, access)
        raise MachineError(f"link {link} has no chip", errno=errno.ENODEV, hint=_MADE_AGAIN)

    def door(self) -> str:
        """How chips are made here."""
        if self._door is not None:
            return self._door
        return CONFIGFS if self._roots.groups.is_dir() else SYSFS

    def _recorded(self, record: Record) -> Standing:
        name = record.device
        if not name:
            found = sysfs.fresh(self._roots, record.places, record.before)
            name = found[0] if len(found) == 1 else ""
        elif not record.bound and sysfs.devices(self._roots).get(name) != record.inode:
            name = ""
        driven = not record.bound or device.driver_of(self._roots, name) == device.DRIVER
        return Standing(
            link=record.link,
            device=name,
            lines=record.lines,
            bound=record.bound,
            node=node_of(self._roots, name) if name and driven else None,
        )

    def _through_configfs(self, link: str, lines: tuple[Gathered, ...], lock: int) -> str:
        return configfs.create(self._roots.groups, f"{self._prefix}{link}", lines, lock)

    def _through_sysfs(self, link: str, lines: tuple[Gathered, ...], lock: int) -> str:
        places, faults = sources.find(lines, read_chips(self._roots.dev))
        if faults:
            raise MachineError("; ".join(faults), errno=errno.ENXIO, hint=_SHOWN)
        text, pairs = sources.sysfs_text(places), sources.mirrored(places)
        before = sysfs.devices(self._roots)
        record = Record(link=link, lines=lines, places=pairs, before=before)
        records.save(self._roots.run, record)
        try:
            name = sysfs.create(self._roots, text, pairs, before, lock)
            inode = sysfs.devices(self._roots)[name]
            records.save(self._roots.run, replace(record, device=name, inode=inode))
        except MachineError:
            records.forget(self._roots.run, link)
            raise
        return name

    def _bind(self, link: str, name: str, lock: int) -> str:
        override = device.override_of(self._roots, name)
        driver = device.driver_of(self._roots, name)
        record = Record(link=link, device=name, bound=True, override=override, driver=driver)
        records.save(self._roots.run, record)
        try:
            device.bind(self._roots, name, lock)
        except MachineError:
            records.forget(self._roots.run, link)
            raise
        return name

    def _remove(self, link: str, lock: int) -> None:
        try:
            if (self._roots.groups / f"{self._prefix}{link}").is_dir():
                configfs.remove(self._roots.groups, f"{self._prefix}{link}", lock)
            for record in records.load_all(self._roots.run):
                if record.link == link:
                    self._remove_recorded(record, lock)
        except MachineError as err:
            if err.errno == errno.ETIMEDOUT:
                raise self._hindered(link) from err
            raise

    def _remove_recorded(self, record: Record, lock: int) -> None:
        if record.bound:
            device.restore(self._roots, record.device, record.override, record.driver, lock)
        elif name := self._recorded(record).device:
            sysfs.remove(self._roots, name, lock)
        records.forget(self._roots.run, record.link)

    def _hindered(self, link: str) -> MachineError:
        who = ", ".join(readers.of_chips(self._roots.proc)) or "an unknown process"
        return MachineError(
            f"the kernel cannot remove the chip of {link} yet: a process waits in read(2) on its lines",
            errno=errno.EBUSY,
            hint=f"end the one that reads, of those that hold lines: {who}; then the removal goes on by itself",
        )

    def _explained(self, lines: tuple[Gathered, ...], make: Callable[[], str]) -> str:
        try:
            return make()
        except MachineError as err:
            if err.errno != errno.ENXIO:
                raise
            raise self._reason(lines, err.message) from err

    def _reason(self, lines: tuple[Gathered, ...], otherwise: str) -> MachineError:
        """Why the kernel has not made a chip, which it says in its log only."""
        places, faults = sources.find(lines, read_chips(self._roots.dev))
        faults += sources.busy(places, frozenset())
        message = "; ".join(faults) or otherwise
        return MachineError(message, errno=errno.ENXIO, hint=_SHOWN if faults else "see the kernel's log: dmesg")
