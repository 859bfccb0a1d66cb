"""Children and marks on a running link, marked by the tools that administrators use."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests import namespaces, traffic
from tests.e2e.host import Host, links_file

pytestmark = pytest.mark.netns

NEAR = "10.10.0.1"
MARKED_PORT, PLAIN_PORT = 9007, 9000


Tool = Callable[[Host, str | None, str], None]
"""Gives mark 7 to what leaves a network namespace and matches `match`, in that tool's own words."""


def iptables(host: Host, netns: str | None, match: str) -> None:
    words = ("iptables", "-t", "mangle", "-A", "OUTPUT", *match.split(), "-j", "MARK", "--set-mark", "7")
    host.run(*words, netns=netns)


def nft(host: Host, netns: str | None, match: str) -> None:
    host.run("nft", "add table ip marks", netns=netns)
    host.run("nft", "add chain ip marks out { type route hook output priority mangle ; }", netns=netns)
    host.run("nft", f"add rule ip marks out {match} meta mark set 7", netns=netns)


BY_PORT = [
    pytest.param(iptables, f"-p udp --dport {MARKED_PORT}", id="iptables"),
    pytest.param(nft, f"udp dport {MARKED_PORT}", id="nft"),
]
BY_INTERFACE = [pytest.param(iptables, "-o {}", id="iptables"), pytest.param(nft, "oifname {}", id="nft")]


def send_from_far(port: int, data: bytes, mark: int = 0) -> None:
    with namespaces.inside("far"):
        traffic.send_datagram(NEAR, port, data, mark=mark)


def allow_any_return_path(host: Host) -> None:
    """A packet for geth0's address on child1 fails a strict reverse-path check (RFC 3704), if the machine has it on."""
    host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.child1.rp_filter=0")


@pytest.mark.parametrize(("tool", "match"), BY_PORT)
def test_a_mark_chooses_the_child(host: Host, tool: Tool, match: str) -> None:
    host.apply(links_file())
    before = host.datapaths()
    host.gpiomux("add-child", "geth0", "child1")
    host.gpiomux("add-mark", "child1", "7")
    allow_any_return_path(host)
    tool(host, "far", match)
    seen = 7 if host.marks_work_inwards() else 0
    with traffic.Listener("0.0.0.0", MARKED_PORT) as marked, traffic.Listener("0.0.0.0", PLAIN_PORT) as plain:
        send_from_far(MARKED_PORT, b"marked")
        assert marked.take() == ("child1", seen, b"marked")
        send_from_far(PLAIN_PORT, b"plain")
        assert plain.take() == ("geth0", 0, b"plain")
        host.gpiomux("del-mark", "child1", "7")
        send_from_far(MARKED_PORT, b"marked again")
        assert marked.take() == ("geth0", seen, b"marked again")
    host.gpiomux("del-child", "child1")
    assert "child1" not in namespaces.interfaces()
    assert host.datapaths() == before


@pytest.mark.parametrize(("tool", "match"), BY_INTERFACE)
def test_children_talk_in_eth_mode(host: Host, tool: Tool, match: str) -> None:
    """A child of an Ethernet link has an address of its own, so its peer is a child with the same mark.

    iptables and `nft ip` never see ARP; such a packet of a child bears the child's own mark.
    """
    child = "children: [{{name: {name}, marks: [7], addresses: [10.10.7.{host}/24]}}]"
    near = f"addresses: [10.10.0.1/24], {child.format(name='child1', host=1)}"
    far = f"addresses: [10.10.0.2/24], {child.format(name='child2', host=2)}"
    host.apply(links_file(mode="eth", near=near, far=far))
    tool(host, None, match.format("child1"))
    tool(host, "far", match.format("child2"))
    assert traffic.echo("10.10.7.2", (0, 56, 1472)).wrong == []
    (neighbour,) = json.loads(host.run("ip", "-json", "neigh", "show", "to", "10.10.7.2"))
    (peer,) = json.loads(host.run("ip", "-json", "link", "show", "child2", netns="far"))
    assert (neighbour["dev"], neighbour["lladdr"]) == ("child1", peer["address"])
    assert traffic.echo("10.10.0.2", (0, 56, 1472)).wrong == []


def test_the_firewall_of_the_receiver_sees_the_mark(host: Host) -> None:
    """An nft rule on the receiver counts what came in on child1 with mark 7, as a user would write it."""
    host.apply(links_file())
    if not host.marks_work_inwards():
        pytest.skip("a received packet has no mark where the kernel grants no BPF; status says so")
    host.gpiomux("add-child", "geth0", "child1")
    host.gpiomux("add-mark", "child1", "7")
    allow_any_return_path(host)
    host.run("nft", "add table ip seen")
    host.run("nft", "add chain ip seen in { type filter hook input priority 0 ; }")
    host.run("nft", "add rule ip seen in iifname child1 meta mark 7 counter")
    with traffic.Listener(NEAR, PLAIN_PORT) as listener:
        for _ in range(5):
            send_from_far(PLAIN_PORT, b"x", mark=7)
            listener.take()
    assert "counter packets 5 " in host.run("nft", "list table ip seen")


def test_status_says_what_the_method_cannot_do(host: Host) -> None:
    host.apply(links_file())
    for link in host.status()["links"]:
        assert bool(link["marks"]["limits"]) == (link["marks"]["method"] == "packet-socket")
    assert host.status()["links"][0]["marks"]["method"] in host.gpiomux("status")


@pytest.mark.parametrize("mark", [1, 0xEFFF, 0xF000, 0xFFFF, 0x1_0000, 0xFFFF_FFFF], ids=hex)
def test_marks_of_every_size_cross(host: Host, mark: int) -> None:
    """Around the bounds of what a VLAN tag can hold (notes in gpiomux/netdev/bpf.py), and the largest."""
    host.apply(links_file())
    host.gpiomux("add-child", "geth0", "child1")
    host.gpiomux("add-mark", "child1", str(mark))
    allow_any_return_path(host)
    seen = mark if host.marks_work_inwards() else 0
    with traffic.Listener(NEAR, PLAIN_PORT) as listener:
        for number in range(3):  # a mark that the sender's side meets for the first time takes another road
            send_from_far(PLAIN_PORT, b"%d" % number, mark=mark)
            assert listener.take() == ("child1", seen, b"%d" % number)


def test_a_child_sends_through_its_parent(host: Host) -> None:
    """What leaves by a child of one end arrives at the other; it bears the mark only if the firewall gives it one."""
    host.apply(links_file(far="addresses: [10.10.0.2/24], children: [{name: child2, addresses: [10.10.2.2/24]}]"))
    host.run("ip", "address", "add", "10.10.2.1/24", "dev", "geth0")
    with traffic.Listener("10.10.2.1", PLAIN_PORT) as listener:
        with namespaces.inside("far"):
            traffic.send_datagram("10.10.2.1", PLAIN_PORT, b"from a child")
        assert listener.take() == ("geth0", 0, b"from a child")


def test_children_of_the_file(host: Host) -> None:
    """A child with mark and address of its own in the file stands after `apply`, and its packets find it."""
    host.apply(
        links_file(near="addresses: [10.10.0.1/24], children: [{name: child1, marks: [7], addresses: [10.10.7.1/24]}]")
    )
    host.run("ip", "route", "add", "10.10.7.0/24", "dev", "geth1", netns="far")
    allow_any_return_path(host)
    with traffic.Listener("10.10.7.1", PLAIN_PORT) as listener:
        with namespaces.inside("far"):
            traffic.send_datagram("10.10.7.1", PLAIN_PORT, b"hello", mark=7)
        arrival = listener.take()
    assert (arrival.interface, arrival.data) == ("child1", b"hello")


def test_the_spellings_of_muennet_cfg(host: Host) -> None:
    host.apply(links_file())
    host.gpiomux("add_child", "geth0", "child1")
    host.gpiomux("add_mark", "child1", "7")
    (child,) = host.link("geth0")["children"]
    assert (child["name"], child["marks"]) == ("child1", [7])
    host.gpiomux("del_mark", "child1", "7")
    assert host.link("geth0")["children"][0]["marks"] == []
    host.gpiomux("del_child", "child1")
    assert host.link("geth0")["children"] == []
