"""IP and Ethernet addresses as the file writes them: what is wrong with a text, and its canonical form."""

from __future__ import annotations

import re
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from gpiomux.config.text import Refusal, quoted

Interface = IPv4Interface | IPv6Interface

_PREFIX = re.compile(r"[0-9]{1,3}")
_EXAMPLES = {
    "address": "expected one such as 10.10.0.1/24 or fd00::1/64",
    "destination": "expected one such as 10.2.0.0/16 or fd00:2::/64, or default",
}
_FAMILY_BITS = {4: 32, 6: 128}
_DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}


def check_address(text: str) -> Interface | Refusal:
    """The address of an interface, with its prefix length."""
    address = _with_prefix(text, "address")
    if isinstance(address, Refusal):
        return address
    kind = _unusable(address.ip.is_unspecified, address.ip.is_multicast, str(address.ip))
    if kind:
        return Refusal(f"{quoted(text)} is {kind}", "expected an address that one host can have")
    return address


def check_destination(text: str) -> Refusal | None:
    """What is wrong with the destination of a route, if anything."""
    if text == "default":
        return None
    address = _with_prefix(text, "destination")
    if isinstance(address, Refusal):
        return address
    if address.ip != address.network.network_address:
        bits = _FAMILY_BITS[address.version]
        return Refusal(
            f"{quoted(text)} has bits set behind its prefix",
            f"expected {address.network} for the network, or {address.ip}/{bits} for the host",
        )
    return None


def check_gateway(text: str) -> Refusal | None:
    """What is wrong with the gateway of a route, if anything."""
    expected = "expected an address without prefix length, such as 10.10.0.2 or fd00::2"
    try:
        address = ip_address(_without_zone(text))
    except ValueError:
        return Refusal(f"{quoted(text)} is no address", expected)
    kind = _unusable(address.is_unspecified, address.is_multicast, str(address))
    return Refusal(f"{quoted(text)} is {kind}", "expected the address of the gateway") if kind else None


def check_mac(text: str) -> Refusal | None:
    """What is wrong with an Ethernet address that follows the schema, if anything."""
    data = bytes.fromhex(text.replace(":", ""))
    if data[0] & 1:
        fitting = ":".join(f"{byte:02x}" for byte in (data[0] & 0xFE | 2, *data[1:]))
        return Refusal(f"{quoted(text)} is a multicast address", f"expected a unicast address, such as {fitting}")
    if not any(data):
        return Refusal(f"{quoted(text)} is no address", "expected a unicast address, such as 02:00:00:00:00:01")
    return None


def canonical_address(text: str) -> str:
    """An address that `check_address` accepts, as the kernel writes it."""
    return str(ip_interface(text))


def canonical_destination(to: str, via: str | None) -> str:
    """A destination that `check_destination` accepts; `default` is of the gateway's family, IPv4 without one."""
    if to == "default":
        return _DEFAULTS[4 if via is None else ip_address(via).version]
    return str(ip_network(to))


def canonical_gateway(text: str) -> str:
    """A gateway that `check_gateway` accepts, as the kernel writes it."""
    return str(ip_address(text))


def _with_prefix(text: str, what: str) -> Interface | Refusal:
    host, slash, prefix = text.partition("/")
    try:
        address = ip_interface(_without_zone(host))
    except ValueError:
        return Refusal(f"{quoted(text)} is no {what}", _EXAMPLES[what])
    bits = _FAMILY_BITS[address.version]
    if not slash:
        return Refusal(f"{quoted(text)} has no prefix length", _EXAMPLES[what])
    if not _PREFIX.fullmatch(prefix) or int(prefix) > bits:
        return Refusal(f"{quoted(text)} has the prefix length {quoted(prefix)}", f"expected /0 to /{bits}")
    return ip_interface(f"{address.ip}/{int(prefix)}")


def _without_zone(text: str) -> str:
    """The text, unless it names a zone: `ipaddress` takes one, and then anything after the percent sign."""
    return "" if "%" in text else text


def _unusable(unspecified: bool, multicast: bool, text: str) -> str:
    """What an address is that no host can have, or nothing."""
    if unspecified:
        return "the unspecified address"
    if text == "255.255.255.255":
        return "the broadcast address"
    return "a multicast address" if multicast else ""
