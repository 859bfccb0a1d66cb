"""The example of muennet's README comes up as it is written there, and carries IP; so do its children."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import namespaces, traffic

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

README = (Path(__file__).parents[2] / "configs" / "muennet-readme.yaml").read_text()


@pytest.fixture
def muennet(host: Host, tmp_path: Path) -> Host:
    """The example runs, with its channels in a directory of the test's own."""
    (tmp_path / "shm").mkdir()
    host.apply(README.replace("/dev/shm/", f"{tmp_path}/shm/"))
    return host


def test_the_example_carries_ip(muennet: Host) -> None:
    protocols = {it["name"]: it["peer"]["writer"] for it in muennet.status()["links"]}
    assert protocols == {"net0": 0x12, "net1": 0x2, "net2": 0x8, "net3": 0x2}
    for address in ("192.168.1.2", "192.168.2.2"):
        assert traffic.echo(address, range(0, 1473, 16)).wrong == []
    with namespaces.inside("far"):
        assert traffic.echo("192.168.1.1", (0, 1472)).wrong == []
        assert traffic.echo("192.168.2.1", (0, 1472)).wrong == []


def test_its_children_are_made_with_the_commands_of_the_readme(muennet: Host) -> None:
    muennet.gpiomux("add_child", "net2", "child")
    muennet.gpiomux("add_mark", "child", "5")
    muennet.run("ip", "address", "add", "192.168.5.2/32", "dev", "child", netns="far")
    muennet.run("ip", "route", "add", "192.168.5.2/32", "dev", "net0")
    muennet.run(*"iptables -t mangle -A OUTPUT -o net0 -d 192.168.5.2 -j MARK --set-mark 5".split())
    with namespaces.inside("far"):
        muennet.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.child.rp_filter=0")
        there = traffic.Listener("192.168.5.2", 9000)  # a socket stays where it was made
    with there:
        traffic.send_datagram("192.168.5.2", 9000, b"to the child")
        with namespaces.inside("far"):
            arrival = there.take()
    assert (arrival.interface, arrival.data) == ("child", b"to the child")
