"""The checks of what one link of a configuration needs: lines, accounts, namespaces, channels."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.aggregator import sources
from gpiomux.aggregator.node import Access, check_access
from gpiomux.config.gathered import consumer, gathered
from gpiomux.config.model import Bundle, GpioMedium, PollMode, ShmMedium
from gpiomux.doctor.finding import Finding, not_needed, ok, problem, unknown
from gpiomux.doctor.needs import channel_paths
from gpiomux.errors import MachineError
from gpiomux.netdev.inside import DIRECTORY, entered
from gpiomux.wire.elements import HEADER_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.aggregator.inventory import Chip
    from gpiomux.aggregator.sources import Place
    from gpiomux.config.model import Lines, Link
    from gpiomux.doctor.machine import Machine

LINES = "lines"
USERS = "users of lines"
INTERRUPTS = "interrupts"
ACCESS = "access"
NETNS = "netns"
CHANNELS = "channels"

_NO_LINES = "it has no real lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the checks of all links look at, read once."""

    machine: Machine
    chips: tuple[Chip, ...] = ()
    """Empty if they cannot be looked at."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """Links by the names under which they hold lines: their chips and their datapaths."""

    def places(self, link: Link) -> tuple[list[Place], list[str]]:
        """The lines of a link that were found, in the order of its chip, and why others were not."""
        lines = real_lines(link)
        return ([], []) if lines is None else sources.find(gathered(link.name, lines), self.chips)


def real_lines(link: Link) -> Lines | None:
    """The lines of a link, if they are real ones."""
    return link.transport.lines if isinstance(link.transport.medium, GpioMedium) else None


def check_lines(scene: Scene, link: Link) -> Finding:
    """Whether labels, names and offsets are those of lines, and devices are there."""
    lines = real_lines(link)
    if lines is None:
        return not_needed(LINES, _NO_LINES, about=link.name)
    if lines.device is not None:
        return _check_device(scene, link, lines.device)
    places, faults = scene.places(link)
    if faults:
        return problem(LINES, "; ".join(faults), "see `from` in the file, and `gpiomux chips`", about=link.name)
    labels = ", ".join(dict.fromkeys(place.chip.label for place in places))
    return ok(LINES, f"all {len(places)} are there, on {labels}", about=link.name)


def _check_device(scene: Scene, link: Link, device: str) -> Finding:
    place = scene.machine.roots.devices / device
    if place.exists():
        return ok(LINES, f"those of the device {device}, which is there", about=link.name)
    remedy = "see `device` in the file, and the device tree of the board"
    return problem(LINES, f"there is no {place}", remedy, about=link.name)


def check_users(scene: Scene, link: Link) -> Finding:
    """Whether the lines are free, or the link's own by now."""
    if real_lines(link) is None:
        return not_needed(USERS, _NO_LINES, about=link.name)
    places, _ = scene.places(link)
    own = {name for name, owner in scene.owners.items() if owner == link.name} | {consumer(link.name)}
    occupied = [place for place in places if place.line.used and place.line.consumer not in own]
    if not occupied:
        used = any(place.line.used for place in places)
        return ok(USERS, "this link has them" if used else "nobody else has them", about=link.name)
    told = [f"{words}{_owner(scene, place)}" for place in occupied for words in sources.busy([place], own)]
    remedy = "take other lines, or end what uses these"
    return problem(USERS, "; ".join(told), remedy, about=link.name)


def _owner(scene: Scene, place: Place) -> str:
    owner = scene.owners.get(place.line.consumer)
    return f" (link {owner})" if owner else ""


def check_interrupts(scene: Scene, link: Link) -> Finding:
    """Whether the lines on whose edges the datapath sleeps have interrupts; free inputs only are asked."""
    lines = real_lines(link)
    if lines is None or lines.device is not None:
        why = _NO_LINES if lines is None else "the lines of a device cannot be asked before it is bound"
        return not_needed(INTERRUPTS, why, about=link.name)
    if link.poll.mode is PollMode.BUSY:
        return not_needed(INTERRUPTS, "its datapath looks at the lines all the time", about=link.name)
    places, faults = scene.places(link)
    if faults:
        return unknown(INTERRUPTS, LINES, about=link.name)
    into = lines.into
    watched = (into.req, lines.out.backward[0]) if isinstance(into, Bundle) else into.forward
    asked = [places[offset] for offset in watched]
    own = {name for name, owner in scene.owners.items() if owner == link.name} | {consumer(link.name)}
    if any(place.line.used and place.line.consumer in own for place in asked):
        return ok(INTERRUPTS, "this link has its lines and sleeps on them", about=link.name)
    if any(place.line.used for place in asked):
        return unknown(INTERRUPTS, USERS, about=link.name)
    return _ask_interrupts(scene.machine, asked, link.name)


def _ask_interrupts(machine: Machine, asked: list[Place], about: str) -> Finding:
    open_question = [place for place in asked if not machine.is_interrupt_controller(place.chip.node)]
    driven = [place for place in open_question if place.line.output]
    missing = []
    try:
        for place in open_question:
            if not place.line.output:
                for offset, words in machine.without_interrupt(place.chip.node, [place.line.offset]):
                    missing.append(f"line {offset} of chip {place.chip.label}: {words}")
    except MachineError as err:
        return problem(INTERRUPTS, err.message, "run it again when nobody else works on the chip", about=about)
    if missing:
        remedy = "take other lines for `req` of `in` and `ack` of `out` (gpiosk: for both of `in`)"
        return problem(INTERRUPTS, f"no interrupt: {'; '.join(missing)}", remedy, about=about)
    if driven:
        told = ", ".join(f"{place.line.offset} of chip {place.chip.label}" for place in driven)
        return ok(INTERRUPTS, f"not asked of line {told}, an output at present; the others have one", about=about)
    return ok(INTERRUPTS, "each line that is waited for has one", about=about)


def check_accounts(_scene: Scene, link: Link) -> Finding:
    """Owner and group of the link's chip."""
    medium = link.transport.medium
    if not isinstance(medium, GpioMedium) or medium == GpioMedium():
        return not_needed(ACCESS, "its chip is given to nobody", about=link.name)
    try:
        check_access(Access(owner=medium.owner, group=medium.group, mode=medium.mode))
    except MachineError as err:
        remedy = "make the account (groupadd, useradd), or change `access` in the file"
        return problem(ACCESS, err.message, remedy, about=link.name)
    return ok(ACCESS, "owner and group exist", about=link.name)


def check_netns(_scene: Scene, link: Link) -> Finding:
    """The network namespaces of its interfaces, where they exist."""
    names = sorted({netdev.netns for netdev in link.netdevs.values() if netdev.netns is not None})
    if not names:
        return not_needed(NETNS, "its interfaces live where gpiomuxd does", about=link.name)
    told = []
    for name in names:
        if not (DIRECTORY / name).exists():
            told.append(f"{name} will be made")
            continue
        try:
            with entered(name):
                told.append(f"{name} is there")
        except MachineError as err:
            occupied = err.errno == errno.EINVAL  # a plain file, which is no namespace
            remedy = f"remove what is in its place: ip netns del {name}" if occupied else err.hint
            return problem(NETNS, err.message, remedy, about=link.name)
    return ok(NETNS, ", ".join(told), about=link.name)


def check_channels(_scene: Scene, link: Link) -> Finding:
    """The files of a link in shared memory, or the directories in which they can be made."""
    if not isinstance(link.transport.medium, ShmMedium):
        return not_needed(CHANNELS, "it has lines", about=link.name)
    told = []
    for path in channel_paths(link):
        fault = channel_fault(Path(path))
        if fault:
            remedy = "see `channels` in the file; their directory is one of a tmpfs or ext4"
            return problem(CHANNELS, f"{path}: {fault}", remedy, about=link.name)
        told.append(f"{path} {'is there' if Path(path).exists() else 'can be made'}")
    return ok(CHANNELS, ", ".join(told), about=link.name)


def channel_fault(path: Path) -> str:
    """Why a file cannot be a channel, or cannot be made; empty if it can."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return _directory_fault(path.parent)
    except OSError as err:
        return err.strerror or str(err)
    if not stat.S_ISREG(about.st_mode):
        return "it is not a regular file"
    if about.st_size <= HEADER_BYTES:
        return f"it is {about.st_size} bytes long, and its header alone takes {HEADER_BYTES}"
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        return os.strerror(errno.EACCES)
    return ""


def _directory_fault(directory: Path) -> str:
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as err:
        return f"no file can be made in {directory}: {err.strerror}"
    return ""
