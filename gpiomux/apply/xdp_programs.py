"""XDP programs of ours: which one the kernel runs where, and the verbs that attach, replace and detach them.

A program bears no tag that the kernel would keep for us, so the run directory has a record of each:

    /run/gpiomux/xdp/<interface>.<program id>    {"program", "name", "digest"}

It is written before the program is attached, so that no crash leaves one that nobody knows, and says nothing unless
just this program is on the interface. What has no record is somebody else's, and is neither replaced nor detached.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.config.xdp import BUILT_IN
from gpiomux.errors import MachineError, UnsupportedError
from gpiomux.netdev.bpf_objects import OpenProgram, program_by_id, program_info
from gpiomux.netdev.marks import PACKET_SOCKET, chosen_method
from gpiomux.netdev.xdp import NO_PROGRAM, describe_program, open_program
from gpiomux.netdev.xdp_object import digest_of, read_object, require_library
from gpiomux.plan.observed import Foreign
from gpiomux.plan.operations import Remove
from gpiomux.plan.state import Xdp

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.netdev.rtnl import LinkInfo, Rtnl
    from gpiomux.netdev.xdp import XdpInfo
    from gpiomux.plan.diff import Plan
    from gpiomux.rundir import RunDir

_OTHER = frozenset((errno.EEXIST, errno.EBUSY))
"""What the kernel says where the program is not the one that was there when we looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRecord:
    """What we have attached."""

    program: str
    """`pass`, `drop`, or the path of an ELF object."""
    name: str | None
    digest: str
    """Of the object as it was loaded; empty for a built-in program."""


class XdpPrograms:
    """Attaches programs, and keeps those that it detaches until it is closed, so that undoing brings the same back.

    *Threads and processes:* one thread.
    """

    def __init__(self, rundir: RunDir) -> None:
        self._rundir = rundir
        self._kept: dict[int, OpenProgram] = {}
        """Programs that were detached, by the kernel's number."""

    def close(self) -> None:
        """Let go of what was detached."""
        for kept in self._kept.values():
            os.close(kept.fd)
        self._kept.clear()

    def attach(self, rtnl: Rtnl, device: str, wanted: Xdp) -> None:
        """Attach a program to an interface that has none.

        Args:
            rtnl: opened in the network namespace of the interface.
            device: what the kernel calls it; so for the other verbs.
            wanted: what to attach.

        Raises:
            GpiomuxError: the program cannot be loaded, or the interface has one; nothing has changed.
        """
        self._switch(rtnl, device, wanted, NO_PROGRAM)

    def replace(self, rtnl: Rtnl, device: str, new: Xdp) -> None:
        """Let a program take the place of one of ours in one step.

        Raises:
            GpiomuxError: the program cannot be loaded, or another is there by now; nothing has changed.
        """
        standing = self._keep_standing(rtnl, device, new.interface)
        self._switch(rtnl, device, new, NO_PROGRAM if standing is None else self._kept[standing].fd)

    def detach(self, rtnl: Rtnl, device: str, gone: Xdp) -> None:
        """Take our program off an interface; if there is another by now, that stays.

        Raises:
            MachineError: the kernel refused; the program stands.
        """
        standing = self._keep_standing(rtnl, device, gone.interface)
        if standing is not None:
            try:
                rtnl.set_xdp(device, gone.mode, NO_PROGRAM, self._kept[standing].fd)
            except MachineError as err:
                if err.errno not in _OTHER:
                    raise
        forget(self._rundir, gone.interface)

    def _keep_standing(self, rtnl: Rtnl, device: str, interface: str) -> int | None:
        """Hold the program that is on an interface, if it is ours: its number."""
        standing = rtnl.xdp(device)
        record = None if standing is None else record_of(self._rundir, interface, standing.id)
        if standing is None or record is None:
            return None
        if standing.id not in self._kept:
            try:
                fd = program_by_id(standing.id)
            except OSError as err:
                message = f"interface {interface}: cannot reach its XDP program: {err.strerror}"
                raise MachineError(message, errno=err.errno or 0) from err
            self._kept[standing.id] = OpenProgram(fd=fd, digest=record.digest)
        return standing.id

    def _switch(self, rtnl: Rtnl, device: str, wanted: Xdp, old_fd: int) -> None:
        kept = None if wanted.program_id is None else self._kept.get(wanted.program_id)
        opened = kept or open_program(wanted.program, wanted.name)
        try:
            number = program_info(opened.fd).id
            before = _numbers(self._rundir, wanted.interface)
            _write(self._rundir, wanted, number, opened.digest)
            try:
                rtnl.set_xdp(device, wanted.mode, opened.fd, old_fd)
            except MachineError:
                if number not in before:
                    _path(self._rundir, wanted.interface, number).unlink(missing_ok=True)
                raise
            for other in before - {number}:
                _path(self._rundir, wanted.interface, other).unlink(missing_ok=True)
        finally:
            if kept is None:
                os.close(opened.fd)


def require_xdp(plan: Plan) -> None:
    """Make sure that this machine can attach the programs that a plan wants.

    Raises:
        UnsupportedError: it cannot, and why.
    """
    wanted = _attached(plan)
    if not wanted:
        return
    if chosen_method() == PACKET_SOCKET:
        raise UnsupportedError(
            f"interface {wanted[0].interface}: no XDP program can be attached, because this process may not load any",
            hint="run gpiomuxd as root on the machine itself; in a user namespace of one's own there is no XDP",
        )
    if any(it.program not in BUILT_IN for it in wanted):
        require_library()


def require_objects(plan: Plan) -> None:
    """Make sure that the objects with the programs of a plan can be read, before it is performed.

    Only for who may change something: others are told nothing of what files there are.

    Raises:
        MachineError: one cannot be read.
    """
    for it in _attached(plan):
        if it.program not in BUILT_IN:
            try:
                read_object(it.program)
            except OSError as err:
                message = f"interface {it.interface}: cannot read the XDP program {it.program}: {err.strerror}"
                raise MachineError(message, errno=err.errno or 0) from err


def _attached(plan: Plan) -> list[Xdp]:
    """What a plan attaches."""
    return [it.resource for it in plan.operations if isinstance(it.resource, Xdp) and not isinstance(it, Remove)]


def forget_all(rundir: RunDir) -> None:
    """Drop what is left of records, where nothing of ours is on the machine."""
    shutil.rmtree(rundir.xdp, ignore_errors=True)


def observed_program(rundir: RunDir, netns: str | None, interface: str, link: LinkInfo) -> Xdp | Foreign | None:
    """The program of an interface: ours, somebody else's, or none; `interface` is the name that it shall have."""
    if link.xdp is None:
        return None
    record = record_of(rundir, interface, link.xdp.id)
    if record is None:
        words = f"XDP program {program_words(link.xdp)} on {link.name}"
        return Foreign(netns=netns, key=("xdp", interface), words=words)
    return Xdp(
        interface=interface,
        netns=netns,
        program=record.program,
        name=record.name,
        mode=link.xdp.mode,
        stale=_is_stale(record),
        program_id=link.xdp.id,
    )


def program_words(info: XdpInfo) -> str:
    """A program for a message, by all that it is known by."""
    about = describe_program(info.id)
    details = [f"id {info.id}", *([f"tag {about.tag}"] if about.tag else []), info.mode]
    return f"{about.name or 'without a name'} ({', '.join(details)})"


def record_of(rundir: RunDir, interface: str, number: int) -> ProgramRecord | None:
    """What we know of a program on an interface; None if it is not ours.

    Raises:
        MachineError: the record cannot be read.
    """
    path = _path(rundir, interface, number)
    try:
        plain = json.loads(path.read_text())
        return ProgramRecord(program=plain["program"], name=plain["name"], digest=plain["digest"])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as err:
        raise MachineError(f"{path} is damaged", errno=errno.EIO, hint=f"remove it: rm {path}") from err
    except OSError as err:
        raise MachineError(f"cannot read {path}: {err.strerror}", errno=err.errno or 0) from err


def forget(rundir: RunDir, interface: str) -> None:
    """Drop the records of an interface: it has no program of ours any more, or is new."""
    for number in _numbers(rundir, interface):
        _path(rundir, interface, number).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # there are others, or none was ever there
        rundir.xdp.rmdir()


def _is_stale(record: ProgramRecord) -> bool:
    """Whether the object would be loaded with another content now; one that cannot be read goes on as it is."""
    if not record.digest:
        return False
    try:
        return digest_of(read_object(record.program)) != record.digest
    except OSError:
        return False


def _path(rundir: RunDir, interface: str, number: int) -> Path:
    return rundir.xdp / f"{interface}.{number}"


def _numbers(rundir: RunDir, interface: str) -> set[int]:
    """The numbers of programs that an interface has a record of."""
    try:
        names = os.listdir(rundir.xdp)
    except FileNotFoundError:
        return set()
    found = (name.rpartition(".") for name in names)
    return {int(number) for owner, _, number in found if owner == interface and number.isdecimal()}


def _write(rundir: RunDir, xdp: Xdp, number: int, digest: str) -> None:
    path = _path(rundir, xdp.interface, number)
    made = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made.write_text(json.dumps({"program": xdp.program, "name": xdp.name, "digest": digest}))
        made.replace(path)
    except OSError as err:
        raise MachineError(f"cannot write {path}: {err.strerror}", errno=err.errno or 0) from err
