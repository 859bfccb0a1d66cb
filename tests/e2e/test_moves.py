"""What somebody does to an interface of a running link with ip(8) is told, and `apply` of the same file mends it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.netdev.steering import set_mask
from tests import namespaces, traffic
from tests.e2e.host import links_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

FILE = links_file(
    near="addresses: [10.10.0.1/24, 'fd00:10::1/64'], routes: [{to: 10.30.0.0/16, via: 10.10.0.2}], "
    "children: [{name: child1, marks: [7], mtu: 1400, addresses: [10.10.7.1/24]}]",
    far="addresses: [10.10.0.2/24, 'fd00:10::2/64'], routes: [{to: 10.10.7.0/24}]",
)
FAR = "10.10.0.2"
PORT = 9000


@pytest.fixture
def linked(host: Host) -> Iterator[Host]:
    """FILE is applied; there is another network namespace, which is not ours."""
    host.run("ip", "netns", "add", "other")
    host.apply(FILE)
    yield host
    host.gpiomux("down")
    assert [name for name in here_and_there(host) if name != "lo"] == []
    host.run("ip", "netns", "del", "other")


def here_and_there(host: Host) -> list[str]:
    there = json.loads(host.run("ip", "-json", "link", netns="other"))
    return [*namespaces.interfaces(), *(link["ifname"] for link in there)]


def found(host: Host, name: str) -> dict[str, Any]:
    """What status says of an interface now."""
    link = host.link("geth0")
    (told,) = (it["interface"] for it in (link, *link["children"]) if it["name"] == name)
    return dict(told)


def mend(host: Host) -> list[str]:
    """Apply the same file again: what had to be done, which is what `status --diff` said. Then all is as it was."""
    answer = host.ask("status", "--diff")
    assert answer.exit_status == 2
    assert host.gpiomux("apply", host.file(FILE)) == answer.output
    host.wait_for_carrier()
    assert host.ask("status", "--diff").exit_status == 0
    whole = {"state": "found", "netns": None, "up": True, "mac": None, "rps": None}
    addresses = ["10.10.0.1/24", "fd00:10::1/64"]
    assert found(host, "geth0") == {**whole, "name": "geth0", "mtu": 1500, "addresses": addresses}
    assert found(host, "child1") == {**whole, "name": "child1", "mtu": 1400, "addresses": ["10.10.7.1/24"]}
    carries(host)
    return answer.output.splitlines()


def carries(host: Host) -> None:
    assert traffic.echo(FAR, (0, 1472)).wrong == []
    with traffic.Listener("10.10.7.1", PORT) as listener:
        with namespaces.inside("far"):
            traffic.send_datagram("10.10.7.1", PORT, b"marked", mark=7)
        arrival = listener.take()
    assert (arrival.interface, arrival.data) == ("child1", b"marked")


IN_PLACE = [
    pytest.param(["ip link set geth0 down"], {"up": False}, "down", id="down"),
    pytest.param(["ip link set geth0 mtu 1300"], {"mtu": 1300}, "with mtu 1300", id="mtu"),
    pytest.param(["ip link set geth0 name foo"], {"name": "foo"}, "named foo", id="renamed"),
    pytest.param(
        ["ip link set geth0 down", "ip link set geth0 name foo mtu 1300"],
        {"name": "foo", "mtu": 1300, "up": False},
        "down named foo with mtu 1300",
        id="renamed-and-down",
    ),
]
MOVED = [
    pytest.param(["ip link set geth0 netns other"], {"netns": "other", "up": False}, "down in netns other", id="moved"),
    pytest.param(
        ["ip link set geth0 netns other name foo", "ip -n other link set foo up"],
        {"netns": "other", "name": "foo"},
        "in netns other named foo",
        id="moved-and-renamed",
    ),
]


@pytest.mark.parametrize(("commands", "told", "words"), [*IN_PLACE, *MOVED])
def test_a_link_that_is_changed_or_moved(linked: Host, commands: list[str], told: dict[str, Any], words: str) -> None:
    before = linked.datapaths()
    index = found_index(linked, "geth0")
    for command in commands:
        linked.run(*command.split())
    now = found(linked, "geth0")
    assert now == {**now, "state": "found", **told}
    assert f"geth0: carrier, but the interface is {words}\n" in linked.gpiomux("status")
    assert linked.datapaths() == before
    operations = mend(linked)
    moved = told.get("netns") is not None
    if linked.marks_work_inwards() or not moved:
        assert linked.datapaths() == before
        assert found_index(linked, "geth0") == index or moved
        assert next(line for line in operations if "interface" in line).startswith("~ interface geth0 (tun)")
        assert not [line for line in operations if "datapath" in line or "child" in line]
    else:  # a packet socket does not go along
        assert "- interface geth0 (tun) in netns other" in "\n".join(operations)
        assert linked.datapaths()["geth1"] == before["geth1"]


def found_index(host: Host, name: str) -> int:
    return int(json.loads(host.run("ip", "-json", "link", "show", "dev", name))[0]["ifindex"])


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("ip link set child1 netns other", {"netns": "other", "up": False}),
        ("ip link set child1 name foo", {"name": "foo"}),
        ("ip link set child1 mtu 1300", {"mtu": 1300}),
    ],
    ids=["moved", "renamed", "mtu"],
)
def test_a_child_that_is_changed_or_moved(linked: Host, command: str, told: dict[str, Any]) -> None:
    before = linked.datapaths()
    linked.run(*command.split())
    now = found(linked, "child1")
    assert now == {**now, "state": "found", **told}
    mend(linked)
    assert linked.datapaths() == before


def test_while_a_link_is_down_the_wire_goes_on_and_up_again_it_carries(linked: Host) -> None:
    before = linked.datapaths()
    linked.run("ip", "link", "set", "geth0", "down")
    assert linked.link("geth0")["carrier"]
    linked.run("ip", "link", "set", "geth0", "up")
    assert traffic.echo(FAR, (56,)).wrong == []
    assert linked.datapaths() == before


def test_a_moved_link_carries_where_it_is(linked: Host) -> None:
    if not linked.marks_work_inwards():
        pytest.skip("a packet socket does not go along into another network namespace; apply brings the link back")
    linked.run("ip", "link", "set", "geth0", "netns", "other", "name", "foo")
    linked.run("ip", "-n", "other", "link", "set", "foo", "up")
    linked.run("ip", "-n", "other", "address", "add", "10.10.0.1/24", "dev", "foo")
    with namespaces.inside("other"):
        assert traffic.echo(FAR, (0, 1472)).wrong == []
    mend(linked)


@pytest.mark.parametrize("name", ["geth0", "child1"])
def test_one_that_is_deleted_is_noticed_and_made_again(linked: Host, name: str) -> None:
    before = linked.datapaths()
    linked.run("ip", "link", "del", name)
    linked.wait_for(lambda: found(linked, name) == {"state": "missing"}, "the removal is noticed")
    assert "removed; 'gpiomux apply' makes it again" in linked.gpiomux("status")
    operations = mend(linked)
    assert f"+ interface {name} (tun), mtu {1500 if name == 'geth0' else 1400}" in operations
    assert linked.datapaths()["geth1"] == before["geth1"]
    assert (linked.datapaths() == before) == (name == "child1")


def test_a_new_process_takes_a_link_where_it_is(linked: Host) -> None:
    """Also where its MTU is another: that of the link is what the peer was told."""
    linked.run("ip", "link", "set", "geth0", "mtu", "1300")
    linked.run("ip", "link", "set", "geth0", "name", "foo")
    linked.gpiomux("restart", "geth0")
    linked.wait_for_carrier()
    assert (found(linked, "geth0")["name"], found(linked, "geth0")["mtu"]) == ("foo", 1300)
    assert traffic.echo(FAR, (0, 1200)).wrong == []
    mend(linked)


def test_rps_that_somebody_switches_on_is_told_and_switched_off(linked: Host) -> None:
    """It loses marks: packets are looked at on another CPU, when the slot holds the mark of another packet."""
    if not linked.marks_work_inwards():
        pytest.skip("a received packet has no mark where the kernel grants no BPF; status says so")
    before = linked.datapaths()
    for name in ("geth0", "child1"):
        set_mask(name, "1")
    assert "geth0: carrier, but the interface is under RPS, which loses marks\n" in linked.gpiomux("status")
    assert mend(linked) == ["~ interface geth0 (tun): rps 1 -> off", "~ interface child1 (tun): rps 1 -> off"]
    assert linked.datapaths() == before


def test_names_that_were_exchanged(linked: Host) -> None:
    for old, new in (("geth0", "foo"), ("child1", "geth0"), ("foo", "child1")):
        linked.run("ip", "link", "set", old, "down")
        linked.run("ip", "link", "set", old, "name", new)
    assert (found(linked, "geth0")["name"], found(linked, "child1")["name"]) == ("child1", "geth0")
    mend(linked)


def test_one_in_a_namespace_without_a_name(linked: Host) -> None:
    """Nobody but its datapath knows it there. A new one is made, and the old one goes with its namespace."""
    sleeper = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    try:
        linked.wait_for(lambda: other_network(sleeper.pid), "a network namespace of its own")
        linked.run("ip", "link", "set", "geth0", "netns", str(sleeper.pid))
        if linked.marks_work_inwards():  # else its datapath has lost it
            assert found(linked, "geth0") == {"state": "out-of-sight"}
            note = "interface geth0 is in a network namespace without a name: it stays there"
            assert note in linked.ask("status", "--diff").errors + linked.ask("status", "--diff").output
        linked.gpiomux("apply", linked.file(FILE))
        linked.wait_for_carrier()
        carries(linked)
    finally:
        sleeper.kill()
        sleeper.wait()


def other_network(pid: int) -> bool:
    return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/thread-self/ns/net")


def test_down_removes_what_was_moved(linked: Host) -> None:
    linked.run("ip", "link", "set", "geth0", "netns", "other", "name", "foo")
    linked.run("ip", "link", "set", "child1", "name", "bar")
    linked.gpiomux("down")
    assert set(here_and_there(linked)) == {"lo"}
