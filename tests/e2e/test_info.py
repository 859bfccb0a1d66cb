"""`gpiomux info` against what the machine has, on each medium that needs no GPIO."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply.datapaths import Datapaths
from gpiomux.rundir import RunDir
from tests.e2e.host import ROOT, RUN_DIRECTORY, links_file
from tests.e2e.test_counters import send
from tests.e2e.test_gpiosk import PAIR

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

SHM = (ROOT / "configs" / "shm-pair.yaml").read_text()
RING = 16


def info(host: Host, link: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in host.gpiomux("info", link).splitlines())


@pytest.mark.parametrize(
    ("text", "link", "expected"),
    [
        (
            links_file(mode="eth", near="mtu: 1400", far="mtu: 1400"),
            "geth0",
            {"flags": "eth_dev", "medium": "sim", "wire": "cable0, end a", "code": "handshake"},
        ),
        (PAIR, "geth1", {"flags": "eth_dev", "medium": "sim", "code": "gpiosk, interval_us 5"}),
        (SHM, "shm0", {"flags": "net_hdr", "medium": "shm", "writer.element_size": "1508"}),
    ],
    ids=["handshake", "gpiosk", "shm"],
)
def test_info_is_what_the_machine_has(
    host: Host, tmp_path: Path, text: str, link: str, expected: dict[str, str]
) -> None:
    host.apply(text.replace("/dev/shm", str(tmp_path)))
    told = info(host, link)
    status = host.link(link)
    (seen,) = json.loads(host.run("ip", "-d", "-json", "link", "show", "dev", link, netns=status["netns"]))
    assert told["driver"] == "gpiomux"
    assert told["interface"] == f"{link} ({seen['linkinfo']['info_data']['type']})"
    assert told["mtu"] == str(seen["mtu"])
    assert told["carrier"] == "yes"
    assert told["datapath"].startswith(f"pid {status['datapath']['pid']},")
    assert expected.items() <= told.items()
    if link == "shm0":
        assert told["channel.out"] == f"{tmp_path}/gpiomux-a"
        assert told["ring.in"].endswith(" of 1024 elements")
    (version,) = host.gpiomux("--version").split()[1:]
    assert told["version"] == version


def test_a_ring_that_is_full_is_told_full(host: Host) -> None:
    """The peer is stopped, so that nothing goes away; then all of it does. Only its own datapath is asked meanwhile:
    who asks for more waits for the peer as well.
    """
    datapaths = Datapaths(RunDir(RUN_DIRECTORY))
    host.apply(links_file(near=f"addresses: [10.10.0.1/24], tx_ring: {RING}"))
    far = host.datapaths()["geth1"]

    def filled() -> dict[str, int]:
        return {name: ring["filled"] for name, ring in datapaths.ask("geth0", {"do": "report"})["rings"].items()}

    os.kill(far, signal.SIGSTOP)
    try:
        send("net_hdr", "geth0", [1000] * 4 * RING)
        host.wait_for(lambda: filled()["tx_ring"] == RING, "the ring is full")
        assert 0 < filled()["window"] <= 24 * 1024
    finally:
        os.kill(far, signal.SIGCONT)
    host.wait_for(lambda: info(host, "geth0")["ring.tx_ring"] == f"0 of {RING} packets", "the ring is empty")
    host.wait_for(lambda: info(host, "geth0")["ring.window"].startswith("0 of "), "all has arrived")


def test_a_child_is_no_link(host: Host) -> None:
    host.apply(links_file(near="children: [{name: c0, marks: [7]}]"))
    answer = host.ask("info", "c0")
    assert answer.exit_status == 2
    assert "c0 is a child of geth0" in answer.errors
    assert info(host, "geth0")["child.c0"].startswith("mark 7")
