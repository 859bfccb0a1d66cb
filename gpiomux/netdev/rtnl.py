"""The few rtnetlink requests we make, in our words and with our errors; pyroute2 is imported only when one is made."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from gpiomux.errors import MachineError
from gpiomux.netdev.inside import entered
from gpiomux.netdev.tags import PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

_MAIN_TABLE = 254
_UNICAST = 1
_SKIP_STATISTICS = 8  # RTEXT_FILTER_SKIP_STATS: a dump of links is half as long without counters
_IFF_UP = 1
_TYPE_TAP = 2  # IFLA_TUN_TYPE, from linux/if_tun.h
_DEFAULT_METRICS = {socket.AF_INET: 0, socket.AF_INET6: 1024}  # IP6_RT_PRIO_USER
_DUMP_ATTEMPTS = 10

_HINTS = {errno.EPERM: "this needs CAP_NET_ADMIN in that network namespace"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkInfo:
    """One network interface, of whatever kind."""

    name: str
    index: int
    alias: str | None
    mtu: int
    mac: str | None
    """None where the interface has no Ethernet address, as a TUN device."""
    up: bool
    """Administratively."""
    carrier: bool
    kind: str
    """`tap`, `tun` or `tun-pi` for TUN/TAP devices, else the kernel's word (`veth`), or empty if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressInfo:
    """One IPv4 or IPv6 address."""

    interface: str
    address: str
    """With prefix length, canonical text."""
    ours: bool
    """It carries our IFA_PROTO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteInfo:
    """One unicast route of the main table with a single next hop."""

    interface: str
    to: str
    """With prefix length, canonical text; a default route is 0.0.0.0/0 or ::/0."""
    via: str | None
    metric: int | None
    """None: the kernel's default, which is 0 for IPv4 and 1024 for IPv6."""
    ours: bool
    """It carries our protocol number."""


class Rtnl:
    """Asks and changes one network namespace; use it in a `with` statement.

    The netlink socket stays in the namespace in which it was opened, so the thread is there for the opening only.

    *Threads and processes:* one object, one thread.
    """

    def __init__(self, netns: str | None) -> None:
        self._netns = netns
        self._route: Any = None

    def __enter__(self) -> Self:
        """Open the netlink socket.

        Raises:
            MachineError: no such namespace, or it cannot be entered.
        """
        from pyroute2 import IPRoute  # type: ignore[import-untyped]  # late: costs 0.2 s

        with entered(self._netns):
            self._route = IPRoute(ext_ack=True, strict_check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._route.close()

    def links(self) -> list[LinkInfo]:
        """All interfaces of the namespace.

        Raises:
            MachineError: the kernel refused.
        """
        return [_link_info(message) for message in self._dump("link", ext_mask=_SKIP_STATISTICS)]

    def addresses(self) -> list[AddressInfo]:
        """All addresses of the namespace.

        Raises:
            MachineError: the kernel refused.
        """
        names = self._names()
        found = []
        for message in self._dump("addr", family=socket.AF_UNSPEC):
            if message["index"] in names:  # an interface may appear between the two dumps
                text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
                address = ipaddress.ip_interface(f"{text}/{message['prefixlen']}").with_prefixlen
                ours = message.get_attr("IFA_PROTO") == PROTOCOL
                found.append(AddressInfo(interface=names[message["index"]], address=address, ours=ours))
        return found

    def routes(self) -> list[RouteInfo]:
        """All unicast routes of the main table that go through one interface.

        Raises:
            MachineError: the kernel refused.
        """
        names = self._names()
        found = []
        for family in (socket.AF_INET, socket.AF_INET6):
            for message in self._dump("route", family=family):
                # Table numbers above 255 stand in the attribute only.
                in_main = (message.get_attr("RTA_TABLE") or message["table"]) == _MAIN_TABLE
                if in_main and message["type"] == _UNICAST and message.get_attr("RTA_OIF") in names:
                    found.append(_route_info(message, names))
        return found

    def set_alias(self, name: str, alias: str) -> None:
        """Give an interface its ifalias.

        Raises:
            MachineError: the kernel refused.
        """
        self._set(name, f"set its alias to {alias!r}", ifalias=alias)

    def set_mtu(self, name: str, mtu: int) -> None:
        """Change the MTU of an interface.

        Raises:
            MachineError: the kernel refused, for example EINVAL for a size the device cannot have.
        """
        self._set(name, f"set its mtu to {mtu}", mtu=mtu)

    def set_mac(self, name: str, mac: str) -> None:
        """Change the Ethernet address of an interface.

        Raises:
            MachineError: the kernel refused, for example EADDRNOTAVAIL for a multicast address.
        """
        self._set(name, f"set its address to {mac}", address=mac)

    def set_up(self, name: str, up: bool) -> None:
        """Switch an interface on or off; the kernel removes IPv6 addresses and routes of one that is switched off.

        Raises:
            MachineError: the kernel refused.
        """
        self._set(name, "set it up" if up else "set it down", state="up" if up else "down")

    def add_address(self, interface: str, address: str, *, tagged: bool = True) -> None:
        """Add an address (with prefix length) that carries our tag, or none.

        Raises:
            MachineError: the kernel refused, for example EEXIST.
        """
        self._address("add", interface, address, **({"proto": PROTOCOL} if tagged else {}))

    def remove_address(self, interface: str, address: str) -> None:
        """Remove an address (with prefix length).

        Raises:
            MachineError: the kernel refused, for example EADDRNOTAVAIL when there is no such address.
        """
        self._address("del", interface, address)

    def add_route(self, interface: str, to: str, via: str | None, metric: int | None) -> None:
        """Add a route to the main table that carries our tag; never replaces another.

        Raises:
            MachineError: the kernel refused, for example EEXIST, or ENETUNREACH when the gateway is not reachable.
        """
        self._change_route("add", interface, to, via, metric)

    def remove_route(self, interface: str, to: str, via: str | None, metric: int | None) -> None:
        """Remove a route that carries our tag from the main table; one without the tag does not match.

        Raises:
            MachineError: the kernel refused, for example ESRCH when there is no such route.
        """
        self._change_route("del", interface, to, via, metric)

    def delete_link(self, name: str) -> None:
        """Delete an interface.

        Raises:
            MachineError: the kernel refused.
        """
        with self._refusals(name, "delete it"):
            self._route.link("del", index=self._index(name))

    def _names(self) -> dict[int, str]:
        return {link.index: link.name for link in self.links()}

    def _dump(self, kind: str, **arguments: Any) -> Sequence[Any]:
        from pyroute2.netlink.exceptions import NetlinkDumpInterrupted  # type: ignore[import-untyped]

        with self._refusals("", f"list {kind}s"):
            for _ in range(_DUMP_ATTEMPTS):
                try:
                    return tuple(getattr(self._route, kind)("dump", **arguments))
                except NetlinkDumpInterrupted:
                    continue  # something changed meanwhile, the list may have holes
        message = f"cannot list {kind}s{self._where()}: they change faster than they can be read"
        raise MachineError(message, errno=errno.EAGAIN)

    def _set(self, name: str, what: str, **arguments: Any) -> None:
        with self._refusals(name, what):
            self._route.link("set", index=self._index(name), **arguments)

    def _address(self, verb: str, interface: str, address: str, **more: Any) -> None:
        parsed = ipaddress.ip_interface(address)
        what = f"{'add' if verb == 'add' else 'remove'} address {address}"
        family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
        with self._refusals(interface, what):
            index = self._index(interface)
            text, length = str(parsed.ip), parsed.network.prefixlen
            self._route.addr(verb, index=index, family=family, address=text, prefixlen=length, **more)

    def _change_route(self, verb: str, interface: str, to: str, via: str | None, metric: int | None) -> None:
        family = socket.AF_INET if ipaddress.ip_network(to).version == 4 else socket.AF_INET6
        wanted: dict[str, Any] = {"family": family, "dst": to, "proto": PROTOCOL, "table": _MAIN_TABLE}
        if via is not None:
            wanted["gateway"] = via
        if metric is not None:
            wanted["priority"] = metric
        gateway = "" if via is None else f" via {via}"
        with self._refusals(interface, f"{'add' if verb == 'add' else 'remove'} route {to}{gateway}"):
            self._route.route(verb, oif=self._index(interface), **wanted)

    def _index(self, name: str) -> int:
        return int(self._route.link("get", ifname=name)[0]["index"])

    @contextmanager
    def _refusals(self, name: str, what: str) -> Iterator[None]:
        from pyroute2.netlink.exceptions import NetlinkError

        subject = f"interface {name}{self._where()}: cannot {what}" if name else f"cannot {what}{self._where()}"
        try:
            yield
        except NetlinkError as err:
            reason = os.strerror(err.code)
            extended = str(err.args[1]) if len(err.args) > 1 else reason
            if extended != reason:
                reason = f"{reason} ({extended.rstrip('.')})"
            raise MachineError(f"{subject}: {reason}", errno=err.code, hint=_HINTS.get(err.code, "")) from err

    def _where(self) -> str:
        return "" if self._netns is None else f" in netns {self._netns}"


def _link_info(message: Any) -> LinkInfo:
    kind = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or ""
    data = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA") if kind == "tun" else None
    if data is not None:
        if data.get_attr("IFLA_TUN_TYPE") == _TYPE_TAP:
            kind = "tap"
        elif data.get_attr("IFLA_TUN_PI"):
            kind = "tun-pi"
    return LinkInfo(
        name=_text(message.get_attr("IFLA_IFNAME")) or "",
        index=message["index"],
        alias=_text(message.get_attr("IFLA_IFALIAS")),
        mtu=message.get_attr("IFLA_MTU"),
        mac=message.get_attr("IFLA_ADDRESS"),
        up=bool(message["flags"] & _IFF_UP),
        carrier=bool(message.get_attr("IFLA_CARRIER")),
        kind=kind,
    )


def _text(value: str | bytes | None) -> str | None:
    """Names and aliases are bytes to the kernel; pyroute2 leaves them so where they are not UTF-8."""
    return os.fsdecode(value) if isinstance(value, bytes) else value


def _route_info(message: Any, names: dict[int, str]) -> RouteInfo:
    family = message["family"]
    anywhere = "0.0.0.0" if family == socket.AF_INET else "::"
    to = ipaddress.ip_network(f"{message.get_attr('RTA_DST') or anywhere}/{message['dst_len']}")
    metric = message.get_attr("RTA_PRIORITY") or 0
    return RouteInfo(
        interface=names[message.get_attr("RTA_OIF")],
        to=str(to),
        via=message.get_attr("RTA_GATEWAY"),
        metric=None if metric == _DEFAULT_METRICS[family] else metric,
        ours=message["proto"] == PROTOCOL,
    )
