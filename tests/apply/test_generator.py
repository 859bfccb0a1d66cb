"""What the generator makes of an order: checked against the mode, the interface, its addresses and its MTU."""

from __future__ import annotations

import errno
import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.apply import generator
from gpiomux.apply.generator import Order, generate
from gpiomux.config.load import load_text
from gpiomux.errors import ConflictError, GpiomuxError, MachineError, UnsupportedError, UsageError
from gpiomux.netdev.paced import Sent, Way
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tags import tag
from gpiomux.netdev.tuntap import open_tun, set_carrier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpiomux.config.model import Link

pytestmark = pytest.mark.netns

ORDER = Order(
    interface="geth0", kind="raw", size=0, mark=7, to="", source="", rate_pps=100, first=5, count=2, late_us=500
)
MAC = "02:00:00:00:00:01"


def link(mode: str) -> Link:
    wire = "{name: w, external: true}"
    text = f"links: [{{name: geth0, mode: {mode}, medium: sim, wire: {wire}, protocol: {{reader: 1, writer: 2}}}}]"
    return load_text(text, "x.yaml").links[0]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Way, list[bytes]]]:
    """What would be sent, and on which way."""
    found: list[tuple[Way, list[bytes]]] = []

    def send(way: Way, packets: Iterable[bytes], rate_pps: int, late_s: float) -> Sent:
        assert (rate_pps, late_s) == (100, 0.0005)
        found.append((way, list(packets)))
        return Sent(packets=len(found[-1][1]))

    monkeypatch.setattr(generator, "send_paced", send)
    return found


@pytest.fixture
def geth0(sent: list[tuple[Way, list[bytes]]]) -> Iterator[Rtnl]:
    """A TAP interface of link geth0 with addresses, which is up."""
    fd = open_tun("geth0", "tap", None)
    set_carrier(fd, True)
    with Rtnl(None) as rtnl:
        rtnl.set_alias("geth0", tag("geth0"))
        rtnl.set_mac("geth0", MAC)
        for address in ("10.10.0.1/24", "10.10.0.5/24", "fd00:10::1/64"):
            rtnl.add_address("geth0", address)
        rtnl.set_up("geth0", True)
        yield rtnl
    os.close(fd)


def made(sent: list[tuple[Way, list[bytes]]], mode: str = "eth", **changes: Any) -> tuple[Way, list[bytes]]:
    """What becomes of an order."""
    assert generate(replace(ORDER, **changes), link(mode), None, "").packets == 2
    return sent[-1]


def test_raw(geth0: Rtnl, sent: list[tuple[Way, list[bytes]]]) -> None:
    way, packets = made(sent)
    assert way == Way(interface="geth0", netns=None, ethertype=0x88B5, destination=b"\xff" * 6, mark=7)
    assert [(len(packet), packet[:8]) for packet in packets] == [(64, bytes(7) + b"\5"), (64, bytes(7) + b"\6")]
    way, packets = made(sent, "raw", size=1500)
    assert way.destination == b""
    assert [len(packet) for packet in packets] == [1500, 1500]


def test_arp_announces_the_own_address(geth0: Rtnl, sent: list[tuple[Way, list[bytes]]]) -> None:
    way, packets = made(sent, kind="arp")
    assert (way.ethertype, way.destination) == (0x0806, b"\xff" * 6)
    assert {packet[8:28] for packet in packets} == {bytes.fromhex("020000000001 0a0a0001 000000000000 0a0a0001")}
    _, packets = made(sent, kind="arp", to="10.10.0.2", source="10.10.0.9", size=46)
    assert {packet[8:] for packet in packets} == {
        bytes.fromhex("020000000001 0a0a0009 000000000000 0a0a0002") + bytes(18)
    }


@pytest.mark.parametrize(
    ("to", "source", "ethertype", "said_to", "said_source", "destination"),
    [
        ("", "", 0x0800, "ffffffff", "0a0a0001", "ffffffffffff"),
        ("10.10.0.2", "", 0x0800, "0a0a0002", "0a0a0001", "ffffffffffff"),
        ("10.10.0.2", "10.10.0.5", 0x0800, "0a0a0002", "0a0a0005", "ffffffffffff"),
        ("fd00:10::2", "", 0x86DD, "fd000010" + 11 * "00" + "02", "fd000010" + 11 * "00" + "01", "ffffffffffff"),
        ("", "fd00:10::1", 0x86DD, "ff02" + 13 * "00" + "01", "fd000010" + 11 * "00" + "01", "333300000001"),
    ],
)
def test_udp(
    geth0: Rtnl,
    sent: list[tuple[Way, list[bytes]]],
    to: str,
    source: str,
    ethertype: int,
    said_to: str,
    said_source: str,
    destination: str,
) -> None:
    way, packets = made(sent, kind="udp", to=to, source=source)
    assert (way.ethertype, way.destination) == (ethertype, bytes.fromhex(destination))
    at, length = (12, 4) if ethertype == 0x0800 else (8, 16)
    assert {packet[at : at + length].hex() for packet in packets} == {said_source}
    assert {packet[at + length : at + 2 * length].hex() for packet in packets} == {said_to}
    assert {len(packet) for packet in packets} == {64}


def test_udp_in_net_hdr_has_no_ethernet_address(geth0: Rtnl, sent: list[tuple[Way, list[bytes]]]) -> None:
    way, _ = made(sent, "net_hdr", kind="udp")
    assert (way.ethertype, way.destination) == (0x0800, b"")


@pytest.mark.parametrize(
    ("mode", "changes", "kind", "words"),
    [
        ("net_hdr", {"kind": "arp"}, UnsupportedError, "geth0: mode net_hdr carries IP packets only"),
        ("raw", {"kind": "arp"}, UnsupportedError, "mode raw has no Ethernet addresses"),
        ("raw", {"kind": "udp"}, UnsupportedError, "mode raw carries no IP"),
        ("net_hdr", {"kind": "raw"}, UnsupportedError, "mode net_hdr carries IP packets only"),
        ("eth", {"kind": "tcp"}, UsageError, "nothing of the kind 'tcp'"),
        ("eth", {"size": 1501}, UsageError, "has 1 to 1500 bytes here, not 1501"),
        ("eth", {"kind": "arp", "size": 27}, UsageError, "has 28 to 1500 bytes here, not 27"),
        ("eth", {"kind": "udp", "size": 27}, UsageError, "has 28 to 1500 bytes here, not 27"),
        ("eth", {"kind": "udp", "size": 47, "to": "fd00::2"}, UsageError, "has 48 to 1500 bytes here, not 47"),
        ("eth", {"kind": "udp", "to": "nobody"}, UsageError, "--to: 'nobody' is not an IP address"),
        ("eth", {"kind": "udp", "source": "10.0.0"}, UsageError, "--source: '10.0.0' is not an IP address"),
        ("eth", {"kind": "udp", "to": "fd00::2", "source": "10.0.0.1"}, UsageError, "not of one version of IP"),
        ("eth", {"kind": "arp", "to": "fd00::2"}, UsageError, "ARP asks for IPv4 addresses only"),
        ("eth", {"rate_pps": 0}, UsageError, "the rate is 0, not within 1..1000000"),
        ("eth", {"count": 0}, UsageError, "the count is 0"),
        ("eth", {"size": -1}, UsageError, "the size is -1"),
        ("eth", {"mark": 1 << 32}, UsageError, "the mark is 4294967296"),
        ("eth", {"first": -1}, UsageError, "number of the first packet is -1"),
        ("eth", {"late_us": 1_000_001}, UsageError, "late is 1000001"),
    ],
)
def test_what_cannot_be(
    geth0: Rtnl,
    sent: list[tuple[Way, list[bytes]]],
    mode: str,
    changes: dict[str, Any],
    kind: type[GpiomuxError],
    words: str,
) -> None:
    with pytest.raises(kind, match=words.replace("(", r"\(")):
        generate(replace(ORDER, **changes), link(mode), None, "")
    assert sent == []


def test_without_addresses_somebody_has_to_say_them(geth0: Rtnl, sent: list[tuple[Way, list[bytes]]]) -> None:
    for address in ("10.10.0.5/24", "10.10.0.1/24"):
        geth0.remove_address("geth0", address)
    with pytest.raises(UsageError, match="geth0 has no IPv4 address to send from"):
        made(sent, kind="udp")
    with pytest.raises(UsageError, match="geth0 has no IPv4 address that ARP could tell"):
        made(sent, kind="arp")
    _, packets = made(sent, kind="arp", to="10.10.0.2")
    assert packets[0][14:18] == bytes(4), "an ARP probe, RFC 5227"
    assert made(sent, kind="udp", source="10.10.0.9")[1][0][12:16] == bytes.fromhex("0a0a0009")


def test_the_interface_as_it_is(geth0: Rtnl, sent: list[tuple[Way, list[bytes]]]) -> None:
    geth0.set_mtu("geth0", 1400)
    with pytest.raises(UsageError, match="has 1 to 1400 bytes"):
        made(sent, size=1401)
    geth0.set_up("geth0", False)
    with pytest.raises(MachineError, match="cannot send through geth0: it is down") as caught:
        made(sent)
    assert caught.value.errno == errno.ENETDOWN
    geth0.set_alias("geth0", "mine")
    with pytest.raises(ConflictError, match="the interface geth0 was not made by gpiomux"):
        made(sent)


def test_a_renamed_interface_is_known_by_its_tag(geth0: Rtnl, sent: list[tuple[Way, list[bytes]]]) -> None:
    geth0.set_up("geth0", False)
    subprocess.run(["ip", "link", "set", "dev", "geth0", "name", "other"], check=True)
    geth0.set_up("other", True)
    assert made(sent)[0].interface == "other"


def test_without_a_carrier_nothing_would_leave(sent: list[tuple[Way, list[bytes]]]) -> None:
    fd = open_tun("geth0", "tap", None)
    try:
        with Rtnl(None) as rtnl:
            rtnl.set_alias("geth0", tag("geth0"))
            rtnl.set_up("geth0", True)
        with pytest.raises(MachineError, match="cannot send through geth0: it has no carrier") as caught:
            made(sent)
    finally:
        os.close(fd)
    assert caught.value.errno == errno.ENOLINK


def test_no_interface(sent: list[tuple[Way, list[bytes]]]) -> None:
    with pytest.raises(MachineError, match="there is no interface geth0") as caught:
        made(sent)
    assert caught.value.errno == errno.ENODEV
