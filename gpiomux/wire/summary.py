"""A packet in one line of text, in the words of tcpdump(8). Nothing in the packet is believed: it may end anywhere."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

_ETHERTYPES = {0x0800: "IPv4", 0x0806: "ARP", 0x8100: "802.1Q", 0x86DD: "IPv6"}
_PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMP6"}
_ICMP = {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
_ICMP6 = {
    1: "unreachable",
    2: "packet too big",
    3: "time exceeded",
    128: "echo request",
    129: "echo reply",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbor solicitation",
    136: "neighbor advertisement",
    143: "multicast listener report v2",
}
_ECHOES = frozenset({0, 8, 128, 129})
_ARP = {1: "Request who-has {1} tell {0}", 2: "Reply {0} is-at {2}"}
_TCP_FLAGS = "FSRP.UEW"
_CUT = "[cut]"


def summary(mode: str, packet: bytes, length: int) -> str:
    """What a packet is.

    Args:
        mode: of the link: eth, net_hdr or raw.
        packet: its first bytes, or all of them.
        length: its length in bytes.
    """
    if mode == "eth":
        return _ethernet(packet, length)
    if mode == "raw":
        return f"protocol {_number(packet, 0, 2):#06x}, length {max(0, length - 2)}"
    return _ip(packet, length)


def _ethernet(frame: bytes, length: int) -> str:
    if len(frame) < 14:
        return f"ethernet {_CUT}, length {length}"
    kind = _number(frame, 12, 2)
    head = f"{frame[6:12].hex(':')} > {frame[:6].hex(':')}, ethertype {_ETHERTYPES.get(kind, 'Unknown')} ({kind:#06x})"
    match _ETHERTYPES.get(kind):
        case "IPv4" | "IPv6":
            rest = _ip(frame[14:], length - 14)
        case "ARP":
            rest = _arp(frame[14:], length - 14)
        case "802.1Q":
            return f"{head}, vlan {_number(frame, 14, 2) & 0xFFF}, length {length}"
        case _:
            return f"{head}, length {length}"
    return f"{head}, length {length}: {rest}"


def _arp(packet: bytes, length: int) -> str:
    known = _ARP.get(_number(packet, 6, 2))
    if known is None or len(packet) < 28:
        return f"ARP, length {length}"
    sender, target = IPv4Address(packet[14:18]), IPv4Address(packet[24:28])
    return f"ARP, {known.format(sender, target, packet[8:14].hex(':'))}, length {length}"


def _ip(packet: bytes, length: int) -> str:
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        start, protocol = 4 * (packet[0] & 15), packet[9]
        source, target = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
        fragment = _number(packet, 6, 2)
        later, more = 8 * (fragment & 0x1FFF), bool(fragment & 0x2000)
        words = _upper(protocol, packet[start:], length - start, source, target, first=not later)
        return f"IP {words}, fragment at {later}{' of more' if more else ''}" if later or more else f"IP {words}"
    if version == 6 and len(packet) >= 40:
        source, target = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
        return f"IP6 {_upper(packet[6], packet[40:], length - 40, source, target, first=True)}"
    return f"no IP packet, length {length}"


def _upper(protocol: int, data: bytes, length: int, source: str, target: str, *, first: bool) -> str:
    """What an IP packet carries; `length` is that of its payload."""
    name = _PROTOCOLS.get(protocol)
    if name is None or not first:
        return f"{source} > {target}: {name or f'ip-proto-{protocol}'}, length {length}"
    if name in ("ICMP", "ICMP6"):
        return f"{source} > {target}: {name} {_icmp(name, data)}length {length}"
    if len(data) < 4:
        return f"{source} > {target}: {name} {_CUT}, length {length}"
    ends = f"{source}.{_number(data, 0, 2)} > {target}.{_number(data, 2, 2)}"
    if name == "UDP":
        return f"{ends}: UDP, length {length - 8}"
    return f"{ends}: {_tcp(data, length)}"


def _icmp(name: str, data: bytes) -> str:
    if len(data) < 8:
        return f"{_CUT}, "
    kind = (_ICMP if name == "ICMP" else _ICMP6).get(data[0], f"type {data[0]} code {data[1]}")
    echo = f"id {_number(data, 4, 2)}, seq {_number(data, 6, 2)}, " if data[0] in _ECHOES else ""
    return f"{kind}, {echo}"


def _tcp(data: bytes, length: int) -> str:
    if len(data) < 16:
        return f"TCP {_CUT}, length {length}"
    flags = "".join(letter for bit, letter in enumerate(_TCP_FLAGS) if data[13] >> bit & 1)
    carried = length - 4 * (data[12] >> 4)
    ack = f", ack {_number(data, 8, 4)}" if "." in flags else ""
    return f"Flags [{flags or 'none'}], seq {_number(data, 4, 4)}{ack}, win {_number(data, 14, 2)}, length {carried}"


def _number(data: bytes, at: int, size_bytes: int) -> int:
    """A number in network byte order; what is cut off reads as nothing."""
    return int.from_bytes(data[at : at + size_bytes], "big")
