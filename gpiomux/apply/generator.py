"""The traffic generator: what is asked for against the interface as it is, and one turn of sending."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from gpiomux.config.model import Mode
from gpiomux.config.names import HIGHEST_MARK
from gpiomux.errors import ConflictError, MachineError, UnsupportedError, UsageError
from gpiomux.netdev.paced import Way, send_paced
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tags import names_of
from gpiomux.wire import generated

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.config.model import Link
    from gpiomux.netdev.paced import Sent
    from gpiomux.netdev.rtnl import AddressInfo, LinkInfo

SIZE_BYTES = 64
MAX_RATE_PPS = 1_000_000
MAX_COUNT = 1_000_000_000
MAX_LATE_US = 1_000_000
"""Nobody makes up for more than this."""
MAX_SIZE_BYTES = 65_535
BROADCAST = b"\xff" * 6
EVERYBODY: dict[int, IPv4Address | IPv6Address] = {4: IPv4Address("255.255.255.255"), 6: IPv6Address("ff02::1")}
"""Who gets a UDP packet if nobody says who, by version of IP."""

_REFUSALS = {
    ("arp", Mode.NET_HDR): "mode net_hdr carries IP packets only, and ARP is none",
    ("arp", Mode.RAW): "mode raw has no Ethernet addresses that ARP could ask for",
    ("udp", Mode.RAW): "mode raw carries no IP",
    ("raw", Mode.NET_HDR): "mode net_hdr carries IP packets only",
}
"""Kind and mode that do not go together -> why."""

_Packet = tuple[int, "Callable[[int], bytes]", bytes]
"""EtherType, number -> bytes, and Ethernet address of the receiver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a client wants; the fields of the request `generate`, not checked yet."""

    interface: str
    kind: str
    size: int
    mark: int
    to: str
    source: str
    rate_pps: int
    first: int
    count: int
    late_us: int


def generate(order: Order, link: Link, netns: str | None, owner: str) -> Sent:
    """Send packets for a moment.

    Args:
        order: what is wanted.
        link: the link whose interface, or whose child's, it is.
        netns: where that interface is.
        owner: `RunDir.owner`.

    Raises:
        UsageError: a number, an address or the kind makes no sense.
        UnsupportedError: the mode of the link does not carry this kind.
        ConflictError: the interface of that name is not ours.
        MachineError: the interface is gone, down or without carrier, or the kernel refused.
    """
    _check(order, link.transport.mode)
    info, addresses = _look(link.name, order.interface, netns, owner)
    ethertype, packet, destination = MAKERS[order.kind](order, info, addresses)
    ethernet = link.transport.mode is Mode.ETH
    way = Way(
        interface=info.name,
        netns=netns,
        ethertype=ethertype,
        destination=destination if ethernet else b"",
        mark=order.mark,
    )
    packets = map(packet, range(order.first, order.first + order.count))
    return send_paced(way, packets, order.rate_pps, order.late_us / 1e6)


def _check(order: Order, mode: Mode) -> None:
    if order.kind not in MAKERS:
        raise UsageError(f"nothing of the kind {order.kind!r} can be generated", hint=f"kinds are {', '.join(MAKERS)}")
    if reason := _REFUSALS.get((order.kind, mode)):
        raise UnsupportedError(f"{order.interface}: {reason}", hint=_hint(mode))
    for name, number, lowest, highest in (
        ("rate", order.rate_pps, 1, MAX_RATE_PPS),
        ("count", order.count, 1, MAX_COUNT),
        ("size", order.size, 0, MAX_SIZE_BYTES),
        ("mark", order.mark, 0, HIGHEST_MARK),
        ("number of the first packet", order.first, 0, MAX_COUNT),
        ("time by which the first packet is late", order.late_us, 0, MAX_LATE_US),
    ):
        if not lowest <= number <= highest:
            raise UsageError(
                f"the {name} is {number}, not within {lowest}..{highest}", hint="see 'gpiomux generate --help'"
            )


def _hint(mode: Mode) -> str:
    kinds = [kind for kind in MAKERS if (kind, mode) not in _REFUSALS]
    return f"in this mode there is {' and '.join(kinds)}"


def _look(link: str, name: str, netns: str | None, owner: str) -> tuple[LinkInfo, list[AddressInfo]]:
    """The interface as it is, whatever it was renamed to."""
    with Rtnl(netns) as rtnl:
        links = rtnl.links()
        info = next((each for each in links if names_of(each.alias, owner) == (link, name)), None)
        if info is None:
            where = f" in the network namespace {netns}" if netns else ""
            if any(each.name == name for each in links):
                hint = "'gpiomux status' shows the interfaces that are; through others gpiomux sends nothing"
                raise ConflictError(f"the interface {name}{where} was not made by gpiomux", hint=hint)
            raise MachineError(f"there is no interface {name}{where}", errno=errno.ENODEV, hint="see 'gpiomux status'")
        addresses = [each for each in rtnl.addresses() if each.interface == info.name]
    if not info.up:
        hint = f"set it up first: ip link set {info.name} up"
        raise MachineError(f"cannot send through {info.name}: it is down", errno=errno.ENETDOWN, hint=hint)
    if not info.carrier:  # the kernel would take packets, and tell nobody that it throws them away
        hint = "'gpiomux status' says why"
        raise MachineError(f"cannot send through {info.name}: it has no carrier", errno=errno.ENOLINK, hint=hint)
    return info, addresses


def _size(order: Order, info: LinkInfo, least: int, usual: int) -> int:
    size = order.size or min(usual, info.mtu)
    if not least <= size <= info.mtu:
        what = f"a packet of kind {order.kind} has {least} to {info.mtu} bytes here, not {size}"
        raise UsageError(what, hint=f"choose --size in this range; {info.mtu} is the MTU of {order.interface}")
    return size


def _arp(order: Order, info: LinkInfo, addresses: list[AddressInfo]) -> _Packet:
    """Without addresses, what a host says when it gets one: who has the address that I have (RFC 5227, section 2.3)."""
    size = _size(order, info, generated.ARP_BYTES, generated.ARP_BYTES)
    asked = _parsed(order.to, "--to")
    sender = _parsed(order.source, "--source") or _own(addresses, 4, None) or IPv4Address(0)
    target = asked or sender
    if not (isinstance(sender, IPv4Address) and isinstance(target, IPv4Address)):
        hint = "give IPv4 addresses, or generate udp"
        raise UsageError(f"{order.interface}: ARP asks for IPv4 addresses only", hint=hint)
    if target == IPv4Address(0):
        raise UsageError(f"{order.interface} has no IPv4 address that ARP could tell", hint="say --to ADDRESS")
    mac = bytes.fromhex((info.mac or "").replace(":", ""))
    packet = generated.arp_request(mac, sender, target, size)
    return generated.ARP, lambda _number: packet, BROADCAST


def _udp(order: Order, info: LinkInfo, addresses: list[AddressInfo]) -> _Packet:
    wanted, given = _parsed(order.to, "--to"), _parsed(order.source, "--source")
    version = (wanted or given or EVERYBODY[4]).version
    to = wanted or EVERYBODY[version]
    source = given or _own(addresses, version, to)
    if source is None:
        raise UsageError(f"{order.interface} has no IPv{version} address to send from", hint="say --source ADDRESS")
    if source.version != to.version:
        hint = "give both of one version, or leave one of them out"
        raise UsageError(f"--source {source} and --to {to} are not of one version of IP", hint=hint)
    size = _size(order, info, generated.IP_HEADER_BYTES[version] + generated.UDP_HEADER_BYTES, SIZE_BYTES)
    ethertype = generated.IPV4 if isinstance(to, IPv4Address) else generated.IPV6
    return ethertype, lambda number: generated.udp_packet(source, to, number, size), _ethernet_address(to)


def _raw(order: Order, info: LinkInfo, _addresses: list[AddressInfo]) -> _Packet:
    size = _size(order, info, 1, SIZE_BYTES)
    return generated.EXPERIMENTAL, lambda number: generated.carried(number, size), BROADCAST


MAKERS = {"arp": _arp, "udp": _udp, "raw": _raw}
"""Kind -> what makes its packets."""


def _ethernet_address(to: IPv4Address | IPv6Address) -> bytes:
    """Whose interface gets it: everybody's, which needs no neighbour to be found; groups have theirs (RFC 2464)."""
    return b"\x33\x33" + to.packed[-4:] if isinstance(to, IPv6Address) and to.is_multicast else BROADCAST


def _parsed(text: str, option: str) -> IPv4Address | IPv6Address | None:
    if not text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        hint = "give one without prefix length, such as 10.10.0.2 or fd00::2"
        raise UsageError(f"{option}: {text!r} is not an IP address", hint=hint) from None


def _own(
    addresses: list[AddressInfo], version: int, to: IPv4Address | IPv6Address | None
) -> IPv4Address | IPv6Address | None:
    """An address of the interface; of IPv6, one that reaches as far as `to` if there is one."""
    own = [ip_address(each.address.partition("/")[0]) for each in addresses]
    own = [found for found in own if found.version == version]
    near = to is not None and (to.is_link_local or to.is_multicast)
    return next((found for found in own if found.is_link_local == near), next(iter(own), None))
