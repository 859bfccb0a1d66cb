"""What others have put on our interfaces: drift that `apply` leaves alone. Pure."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING

from gpiomux.plan.state import Address, Interface, Route
from gpiomux.plan.words import resource_words

if TYPE_CHECKING:
    from gpiomux.plan.observed import Observed


def foreign_notes(observed: Observed) -> list[str]:
    """One line for each address, route and XDP program on an interface of ours that somebody else has made.

    What the kernel makes by itself is left out: link-local addresses, and the route to the network of an address.
    """
    ours = {it.name for it in observed.state if isinstance(it, Interface)}
    addresses = [it for it in observed.state if isinstance(it, Address)]
    guests: list[Address | Route] = []
    programs: list[str] = []
    for it in sorted(observed.foreign, key=lambda it: it.key):
        match it.key:
            case ("address", interface, address):
                guest = Address(interface=interface, netns=it.netns, address=address)
                addresses.append(guest)
                if not ip_interface(address).is_link_local:
                    guests.append(guest)
            case ("xdp", interface) if interface in ours:
                programs.append(it.words)
            case ("route", interface, to, via, metric):
                number = int(metric) or None
                guests.append(Route(interface=interface, netns=it.netns, to=to, via=via or None, metric=number))
    natural = {(it.interface, str(ip_interface(it.address).network)) for it in addresses}
    found = [
        resource_words(it)
        for it in guests
        if it.interface in ours and not (isinstance(it, Route) and _is_natural(it, natural))
    ]
    return [f"{words} stays: it was not made by gpiomux" for words in (*found, *programs)]


def _is_natural(route: Route, natural: set[tuple[str, str]]) -> bool:
    """Whether the kernel makes such a route together with an address."""
    network = ip_network(route.to)
    return route.via is None and (
        (route.interface, route.to) in natural or network.is_link_local or network.is_multicast
    )
