"""The few rtnetlink requests we make, in our words and with our errors; pyroute2 is imported for changes only.

Numbers are from linux/if_link.h, linux/if_addr.h and linux/rtnetlink.h.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from gpiomux.errors import MachineError
from gpiomux.netdev.inside import DIRECTORY, THREAD_NETNS, entered
from gpiomux.netdev.netlink import Netlink, attribute, attributes
from gpiomux.netdev.tags import PROTOCOL
from gpiomux.netdev.xdp import NO_PROGRAM, XdpInfo, xdp_attributes, xdp_info

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_MAIN_TABLE = 254
_UNICAST = 1
_IFF_UP = 1
_TYPE_TAP = 2  # IFLA_TUN_TYPE, from linux/if_tun.h
_DEFAULT_METRICS: dict[int, int] = {socket.AF_INET: 0, socket.AF_INET6: 1024}  # IP6_RT_PRIO_USER
_ADDRESS_BYTES: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 16}
_MAC_BYTES = 6

_GET_LINK, _GET_ADDRESS, _GET_ROUTE = 18, 22, 26
_LINK = struct.Struct("=BxHiII")
"""Family, hardware type, index, flags, change."""
_ADDRESS = struct.Struct("=BBBBI")
"""Family, prefix length, flags, scope, index of the interface."""
_ROUTE = struct.Struct("=BBBBBBBBI")
"""Family, prefix length, that of the source, TOS, table, protocol, scope, type, flags."""
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_CARRIER = 1, 3, 4, 18, 20, 33
_IFLA_XDP = 43
_INFO_KIND, _INFO_DATA, _TUN_TYPE, _TUN_PI = 1, 2, 3, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_PROTO = 1, 2, 11
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_TABLE = 1, 4, 5, 6, 15
_WITHOUT_COUNTERS = attribute(29, struct.pack("=I", 8))
"""IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS: what is told of a link is half as long."""

_HINTS = {
    errno.EPERM: "this needs CAP_NET_ADMIN in that network namespace",
    # addrconf.c of the kernel: rtnetlink says this of IPv6 where it is switched off.
    errno.EACCES: "IPv6 is switched off there: sysctl net.ipv6.conf.default.disable_ipv6=0, then apply again",
    errno.ENETUNREACH: "a gateway must be on a network of the interface, and that must be up: ip address, ip route",
}


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
    xdp: XdpInfo | None = None


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

    A netlink socket stays in the namespace in which it was opened, so the thread is there for the opening only: of one
    to ask with at the beginning, and of one to change with at the first change.

    *Threads and processes:* one object, one thread.
    """

    def __init__(self, netns: str | None) -> None:
        self._netns = netns
        self._asking: Netlink
        self._changing: Any = None

    def __enter__(self) -> Self:
        """Open the netlink socket.

        Raises:
            MachineError: no such namespace, or it cannot be entered.
        """
        with entered(self._netns), self._refusals("", "open a netlink socket"):
            self._asking = Netlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.close()
        if self._changing is not None:
            self._changing.close()

    def links(self) -> list[LinkInfo]:
        """All interfaces of the namespace.

        Raises:
            MachineError: the kernel refused.
        """
        return [_link_info(message) for message in self._links()]

    def addresses(self) -> list[AddressInfo]:
        """All addresses of the namespace.

        Raises:
            MachineError: the kernel refused.
        """
        names = self._names()
        found = []
        with self._refusals("", "list addresses"):
            messages = self._asking.dump(_GET_ADDRESS, _ADDRESS.pack(0, 0, 0, 0, 0))
        for message in messages:
            family, length, _, _, index = _ADDRESS.unpack_from(message)
            told = attributes(message, _ADDRESS.size)
            local = told.get(_IFA_LOCAL) or told.get(_IFA_ADDRESS)
            # An interface may appear between the two dumps; what is no IP address belongs to another protocol.
            if index in names and local is not None and family in _DEFAULT_METRICS:
                address = f"{ipaddress.ip_address(local)}/{length}"
                ours = told.get(_IFA_PROTO) == bytes((PROTOCOL,))
                found.append(AddressInfo(interface=names[index], address=address, ours=ours))
        return found

    def routes(self) -> list[RouteInfo]:
        """All unicast routes of the main table that go through one interface.

        Raises:
            MachineError: the kernel refused.
        """
        names = self._names()
        found = []
        for family in _DEFAULT_METRICS:
            with self._refusals("", "list routes"):
                messages = self._asking.dump(_GET_ROUTE, _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
            found += [route for message in messages if (route := _route_info(message, family, names)) is not None]
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

    def move(self, name: str, netns: str | None, new_name: str) -> None:
        """Give an interface a place in a network namespace, and a name there, in one step.

        Raises:
            MachineError: the kernel refused, for example EEXIST, or EBUSY for another name of one that is up.
        """
        place = THREAD_NETNS if netns is None else str(DIRECTORY / netns)
        with self._refusals(name, f"move it to {place} as {new_name}"):
            with open(place, "rb") as there:
                self._change("link", "set", index=self._index(name), net_ns_fd=there.fileno(), ifname=new_name)

    def xdp(self, name: str) -> XdpInfo | None:
        """The XDP program of an interface.

        Raises:
            MachineError: the kernel refused.
        """
        with self._refusals(name, "ask for its XDP program"):
            return _link_info(self._link(name)).xdp

    def set_xdp(self, name: str, mode: str, new_fd: int, old_fd: int = NO_PROGRAM) -> None:
        """Give an interface an XDP program instead of another, in one step; either may be `NO_PROGRAM`.

        Raises:
            MachineError: EEXIST or EBUSY, the interface has another program than the old one; else the kernel refused.
        """
        what = f"{'detach' if new_fd == NO_PROGRAM else 'attach'} its XDP program ({mode})"
        self._set(name, what, xdp={"attrs": xdp_attributes(mode, new_fd, old_fd)})

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
            self._change("link", "del", index=self._index(name))

    def _links(self) -> list[bytes]:
        with self._refusals("", "list links"):
            return self._asking.dump(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0) + _WITHOUT_COUNTERS)

    def _names(self) -> dict[int, str]:
        return {
            _LINK.unpack_from(message)[2]: _text(attributes(message, _LINK.size)[_IFLA_IFNAME])
            for message in self._links()
        }

    def _change(self, kind: str, verb: str, **arguments: Any) -> None:
        from pyroute2 import IPRoute  # type: ignore[import-untyped]  # late: costs 0.2 s
        from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

        if self._changing is None:
            with entered(self._netns):
                self._changing = IPRoute(ext_ack=True, strict_check=True)
        try:
            getattr(self._changing, kind)(verb, **arguments)
        except NetlinkError as err:
            raise OSError(err.code, str(err.args[1]) if len(err.args) > 1 else "") from err

    def _set(self, name: str, what: str, **arguments: Any) -> None:
        with self._refusals(name, what):
            self._change("link", "set", index=self._index(name), **arguments)

    def _address(self, verb: str, interface: str, address: str, **more: Any) -> None:
        parsed = ipaddress.ip_interface(address)
        what = f"{'add' if verb == 'add' else 'remove'} address {address}"
        family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
        with self._refusals(interface, what):
            index = self._index(interface)
            text, length = str(parsed.ip), parsed.network.prefixlen
            self._change("addr", verb, index=index, family=family, address=text, prefixlen=length, **more)

    def _change_route(self, verb: str, interface: str, to: str, via: str | None, metric: int | None) -> None:
        family = socket.AF_INET if ipaddress.ip_network(to).version == 4 else socket.AF_INET6
        wanted: dict[str, Any] = {"family": family, "dst": to, "proto": PROTOCOL, "table": _MAIN_TABLE}
        if via is not None:
            wanted["gateway"] = via
        if metric is not None:
            wanted["priority"] = metric
        gateway = "" if via is None else f" via {via}"
        with self._refusals(interface, f"{'add' if verb == 'add' else 'remove'} route {to}{gateway}"):
            self._change("route", verb, oif=self._index(interface), **wanted)

    def _link(self, name: str) -> bytes:
        named = attribute(_IFLA_IFNAME, os.fsencode(name) + b"\0")
        return self._asking.ask(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0) + named + _WITHOUT_COUNTERS)

    def _index(self, name: str) -> int:
        return int(_LINK.unpack_from(self._link(name))[2])

    @contextmanager
    def _refusals(self, name: str, what: str) -> Iterator[None]:
        subject = f"interface {name}{self._where()}: cannot {what}" if name else f"cannot {what}{self._where()}"
        try:
            yield
        except OSError as err:
            number = err.errno or 0
            reason, words = os.strerror(number), err.strerror or ""
            if words not in ("", reason):
                reason = f"{reason} ({words.rstrip('.')})"
            raise MachineError(f"{subject}: {reason}", errno=number, hint=_HINTS.get(number, "")) from err

    def _where(self) -> str:
        return "" if self._netns is None else f" in netns {self._netns}"


def _link_info(message: bytes) -> LinkInfo:
    _, _, index, flags, _ = _LINK.unpack_from(message)
    told = attributes(message, _LINK.size)
    info = attributes(told.get(_IFLA_LINKINFO, b""))
    kind = _text(info.get(_INFO_KIND, b""))
    if kind == "tun" and _INFO_DATA in info:
        tun = attributes(info[_INFO_DATA])
        if tun.get(_TUN_TYPE) == bytes((_TYPE_TAP,)):
            kind = "tap"
        elif any(tun.get(_TUN_PI, b"")):
            kind = "tun-pi"
    mac = told.get(_IFLA_ADDRESS, b"")
    return LinkInfo(
        name=_text(told[_IFLA_IFNAME]),
        index=index,
        alias=_text(told[_IFLA_IFALIAS]) if _IFLA_IFALIAS in told else None,
        mtu=_number(told[_IFLA_MTU]),
        mac=mac.hex(":") if len(mac) == _MAC_BYTES else None,
        up=bool(flags & _IFF_UP),
        carrier=any(told.get(_IFLA_CARRIER, b"")),
        kind=kind,
        xdp=xdp_info(told.get(_IFLA_XDP, b"")),
    )


def _route_info(message: bytes, family: int, names: dict[int, str]) -> RouteInfo | None:
    its_family, length, _, _, table, protocol, _, kind, _ = _ROUTE.unpack_from(message)
    told = attributes(message, _ROUTE.size)
    if _RTA_TABLE in told:  # numbers above 255 stand only there
        table = _number(told[_RTA_TABLE])
    interface = names.get(_number(told[_RTA_OIF])) if _RTA_OIF in told else None
    # A kernel without one of the families answers with all that it has.
    if (its_family, table, kind) != (family, _MAIN_TABLE, _UNICAST) or interface is None:
        return None
    to = told.get(_RTA_DST) or bytes(_ADDRESS_BYTES[family])
    gateway = told.get(_RTA_GATEWAY)
    metric = _number(told[_RTA_PRIORITY]) if _RTA_PRIORITY in told else 0
    return RouteInfo(
        interface=interface,
        to=f"{ipaddress.ip_address(to)}/{length}",
        via=None if gateway is None else str(ipaddress.ip_address(gateway)),
        metric=None if metric == _DEFAULT_METRICS[family] else metric,
        ours=protocol == PROTOCOL,
    )


def _number(value: bytes) -> int:
    return int.from_bytes(value, sys.byteorder)


def _text(value: bytes) -> str:
    """Names and aliases are bytes to the kernel, in whatever encoding."""
    return os.fsdecode(value.rstrip(b"\0"))
