"""Look at the machine: what is ours on it, and what others have in the places where ours is or shall be.

Changes nothing. Looked at are the network namespace we are in, named ones as asked for, the simulated wires of the
run directory, the channels in use, the chips that bear our mark, and the datapaths that answer.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gpiomux.aggregator.inventory import read_chips
from gpiomux.aggregator.node import Access, read_access
from gpiomux.apply.real_lines import chips_of
from gpiomux.apply.xdp_programs import observed_program
from gpiomux.channels.files import list_channels
from gpiomux.config import model
from gpiomux.config.plain import transport_from_plain
from gpiomux.config.tuning import poll_from_plain
from gpiomux.errors import MachineError
from gpiomux.netdev import netns
from gpiomux.netdev.inside import entered
from gpiomux.netdev.marks import KEEPS_IN_MOVES
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.steering import masks_of
from gpiomux.netdev.tags import names_of, netns_tag
from gpiomux.plan.observed import Foreign, Observed
from gpiomux.plan.state import (
    Address,
    Attachment,
    Channel,
    Chip,
    Datapath,
    Interface,
    Key,
    Mark,
    Netns,
    Pmtu,
    Poll,
    Resource,
    Route,
    Wire,
)
from gpiomux.plan.wanted import known_metric

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpiomux.apply.datapaths import Datapaths
    from gpiomux.netdev.rtnl import LinkInfo
    from gpiomux.plan.scope import Scope
    from gpiomux.rundir import RunDir

INBORN = frozenset(("lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"))
"""Interfaces that a network namespace may have by itself, as modules are loaded (sysctl net.core.fb_tunnels_only_for
_init_net); they cannot be removed and are in nobody's way."""


@dataclass(slots=True)
class _Findings:
    rundir: RunDir
    state: set[Resource] = field(default_factory=set)
    broken: set[Key] = field(default_factory=set)
    foreign: set[Foreign] = field(default_factory=set)
    borrowed: set[str] = field(default_factory=set)
    rooted: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)

    @property
    def owner(self) -> str:
        """Of what is ours, as its tags have it."""
        return self.rundir.owner

    def frozen(self) -> Observed:
        return Observed(
            state=frozenset(self.state),
            broken=frozenset(self.broken),
            foreign=frozenset(self.foreign),
            borrowed=frozenset(self.borrowed),
            rooted=frozenset(self.rooted),
            held=frozenset(self.held),
            silent=frozenset(self.silent),
        )


def observe(rundir: RunDir, datapaths: Datapaths, namespaces: Iterable[str]) -> Observed:
    """Look at the machine once.

    Args:
        rundir: where our wires are.
        datapaths: our processes.
        namespaces: names of network namespaces that may hold something of ours, or shall; those that do not exist
            are passed over.

    Raises:
        MachineError: something cannot be looked at.
    """
    found = _Findings(rundir)
    _look_at_network(None, found)
    _look_at_named_networks(namespaces, found)
    _look_at_wires(rundir, found)
    _look_at_chips(rundir, found)
    _look_at_channels(rundir, found)
    for link, report in datapaths.reports().items():
        if isinstance(report, MachineError):
            found.silent.add(link)
        elif report is not None:
            _note_datapath(link, report, found)
    return found.frozen()


def look_at(scope: Scope, rundir: RunDir, datapaths: Datapaths) -> Observed:
    """Look at some places of the machine; costs nothing where nobody asks.

    Raises:
        MachineError: something cannot be looked at.
    """
    found = _Findings(rundir)
    if None in scope.networks:
        _look_at_network(None, found)
    _look_at_named_networks((name for name in scope.networks if name is not None), found)
    if scope.wires:
        _look_at_wires(rundir, found)
    if scope.chips:
        _look_at_chips(rundir, found)
    if scope.channels:
        _look_at_channels(rundir, found)
    for link in scope.datapaths:
        _look_at_datapath(datapaths, link, found)
    return found.frozen()


def all_namespaces() -> list[str]:
    """Names of all network namespaces that have one."""
    return netns.names()


def _look_at_named_networks(namespaces: Iterable[str], found: _Findings) -> None:
    for name in sorted(set(netns.names()).intersection(namespaces)):
        try:
            _look_at_network(name, found)
        except MachineError as err:
            # Removed since it was listed, or a file on which no namespace is mounted (yet): there is none.
            if err.errno not in (errno.ENOENT, errno.EINVAL):
                raise


def _look_at_network(name: str | None, found: _Findings) -> None:
    with Rtnl(name) as rtnl:
        links = rtnl.links()
        masks = _masks(name, [link.name for link in links if names_of(link.alias, found.owner) is not None])
        noted = [(link.name, _note_interface(name, link, masks.get(link.name), found)) for link in links]
        ours = {device: it.name for device, it in noted if it is not None}
        if ours:
            _note_addresses(name, rtnl, ours, found)
    if name is not None:
        if any(link.name == "lo" and link.alias == netns_tag(found.owner) for link in links):
            found.state.add(Netns(name=name))
        else:
            found.borrowed.add(name)


def _masks(name: str | None, devices: list[str]) -> dict[str, str]:
    """Which of our interfaces in a network namespace hand packets to other CPUs, with the masks of these."""
    if not devices:
        return {}
    try:
        with entered(name):
            return masks_of(devices)
    except MachineError:
        raise
    except OSError:  # who may not look at sysfs may not carry marks by BPF either, and only those suffer
        return {}


def _note_interface(name: str | None, link: LinkInfo, rps: str | None, found: _Findings) -> Interface | None:
    """Note an interface; None if it is not ours."""
    if link.name in INBORN:
        return None
    named = names_of(link.alias, found.owner)
    if named is None:
        found.foreign.add(Foreign(netns=name, key=("interface", link.name)))
        return None
    serves, own_name = named
    interface = Interface(
        name=own_name,
        link=serves,
        kind=link.kind,
        netns=name,
        mtu=link.mtu,
        mac=link.mac,
        up=link.up,
        renamed=None if link.name == own_name else link.name,
        rps=rps,
    )
    found.state.add(interface)
    program = observed_program(found.rundir, name, own_name, link)
    if isinstance(program, Foreign):
        found.foreign.add(program)
    elif program is not None:
        found.state.add(program)
    return interface


def _note_addresses(name: str | None, rtnl: Rtnl, ours: dict[str, str], found: _Findings) -> None:
    """Note addresses and routes of our interfaces, tagged or not.

    Args:
        name: of the network namespace.
        rtnl: opened there.
        ours: what the kernel calls our interfaces -> their own names.
        found: where to note them.
    """
    for it in rtnl.addresses():
        if it.interface in ours:
            _note(Address(interface=ours[it.interface], netns=name, address=it.address), it.ours, found)
    for to in rtnl.routes():
        if to.interface in ours:
            metric = known_metric(to.to, to.metric)
            route = Route(interface=ours[to.interface], netns=name, to=to.to, via=to.via, metric=metric)
            _note(route, to.ours, found)


def _note(resource: Address | Route, ours: bool, found: _Findings) -> None:
    if ours:
        found.state.add(resource)
    else:
        found.foreign.add(Foreign(netns=resource.netns, key=resource.key))


def _look_at_wires(rundir: RunDir, found: _Findings) -> None:
    try:
        names = [path.name for path in rundir.wires.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return
    except OSError as err:
        raise MachineError(f"cannot read {rundir.wires}: {err.strerror}", errno=err.errno or 0) from err
    found.state.update(Wire(name=name) for name in names)


def _look_at_chips(rundir: RunDir, found: _Findings) -> None:
    ours = chips_of(rundir)
    standing = ours.standing()
    everything = read_chips(ours.roots.dev) if standing else ()
    for it in standing:
        access, owner_id, group_id = Access(), None, None
        if it.node is not None:
            with suppress(FileNotFoundError):  # it goes this very moment
                access, owner_id, group_id = read_access(it.node)
        chip = Chip(
            link=it.link,
            lines=it.lines,
            device=it.device if it.bound else None,
            owner=access.owner,
            group=access.group,
            mode=access.mode,
            owner_id=owner_id,
            group_id=group_id,
        )
        found.state.add(chip)
        if not ours.alive(it, everything):
            found.broken.add(chip.key)


def _look_at_channels(rundir: RunDir, found: _Findings) -> None:
    for record in list_channels(rundir):
        channel = Channel(path=record.path, size_bytes=record.size_bytes)
        found.state.add(channel)
        if not record.sound:
            found.broken.add(channel.key)


def _look_at_datapath(datapaths: Datapaths, link: str, found: _Findings) -> None:
    report = datapaths.report(link)
    if report is not None:
        _note_datapath(link, report, found)


def _note_datapath(link: str, report: dict[str, Any], found: _Findings) -> None:
    datapath = Datapath(link=link, transport=transport_from_plain(report["transport"]))
    found.state.add(datapath)
    poll = poll_from_plain(report["poll"] or {})
    if poll != model.Poll():
        found.state.add(Poll(link=link, mode=poll.mode, idle_us=poll.idle_us, budget=poll.budget))
    found.state.update(Pmtu(link=link, mark=mark, limit_bytes=limit_bytes) for mark, limit_bytes in report["pmtu"])
    members = {link, *(child["name"] for child in report["children"])}
    found.held |= members.difference(report["gone"])
    if report["marks_method"] not in KEEPS_IN_MOVES:
        found.rooted |= members
    for child in report["children"]:
        attachment = Attachment(link=link, child=child["name"])
        found.state.add(attachment)
        found.state.update(Mark(link=link, child=child["name"], mark=mark) for mark in child["marks"])
        if child["name"] in report["gone"]:
            found.broken.add(attachment.key)
    if link in report["gone"]:
        found.broken.add(datapath.key)
