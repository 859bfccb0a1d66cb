"""IP packets for tests of path MTUs, and what stands before them in each mode."""

from __future__ import annotations

from ipaddress import ip_address

from gpiomux.wire.checksums import internet_checksum

DF, MF = 0x4000, 0x2000
NEAR, FAR = "10.10.0.1", "10.10.0.2"
NEAR6, FAR6 = "fd00::1", "fd00::2"
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
MACS = bytes.fromhex("020000000002 020000000001")
HEADS = {"net_hdr": (b"", b""), "raw": (b"\x08\0", b"\x86\xdd"), "eth": (MACS + b"\x08\0", MACS + b"\x86\xdd")}
"""What stands before an IPv4 and an IPv6 packet."""


def ipv4(
    data: bytes,
    *,
    flags: int = 0,
    options: bytes = b"",
    protocol: int = UDP,
    source: str = NEAR,
    destination: str = FAR,
) -> bytes:
    options += bytes(-len(options) % 4)
    length = 20 + len(options) + len(data)
    head = bytes((0x45 + len(options) // 4, 0x28)) + length.to_bytes(2, "big") + b"\x12\x34" + flags.to_bytes(2, "big")
    head += bytes((64, protocol, 0, 0)) + ip_address(source).packed + ip_address(destination).packed + options
    return head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:] + data


def ipv6(data: bytes, *, protocol: int = UDP, source: str = NEAR6, destination: str = FAR6) -> bytes:
    addresses = ip_address(source).packed + ip_address(destination).packed
    return b"\x60\0\0\0" + len(data).to_bytes(2, "big") + bytes((protocol, 64)) + addresses + data
