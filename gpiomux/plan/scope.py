"""A part of the machine: the places where some resources are, and where whoever looks for them has to look. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.plan.state import (
    Address,
    Attachment,
    Channel,
    Chip,
    Datapath,
    Held,
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

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Places of a machine; a look at them shows everything of ours that is there."""

    networks: frozenset[str | None]
    """Network namespaces by name; None is the one we are in."""
    datapaths: frozenset[str]
    """Names of links."""
    wires: bool
    chips: bool
    channels: bool

    def holds(self, resource: Resource) -> bool:
        """Whether a look at these places shows the resource."""
        match resource:
            case Netns(name=name):
                return name in self.networks
            case Interface() | Xdp() | Address() | Route():
                return resource.netns in self.networks
            case Datapath() | Poll() | Pmtu() | Attachment() | Mark():
                return resource.link in self.datapaths
            case Wire():
                return self.wires
            case Chip():
                return self.chips
            case Channel():
                return self.channels


def scope_of(resources: Iterable[Resource]) -> Scope:
    """The places where these resources are."""
    all_of_them = tuple(resources)
    return Scope(
        networks=frozenset(
            it.name if isinstance(it, Netns) else it.netns
            for it in all_of_them
            if isinstance(it, Netns | Interface | Xdp | Address | Route)
        ),
        datapaths=frozenset(it.link for it in all_of_them if isinstance(it, Datapath | Held)),
        wires=any(isinstance(it, Wire) for it in all_of_them),
        chips=any(isinstance(it, Chip) for it in all_of_them),
        channels=any(isinstance(it, Channel) for it in all_of_them),
    )
