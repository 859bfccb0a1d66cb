"""Resources in words: what `gpiomux plan` prints, progress shows and errors name."""

from __future__ import annotations

from typing import assert_never

from gpiomux.config.model import GpioMedium, ShmMedium, SimMedium, Transport
from gpiomux.plan.state import (
    Address,
    Attachment,
    Channel,
    Chip,
    Datapath,
    Interface,
    Mark,
    Netns,
    Pmtu,
    Poll,
    Resource,
    Route,
    Wire,
    Xdp,
)


def resource_name(resource: Resource) -> str:
    """The name a user knows the resource by: of the object itself, or of the interface it belongs to."""
    match resource:
        case Netns() | Wire() | Interface():
            return resource.name
        case Channel():
            return resource.path
        case Xdp() | Address() | Route():
            return resource.interface
        case Chip() | Datapath() | Poll() | Pmtu():
            return resource.link
        case Attachment() | Mark():
            return resource.child
        case _:
            assert_never(resource)


def resource_words(resource: Resource) -> str:
    """One line that says what the resource is, and all that matters about it."""
    match resource:
        case Netns(name=name):
            return f"network namespace {name}"
        case Wire(name=name):
            return f"simulated wire {name}"
        case Chip():
            return _chip_words(resource)
        case Channel(path=path):
            return f"channel {path}"
        case Interface():
            return _interface_words(resource)
        case Xdp():
            return f"xdp {_program_words(resource)} on {resource.interface} ({resource.mode})"
        case Address():
            return f"address {resource.address} on {resource.interface}"
        case Route():
            return _route_words(resource)
        case Datapath():
            return f"datapath of {resource.link} ({_transport_words(resource.transport)})"
        case Poll():
            return f"polling of {resource.link}: {_poll_words(resource)}"
        case Pmtu(link=link, mark=mark, limit_bytes=limit_bytes):
            return f"pmtu {limit_bytes} of mark {mark} on {link}"
        case Attachment():
            return f"child {resource.child} of {resource.link}"
        case Mark():
            return f"mark {resource.mark} to {resource.child} of {resource.link}"
        case _:
            assert_never(resource)


def change_words(old: Resource, new: Resource) -> str:
    """One line that says which fields of a resource change, and how."""
    if isinstance(old, Chip) and isinstance(new, Chip):
        return f"chip of {new.link}: {_access_words(old)} -> {_access_words(new)}"
    if isinstance(old, Xdp) and isinstance(new, Xdp):
        became = _program_words(new) if (old.program, old.name) != (new.program, new.name) else "what it says now"
        return f"xdp on {new.interface} ({new.mode}): {_program_words(old)} -> {became}"
    if isinstance(old, Poll) and isinstance(new, Poll):
        return f"polling of {new.link}: {_poll_words(old)} -> {_poll_words(new)}"
    if isinstance(old, Pmtu) and isinstance(new, Pmtu):
        return f"pmtu of mark {new.mark} on {new.link}: {old.limit_bytes} -> {new.limit_bytes}"
    if not isinstance(old, Interface) or not isinstance(new, Interface):
        return f"{resource_words(old)} -> {resource_words(new)}"
    changes = []
    if old.device != new.device:
        changes.append(f"name {old.device} -> {new.device}")
    if old.netns != new.netns:
        changes.append("moved from the netns of gpiomuxd" if old.netns is None else f"moved from netns {old.netns}")
    if old.mtu != new.mtu:
        changes.append(f"mtu {old.mtu} -> {new.mtu}")
    if old.mac != new.mac:
        changes.append(f"mac {old.mac} -> {new.mac}")
    if old.up != new.up:
        changes.append("down -> up" if new.up else "up -> down")
    if old.rps != new.rps:
        changes.append(f"rps {old.rps or 'off'} -> {new.rps or 'off'}")
    return f"{_place(new)}: {', '.join(changes)}"


def _program_words(xdp: Xdp) -> str:
    return xdp.program if xdp.name is None else f"{xdp.program}:{xdp.name}"


def _chip_words(chip: Chip) -> str:
    keys = list(dict.fromkeys(line.key for line in chip.lines if line.offset is not None))
    keys += ["lines by name"] if any(line.offset is None for line in chip.lines) else []
    origin = f"device {chip.device}" if chip.device is not None else f"{len(chip.lines)} lines: {', '.join(keys)}"
    access = "" if (chip.owner, chip.group, chip.mode) == (None, None, None) else f", {_access_words(chip)}"
    return f"chip of {chip.link} ({origin}{access})"


def _access_words(chip: Chip) -> str:
    mode = None if chip.mode is None else f"{chip.mode:04o}"
    stated = (("owner", chip.owner), ("group", chip.group), ("mode", mode))
    return ", ".join(f"{word} {value}" for word, value in stated if value is not None)


def _poll_words(poll: Poll) -> str:
    stated = (("idle_us", poll.idle_us), ("budget", poll.budget))
    return ", ".join([poll.mode, *(f"{word} {value}" for word, value in stated if value is not None)])


def _place(interface: Interface) -> str:
    place = "" if interface.netns is None else f" in netns {interface.netns}"
    renamed = "" if interface.renamed is None else f", renamed to {interface.renamed}"
    return f"interface {interface.name} ({interface.kind}){place}{renamed}"


def _interface_words(interface: Interface) -> str:
    mac = "" if interface.mac is None else f", mac {interface.mac}"
    return f"{_place(interface)}, mtu {interface.mtu}{mac}{'' if interface.up else ', down'}"


def _route_words(route: Route) -> str:
    via = "" if route.via is None else f" via {route.via}"
    metric = "" if route.metric is None else f" metric {route.metric}"
    return f"route {route.to}{via}{metric} on {route.interface}"


def _transport_words(transport: Transport) -> str:
    match transport.medium:
        case SimMedium(wire=wire, end=end):
            medium = f"end {end} of simulated wire {wire}"
        case GpioMedium():
            medium = "GPIO lines"
        case ShmMedium(out=out, into=into):
            medium = f"channels {out} and {into}"
        case _:
            assert_never(transport.medium)
    return f"{transport.mode} over {medium}"
