"""Changes of a running configuration: pure, a checked Config in, a checked Config out."""

from __future__ import annotations

import re
from dataclasses import replace

from gpiomux.config.model import (
    Child,
    Config,
    GpioskCode,
    Link,
    Mode,
    Netdev,
    Poll,
    PollMode,
    ShmMedium,
    SimMedium,
    Xdp,
    XdpMode,
)
from gpiomux.config.names import HIGHEST_MARK, RESERVED_NAMES
from gpiomux.config.netdevs import LOWEST_MTU
from gpiomux.config.text import quoted
from gpiomux.config.tuning import HIGHEST_BUDGET, HIGHEST_IDLE_US, HIGHEST_PMTU, MOST_PMTUS
from gpiomux.config.wording import nearest
from gpiomux.config.xdp import native_obstacle, program_fault
from gpiomux.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
"""As `interfaceName` in the schema; a test holds them together."""


def add_child(config: Config, link: str, child: str) -> Config:
    """The configuration with one child more: mtu and namespace of its link, no address, no mark.

    Raises:
        UsageError: there is no such link, it carries no marks, or the child's name is taken or no name for an
            interface.
    """
    parent = require_link(config, link)
    if not _NAME.fullmatch(child) or child in RESERVED_NAMES:
        raise UsageError(
            f"{quoted(child)} cannot be the name of a child",
            hint="use 1 to 15 letters, digits, '_', '.' or '-', the first one not '.' or '-', and not lo, all, default",
        )
    if child in _interfaces(config):
        raise UsageError(f"the name {child} is taken by {_owner(config, child)}", hint="choose another name")
    if isinstance(parent.transport.medium, ShmMedium) and parent.transport.mode is not Mode.NET_HDR:
        raise UsageError(
            f"{link} carries no marks: its channels have a place for them in mode net_hdr only",
            hint="use `mode: net_hdr` for a link with children",
        )
    if isinstance(parent.transport.code, GpioskCode):
        hint = "use `code: handshake` for a link with children"
        raise UsageError(f"{link} carries no marks: its line code gpiosk has no place for them", hint=hint)
    netdev = Netdev(mtu=parent.netdev.mtu, netns=parent.netdev.netns)
    return _with_link(config, replace(parent, children=(*parent.children, Child(name=child, netdev=netdev))))


def del_child(config: Config, child: str) -> Config:
    """The configuration without a child; its marks fall back to the link.

    Raises:
        UsageError: there is no such child.
    """
    link, _ = _find_child(config, child)
    return _with_link(config, replace(link, children=tuple(each for each in link.children if each.name != child)))


def add_mark(config: Config, child: str, mark: int) -> Config:
    """The configuration with a mark bound to a child; the same one if it is already.

    Raises:
        UsageError: there is no such child, the mark is out of range, or bound to another child of the link.
    """
    link, found = _find_child(config, child)
    _require_mark(mark)
    for other in link.children:
        if mark in other.marks and other.name != child:
            raise UsageError(
                f"mark {mark} is bound to {other.name}, another child of {link.name}",
                hint=f"take it off first: gpiomux del-mark {other.name} {mark}",
            )
    return _with_marks(config, link, found, {*found.marks, mark})


def del_mark(config: Config, child: str, mark: int) -> Config:
    """The configuration with a mark no longer bound to a child.

    Raises:
        UsageError: there is no such child, or the mark is not bound to it.
    """
    link, found = _find_child(config, child)
    if mark not in found.marks:
        bound = ", ".join(map(str, found.marks)) or "none"
        raise UsageError(f"mark {mark} is not bound to {child}", hint=f"marks of {child}: {bound}")
    return _with_marks(config, link, found, set(found.marks) - {mark})


def set_pmtu(config: Config, link: str, mark: int, limit_bytes: int) -> Config:
    """The configuration with a path MTU for a mark; the same one if it is that already.

    Raises:
        UsageError: there is no such link, a number is out of range, or the link has as many as it can.
    """
    found = require_link(config, link)
    _require_mark(mark)
    if not LOWEST_MTU <= limit_bytes <= HIGHEST_PMTU:
        raise UsageError(f"a PMTU of {limit_bytes} bytes is out of range", hint=f"use {LOWEST_MTU}..{HIGHEST_PMTU}")
    changed = {**dict(found.pmtu), mark: limit_bytes}
    if len(changed) > MOST_PMTUS:
        raise UsageError(f"{link} has {MOST_PMTUS} PMTUs already", hint="take one away first: gpiomux del-pmtu")
    return _with_link(config, replace(found, pmtu=tuple(sorted(changed.items()))))


def del_pmtu(config: Config, link: str, mark: int) -> Config:
    """The configuration without a path MTU for a mark.

    Raises:
        UsageError: there is no such link, or no PMTU for the mark.
    """
    found = require_link(config, link)
    changed = dict(found.pmtu)
    if changed.pop(mark, None) is None:
        have = ", ".join(str(mark) for mark, _ in found.pmtu) or "none"
        raise UsageError(f"{link} has no PMTU for mark {mark}", hint=f"marks of {link} with a PMTU: {have}")
    return _with_link(config, replace(found, pmtu=tuple(changed.items())))


def set_poll(config: Config, link: str, poll: Poll) -> Config:
    """The configuration with a link that waits for its lines in another way; the same one if it does so already.

    Raises:
        UsageError: there is no such link, it cannot wait otherwise, or the options make no sense.
    """
    found = require_link(config, link)
    if isinstance(found.transport.code, GpioskCode):
        hint = "there is nothing to set: its pulses are edges, which leave nothing to look at"
        raise UsageError(f"{link} always waits for interrupts: its line code is gpiosk", hint=hint)
    if poll.mode is not PollMode.AUTO and poll.idle_us is not None:
        raise UsageError(
            f"mode {poll.mode} takes no idle time", hint="leave out --idle: only auto looks on before it sleeps"
        )
    for value, highest in ((poll.idle_us, HIGHEST_IDLE_US), (poll.budget, HIGHEST_BUDGET)):
        if value is not None and not 1 <= value <= highest:
            raise UsageError(f"{value} is out of range", hint=f"use 1..{highest}")
    return _with_link(config, replace(found, poll=poll))


def attach_xdp(config: Config, interface: str, xdp: Xdp) -> Config:
    """The configuration with a program on a link or child, in place of the one that it has.

    Raises:
        UsageError: there is no such interface, it cannot run the program so, or the program is none.
    """
    link, child = require_interface(config, interface)
    netdev = link.netdevs[interface]
    fault, hint = program_fault(xdp), "name pass, drop, or a file by its absolute path"
    if not fault and xdp.mode is XdpMode.NATIVE:
        fault = native_obstacle(link.transport.mode, link.transport.rx_ring, netdev.mtu)
        hint = "use --mode generic, or no mode"
    if fault:
        raise UsageError(f"{interface}: {fault}", hint=hint)
    return _with_netdev(config, link, child, replace(netdev, xdp=xdp))


def detach_xdp(config: Config, interface: str) -> Config:
    """The configuration without a program on a link or child.

    Raises:
        UsageError: there is no such interface, or it has none.
    """
    link, child = require_interface(config, interface)
    netdev = link.netdevs[interface]
    if netdev.xdp is None:
        hint = "'gpiomux xdp show' lists all programs; only those of gpiomux are detached"
        raise UsageError(f"{interface} has no XDP program of gpiomux", hint=hint)
    return _with_netdev(config, link, child, replace(netdev, xdp=None))


def without_links(config: Config, names: tuple[str, ...]) -> Config:
    """The configuration without some links; the wire of one whose other end goes becomes external.

    Raises:
        UsageError: there is no such link.
    """
    gone = {require_link(config, name).name for name in names}
    staying = tuple(link for link in config.links if link.name not in gone)
    lost = {_wire(link) for link in config.links if link.name in gone}
    return Config(links=tuple(_with_external_wire(link) if _wire(link) in lost else link for link in staying))


def require_link(config: Config, name: str) -> Link:
    """The link of this name.

    Raises:
        UsageError: there is none.
    """
    for link in config.links:
        if link.name == name:
            return link
        if name in [child.name for child in link.children]:
            raise UsageError(f"{name} is a child of {link.name}, not a link", hint=f"name the link: {link.name}")
    raise _unknown("link", name, [link.name for link in config.links])


def require_interface(config: Config, name: str) -> tuple[Link, Child | None]:
    """The link or child of this name, with its link.

    Raises:
        UsageError: there is none.
    """
    for link in config.links:
        if link.name == name:
            return link, None
        for child in link.children:
            if child.name == name:
                return link, child
    raise _unknown("link or child", name, _interfaces(config))


def _require_mark(mark: int) -> None:
    if not 1 <= mark <= HIGHEST_MARK:
        raise UsageError(f"mark {mark} is out of range", hint=f"use 1..{HIGHEST_MARK}; 0 means no mark")


def _wire(link: Link) -> str | None:
    medium = link.transport.medium
    return medium.wire if isinstance(medium, SimMedium) else None


def _with_external_wire(link: Link) -> Link:
    medium = link.transport.medium
    if not isinstance(medium, SimMedium):
        return link
    return replace(link, transport=replace(link.transport, medium=replace(medium, external=True)))


def _interfaces(config: Config) -> list[str]:
    """Names of all links and children."""
    return [name for link in config.links for name in link.netdevs]


def _owner(config: Config, name: str) -> str:
    """What an existing name stands for."""
    owner = next(link.name for link in config.links if link.name == name or name in [c.name for c in link.children])
    return "a link" if owner == name else f"a child of {owner}"


def _find_child(config: Config, name: str) -> tuple[Link, Child]:
    for link in config.links:
        for child in link.children:
            if child.name == name:
                return link, child
        if link.name == name:
            children = ", ".join(child.name for child in link.children) or "none"
            raise UsageError(f"{name} is a link, not a child", hint=f"children of {name}: {children}")
    raise _unknown("child", name, [child.name for link in config.links for child in link.children])


def _with_netdev(config: Config, link: Link, child: Child | None, netdev: Netdev) -> Config:
    if child is None:
        return _with_link(config, replace(link, netdev=netdev))
    children = tuple(replace(it, netdev=netdev) if it.name == child.name else it for it in link.children)
    return _with_link(config, replace(link, children=children))


_MAKING = {
    "link": "'gpiomux apply' makes links",
    "child": "'gpiomux add-child' makes one",
    "link or child": "'gpiomux apply' makes them",
}
"""What to do where there is none."""


def _unknown(kind: str, name: str, known: list[str]) -> UsageError:
    suggestion = nearest(name, known)
    have = f"have: {', '.join(known)}" if known else _MAKING[kind]
    hint = f"did you mean {quoted(suggestion)}?" if suggestion else have
    return UsageError(f"there is no {kind} {quoted(name)}", hint=hint)


def _with_link(config: Config, changed: Link) -> Config:
    return Config(links=tuple(changed if link.name == changed.name else link for link in config.links))


def _with_marks(config: Config, link: Link, child: Child, marks: set[int]) -> Config:
    changed = replace(child, marks=tuple(sorted(marks)))
    children = tuple(changed if each.name == child.name else each for each in link.children)
    return _with_link(config, replace(link, children=children))
