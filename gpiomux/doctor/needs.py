"""What a configuration needs of the machine, all links together. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.config.model import GpioMedium, ShmMedium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.model import Config, Link, Netdev


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What is used; without a file everything is, because nobody knows."""

    gpio: bool = True
    aggregator: bool = True
    access: bool = True
    """The nodes of chips are given to an owner or a group."""
    namespaces: bool = True
    ipv6: bool = True


def needs_of(config: Config | None) -> Needs:
    """What the links of a configuration use; None: there is none."""
    if config is None:
        return Needs()
    real = [link.transport for link in config.links if isinstance(link.transport.medium, GpioMedium)]
    netdevs = [netdev for link in config.links for netdev in link.netdevs.values()]
    return Needs(
        gpio=bool(real),
        aggregator=any(transport.lines is not None and transport.lines.aggregate for transport in real),
        access=any(transport.medium != GpioMedium() for transport in real),
        namespaces=any(netdev.netns is not None for netdev in netdevs),
        ipv6=any(":" in text for netdev in netdevs for text in _destinations(netdev)),
    )


def channel_paths(link: Link) -> tuple[str, ...]:
    """The files of a link in shared memory; none for other media."""
    medium = link.transport.medium
    return (medium.out, medium.into) if isinstance(medium, ShmMedium) else ()


def _destinations(netdev: Netdev) -> Iterator[str]:
    yield from netdev.addresses
    yield from (route.to for route in netdev.routes)
