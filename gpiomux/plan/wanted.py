"""From a configuration to the resources it stands for. Pure."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING, assert_never

from gpiomux.config import model
from gpiomux.config.gathered import gathered
from gpiomux.config.model import CHANNEL_ELEMENTS, GpioMedium, Mode, ShmMedium, SimMedium
from gpiomux.config.xdp import chosen_mode
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
from gpiomux.wire.elements import region_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.model import Child, Config, Link, Netdev, Transport

KINDS = {Mode.ETH: "tap", Mode.NET_HDR: "tun", Mode.RAW: "tun-pi"}
"""Which device carries a mode."""

DEFAULT_METRIC_IPV6 = 1024
"""What the kernel writes where an IPv6 route names no metric (IP6_RT_PRIO_USER in include/uapi/linux/ipv6_route.h)."""


def wanted_state(config: Config) -> tuple[Resource, ...]:
    """Every resource that a configuration wants, each once, in the order of the file."""
    resources = (resource for link in config.links for resource in _link_resources(link))
    return tuple(dict.fromkeys(resources))


def known_metric(to: str, metric: int | None) -> int | None:
    """A route's metric with the kernel's default as None, however it was written: so that equal routes are equal."""
    default = 0 if ip_network(to).version == 4 else DEFAULT_METRIC_IPV6
    return None if metric in (None, 0, default) else metric


def _link_resources(link: Link) -> Iterator[Resource]:
    kind = KINDS[link.transport.mode]
    if isinstance(link.transport.medium, SimMedium):
        yield Wire(name=link.transport.medium.wire)
    yield from _chips(link)
    yield from _channels(link)
    yield from _interface_resources(link.name, link, kind, link.netdev)
    yield Datapath(link=link.name, transport=_running(link.transport))
    if link.poll != model.Poll():
        yield Poll(link=link.name, mode=link.poll.mode, idle_us=link.poll.idle_us, budget=link.poll.budget)
    for mark, limit_bytes in link.pmtu:
        yield Pmtu(link=link.name, mark=mark, limit_bytes=limit_bytes)
    for child in link.children:
        yield from _child_resources(link, child, kind)


def _chips(link: Link) -> Iterator[Chip]:
    medium, lines = link.transport.medium, link.transport.lines
    if isinstance(medium, GpioMedium) and lines is not None and lines.aggregate:
        yield Chip(
            link=link.name,
            lines=gathered(link.name, lines),
            device=lines.device,
            owner=medium.owner,
            group=medium.group,
            mode=medium.mode,
        )


def _channels(link: Link) -> Iterator[Channel]:
    medium = link.transport.medium
    if isinstance(medium, ShmMedium):
        size_bytes = region_bytes(link.transport.mode.value, link.netdev.mtu, medium.elements)
        yield Channel(path=medium.out, size_bytes=size_bytes)
        yield Channel(path=medium.into, size_bytes=size_bytes)


def _running(transport: Transport) -> Transport:
    """A transport as its datapath knows it: who holds the other end of a wire makes no difference there, nor who may
    open the node of the chip, nor how long a channel file would have been made.
    """
    match transport.medium:
        case SimMedium() as medium:
            return replace(transport, medium=replace(medium, external=False))
        case GpioMedium():
            return replace(transport, medium=GpioMedium())
        case ShmMedium() as medium:
            return replace(transport, medium=replace(medium, elements=CHANNEL_ELEMENTS))
        case _:
            assert_never(transport.medium)


def _child_resources(link: Link, child: Child, kind: str) -> Iterator[Resource]:
    yield from _interface_resources(child.name, link, kind, child.netdev)
    yield Attachment(link=link.name, child=child.name)
    for mark in child.marks:
        yield Mark(link=link.name, child=child.name, mark=mark)


def _interface_resources(name: str, link: Link, kind: str, netdev: Netdev) -> Iterator[Resource]:
    netns = netdev.netns
    if netns is not None:
        yield Netns(name=netns)
    yield Interface(
        name=name, link=link.name, kind=kind, netns=netns, mtu=netdev.mtu, mac=netdev.hardware_address, up=netdev.up
    )
    if netdev.xdp is not None:
        mode, why = chosen_mode(netdev.xdp, link.transport.mode, link.transport.rx_ring, netdev.mtu)
        program, part = netdev.xdp.program, netdev.xdp.name
        yield Xdp(interface=name, netns=netns, program=program, name=part, mode=mode.value, why=why)
    for address in netdev.addresses:
        # The kernel drops IPv6 addresses and all routes when an interface goes down, so they are wanted while up.
        if netdev.up or ip_interface(address).version == 4:
            yield Address(interface=name, netns=netns, address=address)
    if netdev.up:
        for route in netdev.routes:
            metric = known_metric(route.to, route.metric)
            yield Route(interface=name, netns=netns, to=route.to, via=route.via, metric=metric)
