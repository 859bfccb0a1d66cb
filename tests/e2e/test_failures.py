"""What happens when a process dies, when the peers do not fit, and when two commands come at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import namespaces, traffic
from tests.e2e.host import GPIOMUX, ROOT, links_file

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

TWO_LINKS = "configs/two-links.yaml"
FAR = "10.10.0.2"


def interface(host: Host, name: str) -> tuple[int, list[str]]:
    """Index and addresses of an interface here: a new device of the same name would have another index."""
    (found,) = json.loads(host.run("ip", "-json", "addr", "show", "dev", name))
    return found["ifindex"], [address["local"] for address in found["addr_info"]]


def kill(pid: int) -> None:
    """End a process without warning. It is gone for good when this returns."""
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)


@pytest.mark.parametrize("victim", ["geth0", "geth1"])
def test_a_datapath_that_dies_is_replaced(host: Host, victim: str) -> None:
    host.gpiomux("apply", TWO_LINKS)
    host.gpiomux("add-child", "geth0", "child1")
    host.gpiomux("add-mark", "child1", "7")
    host.wait_for_carrier()
    before, device, network = host.datapaths(), interface(host, "geth0"), os.stat("/run/netns/far").st_ino
    kill(before[victim])
    host.wait_for(lambda: host.link(victim)["datapath"]["restarts"] == 1, "the restart is told")
    host.wait_for_carrier()
    after = host.datapaths()
    assert after.pop(victim) != before.pop(victim)
    assert after == before
    assert interface(host, "geth0") == device
    assert os.stat("/run/netns/far").st_ino == network
    assert traffic.echo(FAR, (0, 56, 1472)).wrong == []
    assert "SIGKILL" in host.link(victim)["datapath"]["last_exit"]
    assert "1 restart" in host.gpiomux("status")
    if victim == "geth0":
        (child,) = host.link("geth0")["children"]
        assert (child["name"], child["netns"], child["marks"]) == ("child1", None, [7])


def test_the_new_datapath_knows_the_marks(host: Host) -> None:
    host.apply(links_file(near="addresses: [10.10.0.1/24], children: [{name: child1, marks: [7]}]"))
    host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.child1.rp_filter=0")
    kill(host.datapaths()["geth0"])
    host.wait_for(lambda: host.link("geth0")["datapath"]["restarts"] == 1, "the restart is told")
    host.wait_for_carrier()
    with traffic.Listener("10.10.0.1", 9000) as listener:
        with namespaces.inside("far"):
            traffic.send_datagram("10.10.0.1", 9000, b"marked", mark=7)
        arrival = listener.take()
    assert (arrival.interface, arrival.data) == ("child1", b"marked")


def test_protocol_ids_that_do_not_match(host: Host) -> None:
    text = links_file(near_protocol="{reader: 12, writer: 7}", far_protocol="{reader: 7, writer: 8}")
    host.gpiomux("apply", host.file(text))
    expected = "peer writes 0x8, this link reads 0xc"
    host.wait_for(lambda: expected in host.link("geth0")["reason"], expected)
    assert expected in host.gpiomux("status")
    for name, netns in (("geth0", None), ("geth1", "far")):
        assert not host.link(name)["carrier"]
        assert "NO-CARRIER" in host.run("ip", "link", "show", name, netns=netns)


def test_ids_that_match_again_bring_the_carrier(host: Host) -> None:
    host.gpiomux(
        "apply", host.file(links_file(near_protocol="{reader: 12, writer: 7}", far_protocol="{reader: 7, writer: 8}"))
    )
    host.apply(links_file(near_protocol="{reader: 12, writer: 7}", far_protocol="{reader: 7, writer: 12}"))
    assert traffic.echo(FAR, (100,)).wrong == []


def test_a_daemon_that_dies_leaves_the_links_and_the_next_takes_over(host: Host) -> None:
    host.gpiomux("apply", TWO_LINKS)
    host.wait_for_carrier()
    before, device = host.datapaths(), interface(host, "geth0")
    kill(host.status()["daemon"]["pid"])
    assert traffic.echo(FAR, (0, 1472)).wrong == []
    alone = host.status()
    assert alone["daemon"] is None
    assert {link["name"]: link["datapath"]["pid"] for link in alone["links"]} == before
    # The next command that changes something starts the next daemon; a plan is still empty for it.
    assert host.gpiomux("apply", TWO_LINKS) == "nothing to do\n"
    assert host.status()["daemon"]["pid"] > 0
    assert host.datapaths() == before
    assert interface(host, "geth0") == device
    assert [link["datapath"]["restarts"] for link in host.status()["links"]] == [0, 0]
    # It supervises what it has not started itself.
    kill(before["geth1"])
    host.wait_for(lambda: host.datapaths()["geth1"] not in (None, before["geth1"]), "a new datapath")
    host.wait_for_carrier()
    assert traffic.echo(FAR, (0, 1472)).wrong == []


def test_a_datapath_that_dies_without_a_daemon_is_replaced_by_the_next(host: Host) -> None:
    host.gpiomux("apply", TWO_LINKS)
    host.wait_for_carrier()
    before = host.datapaths()
    kill(host.status()["daemon"]["pid"])
    kill(before["geth0"])
    host.gpiomux("apply", TWO_LINKS)
    host.wait_for_carrier()
    assert host.datapaths()["geth1"] == before["geth1"]
    assert traffic.echo(FAR, (0, 1472)).wrong == []


def test_down_without_a_daemon_leaves_nothing(host: Host) -> None:
    host.gpiomux("apply", TWO_LINKS)
    kill(host.status()["daemon"]["pid"])
    host.gpiomux("down")
    host.wait_for(lambda: not namespaces.child_processes(), "every process has ended")
    assert namespaces.interfaces() == {"lo"}
    assert namespaces.network_names() == set()


def test_commands_at_the_same_time_do_not_interleave(host: Host) -> None:
    """Four that want four different children on one link: all are there at the end, each with its mark."""
    host.gpiomux("apply", TWO_LINKS)
    names = [f"child{number}" for number in range(4)]
    running = [subprocess.Popen([GPIOMUX, "add-child", "geth0", name], stdout=subprocess.PIPE) for name in names]
    assert [(process.communicate(), process.returncode)[1] for process in running] == [0] * 4
    assert sorted(child["name"] for child in host.link("geth0")["children"]) == names


def test_two_first_applies_at_the_same_time_start_one_daemon(host: Host) -> None:
    running = [
        subprocess.Popen([GPIOMUX, "apply", TWO_LINKS], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    outputs = [process.communicate()[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    host.wait_for_carrier()
    assert sorted(host.datapaths()) == ["geth0", "geth1"]
