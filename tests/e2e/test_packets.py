"""Packets cross the wire unchanged: echo requests of every size, TCP both ways at once, ARP, arbitrary bytes."""

from __future__ import annotations

import json
import socket
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests import namespaces, traffic
from tests.e2e.host import links_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

NEAR, FAR = "10.10.0.1", "10.10.0.2"
BOTH_FAMILIES = links_file(
    near="addresses: [10.10.0.1/24, 'fd00:10::1/64']", far="addresses: [10.10.0.2/24, 'fd00:10::2/64']"
)
MTU = 1500
BURST = 8
"""Packets under way at the same time: more than one, and fewer than the queue of an interface holds."""
ETH_P_ALL = 3
PACKET_OUTGOING = 4
"""linux/if_packet.h: what this machine sends, which a packet socket sees as well."""


@pytest.mark.parametrize("address", [FAR, "fd00:10::2"], ids=["ipv4", "ipv6"])
def test_every_payload_size_comes_back(host: Host, address: str) -> None:
    host.apply(BOTH_FAMILIES)
    echoes = traffic.echo(address, range(1473))
    assert echoes.wrong == []
    assert len(echoes.round_trips_s) == 1473


@pytest.mark.parametrize("address", [FAR, "fd00:10::2"], ids=["ipv4", "ipv6"])
def test_the_ping_of_the_distribution_is_content(host: Host, address: str) -> None:
    host.apply(BOTH_FAMILIES)
    for size in ("0", "56", "1472"):
        # With a deadline ping waits for its answer; without one only for twice the time that earlier answers took.
        output = host.run("ping", "-c", "1", "-i", "60", "-w", "60", "-s", size, address)
        assert "1 received, 0% packet loss" in output


def test_the_far_end_reaches_the_near_end(host: Host) -> None:
    host.apply(BOTH_FAMILIES)
    with namespaces.inside("far"):
        assert traffic.echo(NEAR, (0, 1, 700, 1472)).wrong == []


@pytest.mark.parametrize("mode", ["net_hdr", "eth"])
def test_nc_carries_both_ways_at_once(host: Host, tmp_path: Path, mode: str) -> None:
    host.apply(links_file(mode=mode))
    sent = {name: traffic.payload_of(200_000 + salt, salt) for salt, name in enumerate(("here", "there"))}
    for name, data in sent.items():
        (tmp_path / name).write_bytes(data)
    with ExitStack() as stack:
        listen = ["ip", "netns", "exec", "far", "nc", "-N", "-n", "-l", FAR, "5000"]
        server = stack.enter_context(nc(listen, tmp_path / "there"))
        host.wait_for(lambda: ":5000" in host.run("ss", "-ltn", netns="far"), "nc listens")
        client = stack.enter_context(nc(["nc", "-N", "-n", FAR, "5000"], tmp_path / "here"))
        arrived = {"there": client.communicate(timeout=120)[0], "here": server.communicate(timeout=120)[0]}
    assert arrived == sent


def nc(command: list[str], source: Path) -> subprocess.Popen[bytes]:
    with source.open("rb") as file:
        return subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE)


def test_arp_resolves_in_eth_mode(host: Host) -> None:
    host.apply(links_file(mode="eth", far="addresses: [10.10.0.2/24], hwid: 2"))
    assert traffic.echo(FAR, (0, 1472)).wrong == []
    (neighbour,) = json.loads(host.run("ip", "-json", "neigh", "show", "to", FAR, "dev", "geth0"))
    assert neighbour["lladdr"] == "46:45:54:48:30:32"
    (link,) = json.loads(host.run("ip", "-json", "link", "show", "geth1", netns="far"))
    assert link["address"] == neighbour["lladdr"]


def test_ipv6_neighbours_are_found_in_eth_mode(host: Host) -> None:
    host.apply(links_file(mode="eth", near="addresses: ['fd00:10::1/64']", far="addresses: ['fd00:10::2/64']"))
    # An address is tentative while the kernel looks for a duplicate of it (RFC 4862); until then nothing is sent.
    host.wait_for(lambda: "tentative" not in host.run("ip", "-6", "addr"), "an address of our own")
    host.wait_for(lambda: "tentative" not in host.run("ip", "-6", "addr", netns="far"), "an address over there")
    assert traffic.echo("fd00:10::2", (0, 700, 1472)).wrong == []


ETHERTYPES = [0x88B5, 0x0800, 0x86DD, 0x0806, 0xFFFF]
"""For experiments; IPv4, IPv6 and ARP, whose bytes are not what they say here; and the last of all."""


@pytest.mark.parametrize(("first", "ethertype"), list(enumerate(ETHERTYPES, 1)), ids=[hex(each) for each in ETHERTYPES])
def test_raw_mode_carries_arbitrary_bytes(host: Host, first: int, ethertype: int) -> None:
    """Sizes 1 to MTU, shared out among the protocol numbers."""
    host.apply(links_file(mode="raw", near="up: true", far="up: true"))
    sizes = [*range(first, MTU, len(ETHERTYPES)), MTU]
    with ExitStack() as stack:
        with namespaces.inside("far"):
            receiver = stack.enter_context(packet_socket("geth1", ETH_P_ALL))
        sender = stack.enter_context(packet_socket("geth0", 0))
        for burst in (sizes[at : at + BURST] for at in range(0, len(sizes), BURST)):
            for size in burst:
                sender.sendto(traffic.payload_of(size), ("geth0", ethertype))
            # What looks like packets of different flows may overtake each other (gpiomux/wire/schedule.py).
            arrived = sorted(next_of(receiver, ethertype) for _ in burst)
            assert arrived == sorted(traffic.payload_of(size) for size in burst)


def packet_socket(interface: str, protocol: int) -> socket.socket:
    """A packet socket without link header, bound to one interface of this thread's network namespace."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    sock.bind((interface, protocol))
    sock.settimeout(traffic.PATIENCE_S)
    return sock


def next_of(receiver: socket.socket, ethertype: int) -> bytes:
    """The next packet that arrives with this protocol number; the kernel's own chatter is passed over."""
    while True:
        data, (_, protocol, kind, *_) = receiver.recvfrom(65536)
        if protocol == ethertype and kind != PACKET_OUTGOING and not is_chatter(data, ethertype):
            return data


def is_chatter(data: bytes, ethertype: int) -> bool:
    """Router solicitations and multicast reports, which the kernel sends by itself on an interface that is up."""
    return ethertype == 0x86DD and data[:1] == b"\x60" and data[24:25] == b"\xff"
