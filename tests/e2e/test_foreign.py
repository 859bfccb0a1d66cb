"""What others have made survives whatever gpiomux does, also on its own interfaces while these stand.

What sits on an interface goes when the interface goes, whoever has put it there: the kernel keeps no address, route or
filter without one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests import namespaces
from tests.e2e.host import links_file

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

FIRST = links_file(near='addresses: [10.10.0.1/24, "fd00:10::1/64"], routes: [{to: 10.30.0.0/16, via: 10.10.0.2}]')
OTHER = links_file(near="addresses: [10.10.0.3/24], mtu: 1400, children: [{name: child1, marks: [7]}]", far="mtu: 1400")
ONLY_OTHERS = """
links:
  - {name: other0, mode: net_hdr, medium: sim, wire: {name: rope0, external: true}, protocol: {reader: 1, writer: 1}}
"""


def add(host: Host, device: str, number: int) -> None:
    """Put an address, a route and a filter of nobody's on an interface."""
    host.run("ip", "addr", "add", f"10.99.{number}.1/24", "dev", device)
    host.run("ip", "route", "add", f"10.98.{number}.0/24", "dev", device)
    if '"clsact"' not in host.run("tc", "-json", "qdisc", "show", "dev", device):
        host.run("tc", "qdisc", "add", "dev", device, "clsact")
    for way in ("ingress", "egress"):
        host.run(*f"tc filter add dev {device} {way} pref 9 protocol all u32 match u32 0 0".split())


def foreign(host: Host, device: str, number: int) -> list[object]:
    """What is left of that: the interface itself, its address, route and filters."""
    (interface,) = json.loads(host.run("ip", "-json", "addr", "show", "dev", device))
    routes = json.loads(host.run("ip", "-json", "route", "show", "dev", device))
    # u32 lists what is on both ways of an interface for each of them.
    filters = [
        len([it for it in json.loads(host.run(*words.split())) if it["pref"] == 9 and "match" in it.get("options", {})])
        for words in (f"tc -json filter show dev {device} ingress", f"tc -json filter show dev {device} egress")
    ]
    return [
        interface["ifindex"],
        [it["local"] for it in interface["addr_info"] if it["local"] == f"10.99.{number}.1"],
        [it["dst"] for it in routes if it["dst"] == f"10.98.{number}.0/24"],
        filters,
    ]


def test_what_others_have_made_survives(host: Host) -> None:
    host.run("ip", "tuntap", "add", "foreign0", "mode", "tun")
    host.run("ip", "link", "set", "foreign0", "up")
    try:
        add(host, "foreign0", 0)
        elsewhere = foreign(host, "foreign0", 0)
        assert elsewhere[1:] == [["10.99.0.1"], ["10.98.0.0/24"], [2, 2]]
        host.apply(FIRST)
        add(host, "geth0", 1)
        on_ours = foreign(host, "geth0", 1)
        assert on_ours[1:] == [["10.99.1.1"], ["10.98.1.0/24"], [2, 2]]

        def untouched() -> bool:
            return (foreign(host, "foreign0", 0), foreign(host, "geth0", 1)) == (elsewhere, on_ours)

        assert host.gpiomux("apply", host.file(FIRST)) == "nothing to do\n"
        assert untouched()
        host.apply(OTHER)
        assert untouched()
        host.gpiomux("restart", "geth0")
        assert untouched()
        host.gpiomux("rollback")
        assert untouched()
        host.gpiomux("down", "geth1")
        assert untouched()
        host.gpiomux("apply", host.file(ONLY_OTHERS))
        assert foreign(host, "foreign0", 0) == elsewhere
        assert "geth0" not in namespaces.interfaces()  # and with it what sat on it
        host.gpiomux("down")
        assert foreign(host, "foreign0", 0) == elsewhere
        host.gpiomux("down", "--all")
        assert foreign(host, "foreign0", 0) == elsewhere
    finally:
        host.run("ip", "link", "del", "foreign0")


@pytest.mark.parametrize(
    "command",
    ["ip tuntap add geth0 mode tun", "ip link add geth0 type bridge", "ip netns exec far ip tuntap add geth1 mode tap"],
)
def test_a_foreign_interface_of_the_same_name_is_an_error_before_anything_is_done(host: Host, command: str) -> None:
    where, name = ("far", "geth1") if "far" in command else ("", "geth0")
    if where:
        host.run("ip", "netns", "add", where)
    try:
        host.run(*command.split())
        index = index_of(host, name, where)
        for verb in ("plan", "apply"):
            answer = host.ask(verb, host.file(FIRST))
            assert (answer.exit_status, answer.output) == (1, "")
            assert f"interface {name}" in answer.errors
        assert index_of(host, name, where) == index
        assert namespaces.interfaces() <= {"lo", "geth0"}
        host.gpiomux("down", "--all")
        assert index_of(host, name, where) == index
        assert namespaces.network_names() == ({where} if where else set())
    finally:
        if where:
            host.run("ip", "netns", "del", where)
        else:
            host.run("ip", "link", "del", name)


def index_of(host: Host, name: str, where: str) -> int:
    told = host.run("ip", "-json", "link", "show", "dev", name, netns=where or None)
    return int(json.loads(told)[0]["ifindex"])
