"""Children as interfaces of their own: addresses, MTU, namespace, neighbours and counters; and what they may not be."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests import namespaces, traffic
from tests.e2e.host import links_file

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

MACS = {"child1": "02:00:00:00:07:01", "child2": "02:00:00:00:07:02"}


def child(name: str, room: str, host: int) -> str:
    addresses = f"addresses: [10.10.7.{host}/24, 'fd00:7::{host}/64']"
    return f"children: [{{name: {name}, marks: [7, 8, 9], mtu: 1400, netns: {room}, mac: '{MACS[name]}', {addresses}}}]"


IN_ROOMS = links_file(
    mode="eth",
    near=f"addresses: [10.10.0.1/24], hwid: 3, {child('child1', 'room1', 1)}",
    far=f"addresses: [10.10.0.2/24], hwid: 4, {child('child2', 'room2', 2)}",
)
ROOMS = {
    "room1": ("10.10.7.2", "fd00:7::2", "child1", "child2"),
    "room2": ("10.10.7.1", "fd00:7::1", "child2", "child1"),
}
"""Where a child is, the addresses of the other one, its own name, that of the other one."""


def test_children_in_namespaces_of_their_own_find_each_other(host: Host) -> None:
    """ARP and neighbour discovery bear no mark; they go from child to child all the same, both ways."""
    host.apply(IN_ROOMS)
    for room in ROOMS:
        # An address is tentative while the kernel looks for a duplicate of it (RFC 4862); until then nothing is sent.
        host.wait_for(partial(has_addresses, host, room), f"addresses of its own in {room}")
    for room, (ipv4, ipv6, own, other) in ROOMS.items():
        with namespaces.inside(room):
            assert traffic.echo(ipv4, (0, 56, 1372)).wrong == []
            assert traffic.echo(ipv6, (0, 56, 1352)).wrong == []
        for address in (ipv4, ipv6):
            (neighbour,) = json.loads(host.run("ip", "-json", "neigh", "show", "to", address, netns=room))
            assert (neighbour["dev"], neighbour["lladdr"]) == (own, MACS[other])
    told = json.loads(host.run("ip", "-json", "link", "show", "child1", netns="room1"))[0]
    assert told["mtu"] == 1400
    # The kernel sends by itself at times, so the two may be looked at with a packet between.
    host.wait_for(lambda: counted_by_us(host) == counted_by_the_kernel(host), "equal counters")
    assert min(counted_by_us(host)) >= 12


def counted_by_us(host: Host) -> tuple[int, int]:
    (link,) = (link for link in host.stats()["links"] if link["name"] == "geth0")
    child = link["interfaces"]["child1"]
    return child["rx_packets"], child["tx_packets"]


def counted_by_the_kernel(host: Host) -> tuple[int, int]:
    (told,) = json.loads(host.run("ip", "-json", "-s", "link", "show", "child1", netns="room1"))
    return told["stats64"]["rx"]["packets"], told["stats64"]["tx"]["packets"]


def has_addresses(host: Host, room: str) -> bool:
    return "tentative" not in host.run("ip", "-6", "addr", netns=room)


def test_marks_of_a_deleted_child_come_out_of_its_link_and_may_be_bound_again(host: Host) -> None:
    host.apply(links_file(near="addresses: [10.10.0.1/24], children: [{name: child1, marks: [7, 8, 4294967295]}]"))
    host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.child1.rp_filter=0")
    with traffic.Listener("10.10.0.1", 9000) as listener:
        for mark in (7, 8, 4294967295):
            assert arrives(listener, mark) == "child1"
        host.gpiomux("del-child", "child1")
        for mark in (7, 8, 4294967295):
            assert arrives(listener, mark) == "geth0"
        host.gpiomux("add-child", "geth0", "child2")
        host.run("sysctl", "-qw", "net.ipv4.conf.child2.rp_filter=0")
        for mark in (7, 4294967295):
            host.gpiomux("add-mark", "child2", str(mark))
        assert [arrives(listener, mark) for mark in (7, 8, 4294967295)] == ["child2", "geth0", "child2"]


def arrives(listener: traffic.Listener, mark: int) -> str:
    with namespaces.inside("far"):
        traffic.send_datagram("10.10.0.1", 9000, b"x", mark=mark)
    return listener.take().interface


REFUSED = [
    ("add-child child1 grandchild", "child1 is a child of geth0, not a link"),
    ("add-child nowhere child2", "there is no link 'nowhere'"),
    ("add-child geth0 child1", "the name child1 is taken by a child of geth0"),
    ("add-child geth0 geth1", "the name geth1 is taken by a link"),
    ("add-mark geth0 8", "geth0 is a link, not a child"),
    ("add-mark nobody 8", "there is no child 'nobody'"),
    ("del-child geth0", "geth0 is a link, not a child"),
    ("del-mark child1 8", "mark 8 is not bound to child1"),
]


def test_what_makes_no_sense_is_refused_with_the_reason(host: Host) -> None:
    host.apply(links_file(near="children: [{name: child1, marks: [7]}]"))
    for words, reason in REFUSED:
        answer = host.ask(*words.split())
        assert (answer.exit_status, answer.output) == (2, "")
        assert reason in answer.errors


def test_hardware_addresses_stay(host: Host) -> None:
    """Of a hwid, of a child's mac, and, while the interface stands, what the kernel drew: across every new process."""
    text = links_file(
        mode="eth",
        near="hwid: 3, children: [{name: child1, mac: '02:00:00:00:07:01'}, {name: child2}]",
        far="addresses: [10.10.0.2/24]",
    )
    host.apply(text)
    before = macs(host)
    assert (before["geth0"], before["child1"]) == ("46:45:54:48:30:33", "02:00:00:00:07:01")
    host.gpiomux("restart", "geth0")
    assert macs(host) == before
    os.kill(host.status()["daemon"]["pid"], signal.SIGKILL)
    host.gpiomux("apply", host.file(text))
    host.wait_for_carrier()
    assert macs(host) == before
    host.gpiomux("down")
    host.apply(text)
    after = macs(host)
    assert (after["geth0"], after["child1"]) == (before["geth0"], before["child1"])


def macs(host: Host) -> dict[str, str]:
    return {link["ifname"]: link["address"] for link in json.loads(host.run("ip", "-json", "link"))}
