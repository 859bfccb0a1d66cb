"""Rules of network interfaces: mtu, Ethernet address, IP addresses, routes."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from gpiomux.config.addresses import (
    Interface,
    canonical_destination,
    check_address,
    check_destination,
    check_gateway,
    check_mac,
)
from gpiomux.config.model import Mode, Netdev
from gpiomux.config.text import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault

LOWEST_MTU = 68
"""RFC 791: what every IPv4 host must take."""
LOWEST_MTU_IPV6 = 1280
"""RFC 8200, section 5."""
HIGHEST_MTU = {Mode.ETH: 65517, Mode.NET_HDR: 65535, Mode.RAW: 65533}
"""A frame carries 65535 bytes: with the Ethernet header (and a VLAN tag), bare, with the protocol number."""
DEFAULT_METRIC_IPV6 = 1024
"""What the kernel makes of no metric and of 0 (IP6_RT_PRIO_USER)."""


@dataclass(frozen=True, slots=True)
class _Netdev:
    """One interface of the file, with its link where it is a child."""

    spot: Spot
    link: Spot

    @property
    def is_child(self) -> bool:
        return self.spot is not self.link

    @property
    def name(self) -> str:
        """For messages."""
        return self.spot.get("name") or "this interface"

    def inherited(self, key: str) -> Any:
        """What the interface states, or else its link; None if neither does, or with a fault."""
        return self.spot.get(key) if self.spot.mentions(key) else self.link.get(key)


def netdev_faults(links: list[Spot]) -> Iterator[Fault]:
    """Everything that is wrong with interfaces."""
    netdevs = [_Netdev(spot, link) for link in links for spot in (link, *link.items("children"))]
    for netdev in netdevs:
        yield from _mtu_faults(netdev)
        yield from _mac_faults(netdev)
        yield from _address_faults(netdev)
        yield from _route_faults(netdev)
    yield from _twice_faults(netdevs)


# ---- mtu


def _mtu_faults(netdev: _Netdev) -> Iterator[Fault]:
    mode, mtu = netdev.link.get("mode"), netdev.spot.below("mtu")
    if mtu is not None and mode is not None and mtu.value > HIGHEST_MTU[Mode(mode)]:
        bounds = f"expected {LOWEST_MTU}..{HIGHEST_MTU[Mode(mode)]}"
        yield mtu.fault(f"{mtu.value} is too large for mode {mode}", bounds)
    highest = netdev.link.get("mtu") if netdev.link.mentions("mtu") else Netdev().mtu
    if netdev.is_child and mtu is not None and highest is not None and mtu.value > highest:
        yield mtu.fault(f"{mtu.value} is more than the link's mtu {highest}", f"expected at most {highest}")
    yield from _ipv6_mtu_faults(netdev, mtu)


def _ipv6_mtu_faults(netdev: _Netdev, mtu: Spot | None) -> Iterator[Fault]:
    """The kernel takes IPv6 off an interface whose mtu is too small for it."""
    value = netdev.inherited("mtu")
    if value is None or value >= LOWEST_MTU_IPV6:
        return
    for spot in netdev.spot.items("addresses"):
        address = check_address(spot.value)
        if not isinstance(address, Refusal) and address.version == 6:
            message = f"mtu {value} is too small for IPv6, and {netdev.name} has the address {address}"
            yield (mtu or spot).fault(message, f"expected at least {LOWEST_MTU_IPV6}")
            return


# ---- Ethernet addresses


def _mac_faults(netdev: _Netdev) -> Iterator[Fault]:
    mode = netdev.link.get("mode")
    for key in ("hwid", "mac"):
        if netdev.spot.mentions(key) and mode not in (None, Mode.ETH):
            message = f"{key!r} needs mode eth; mode {mode} has no Ethernet addresses"
            yield netdev.spot.key_fault(key, message, "remove it, or choose mode eth")
    if netdev.spot.mentions("hwid") and netdev.spot.mentions("mac"):
        yield netdev.spot.key_fault("mac", "'mac' and 'hwid' both give the Ethernet address", "remove one of the two")
    mac = netdev.spot.below("mac")
    refusal = None if mac is None else check_mac(mac.value)
    if mac is not None and refusal is not None:
        yield mac.fault(*refusal)


# ---- IP addresses and routes


def _address_faults(netdev: _Netdev) -> Iterator[Fault]:
    for spot in netdev.spot.items("addresses"):
        address = check_address(spot.value)
        if isinstance(address, Refusal):
            yield spot.fault(*address)


def _route_faults(netdev: _Netdev) -> Iterator[Fault]:
    for route in netdev.spot.items("routes"):
        to, via = route.below("to"), route.below("via")
        wrong_to = None if to is None else check_destination(to.value)
        wrong_via = None if via is None else check_gateway(via.value)
        if to is not None and wrong_to is not None:
            yield to.fault(*wrong_to)
        if via is not None and wrong_via is not None:
            yield via.fault(*wrong_via)
        elif via is not None and to is not None and wrong_to is None:
            yield from _gateway_faults(netdev, to.value, via)


def _gateway_faults(netdev: _Netdev, to: str, via: Spot) -> Iterator[Fault]:
    """A gateway must be of the destination's family, and a neighbour: the kernel refuses any other."""
    gateway = ip_address(via.value)
    destination = ip_network(canonical_destination(to, via.value))
    if gateway.version != destination.version:
        message = f"the gateway is IPv{gateway.version}, the destination IPv{destination.version}"
        yield via.fault(message, f"expected an IPv{destination.version} address")
        return
    own = _own_addresses(netdev)
    if own is None:
        return
    if gateway in [address.ip for address in own]:
        yield via.fault(f"{gateway} is an address of {netdev.name} itself", "expected the address of a neighbour")
    elif not any(gateway in network for network in _neighbourhood(netdev, own)):
        expected = "expected an address on a network of `addresses`, or of a route without `via`"
        yield via.fault(f"{gateway} is on no network of {netdev.name}", expected)


def _sound_address(spot: Spot) -> Interface | None:
    address = check_address(spot.value)
    return None if isinstance(address, Refusal) else address


def _own_addresses(netdev: _Netdev) -> list[Interface] | None:
    """The addresses of an interface; None if one of them, or of its routes, has a fault: then no gateway is judged."""
    addresses = [_sound_address(spot) for spot in netdev.spot.items("addresses")]
    sound = [address for address in addresses if address is not None]
    targets = [route.get("to") for route in netdev.spot.items("routes")]
    known = all(to is not None and check_destination(to) is None for to in targets)
    clear = netdev.spot.sound("addresses") and netdev.spot.sound("routes")
    return sound if clear and known and len(sound) == len(addresses) else None


def _neighbourhood(netdev: _Netdev, own: list[Interface]) -> Iterator[IPv4Network | IPv6Network]:
    """The networks whose addresses are reached without a gateway; all its routes are sound."""
    yield IPv6Network("fe80::/10")
    yield from (address.network for address in own)
    for route in netdev.spot.items("routes"):
        if not route.mentions("via"):
            yield ip_network(canonical_destination(route.get("to"), None))


# ---- the same thing twice


class _Unique(NamedTuple):
    """Something that no other interface may have."""

    identity: tuple[object, ...]
    spot: Spot
    name: str
    """For a message."""
    remedy: str = "give each interface its own"


def _twice_faults(netdevs: list[_Netdev]) -> Iterator[Fault]:
    """Addresses and routes that one namespace has twice, and Ethernet addresses that the file has twice."""
    seen: dict[tuple[object, ...], int] = {}
    for thing in (thing for netdev in netdevs for thing in (*_unique_macs(netdev), *_unique_in_netns(netdev))):
        if thing.identity in seen:
            yield thing.spot.fault(f"{thing.name} is given already, in line {seen[thing.identity]}", thing.remedy)
        seen.setdefault(thing.identity, thing.spot.line)


def _unique_macs(netdev: _Netdev) -> Iterator[_Unique]:
    for key in ("hwid", "mac"):
        spot = netdev.spot.below(key)
        if spot is not None:
            mac = Netdev(hwid=spot.value).hardware_address if key == "hwid" else spot.value.lower()
            yield _Unique(("mac", mac), spot, f"the Ethernet address {mac}")


def _unique_in_netns(netdev: _Netdev) -> Iterator[_Unique]:
    """Addresses and routes; none where the namespace is not known."""
    owner = netdev.spot if netdev.spot.mentions("netns") else netdev.link
    if not owner.sound("netns"):
        return
    netns = owner.get("netns")
    for spot in netdev.spot.items("addresses"):
        address = _sound_address(spot)
        if address is not None:
            # A link-local address is unique on its link only.
            scope = netdev.spot.path if address.version == 6 and address.ip.is_link_local else ()
            yield _Unique(("address", netns, scope, address.ip), spot, f"the address {address.ip}")
    for spot in netdev.spot.items("routes"):
        to, via = spot.get("to"), spot.get("via")
        if to is not None and spot.sound() and check_destination(to) is None and not (via and check_gateway(via)):
            destination = canonical_destination(to, via)
            metric = spot.get("metric") or (DEFAULT_METRIC_IPV6 if ":" in destination else 0)
            name = f"a route to {destination} of this metric"
            yield _Unique(("route", netns, destination, metric), spot, name, "remove one, or give it another metric")
