"""gpiomux-tutorial(7), step by step: its two boards on this machine, wired by simulated lines instead of wires.

Board A is the test's own network namespace, board B is `far`. One machine cannot have two links of one name, so that
`geth0` and `mgmt` of B bear another here. What is done with wires is shown in tests/kernel.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests import namespaces, traffic
from tests.test_man import page
from tests.test_man_guides import examples

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

PAGE = "gpiomux-tutorial.7"
SENSOR = "10.20.0.1"
SSH = 22


def link_of(board: str) -> dict[str, Any]:
    """The link of a board as its file in the tutorial has it, over simulated lines."""
    (link,) = yaml.safe_load(examples(PAGE)["ab".index(board)])["links"]
    plain = {key: value for key, value in link.items() if key not in ("lines", "access")}
    return plain | {"medium": "sim", "wire": {"name": "cable", "end": board}}


def boards(*later: str) -> str:
    """Both boards in one file, without the keys that the tutorial adds in later steps."""
    near, far = link_of("a"), link_of("b") | {"name": "geth0-b", "netns": "far"}
    far["children"] = [child | {"name": f"{child['name']}-b"} for child in far["children"]]
    links = [{key: value for key, value in link.items() if key not in later} for link in (near, far)]
    return json.dumps({"links": links})


def firewall_of_b() -> list[list[str]]:
    """The commands of the tutorial that keep the login to the child."""
    lines = re.findall(r"^b# (nft .*)$", page(PAGE), re.MULTILINE)
    assert len(lines) == 3
    return [shlex.split(line.replace("geth0", "geth0-b")) for line in lines]


def test_the_tutorial_leads_to_a_routed_link_with_a_child_for_management(host: Host) -> None:
    host.apply(boards("routes", "children"))
    traffic.echo("10.10.0.2", [56])
    before = host.datapaths()

    planned = host.ask("plan", host.file(boards("children")))
    assert (planned.exit_status, planned.output.splitlines()) == (
        2,
        ["+ route 10.20.0.0/24 via 10.10.0.2 on geth0", "+ route 0.0.0.0/0 via 10.10.0.1 on geth0-b"],
    )
    host.apply(boards("children"))
    host.run("ip", "address", "add", f"{SENSOR}/24", "dev", "lo", netns="far")
    traffic.echo(SENSOR, [56])

    for link, child in (("geth0", "mgmt"), ("geth0-b", "mgmt-b")):
        host.gpiomux("add-child", "--persist", link, child)
        host.gpiomux("add-mark", "--persist", child, "7")
    operations = host.apply(boards()).splitlines()
    assert operations == ["+ address 10.10.7.1/30 on mgmt", "+ address 10.10.7.2/30 on mgmt-b"]
    assert host.datapaths() == before

    traffic.echo("10.10.7.2", [56])
    (link,) = (link for link in host.stats()["links"] if link["name"] == "geth0-b")
    assert link["interfaces"]["mgmt-b"]["rx_packets"] > 0


def test_the_firewall_of_the_tutorial_keeps_the_login_to_the_child(host: Host) -> None:
    host.apply(boards())
    for words in firewall_of_b():
        host.run(*words, netns="far")
    with namespaces.inside("far"):
        listener = socket.create_server(("", SSH))
    with listener:
        socket.create_connection(("10.10.7.2", SSH), timeout=traffic.PATIENCE_S).close()
        with pytest.raises(TimeoutError):
            socket.create_connection(("10.10.0.2", SSH), timeout=2)
