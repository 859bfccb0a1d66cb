"""Two gpiomux ends that speak gpiosk's pulse code over simulated lines."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

BYTES = 8192
PAIR = """\
links:
  - name: geth0
    mode: eth
    medium: sim
    wire: cable0
    code: {name: gpiosk, interval_us: 5}
    hwid: 1
    addresses: [10.10.0.1/24]
  - name: geth1
    mode: eth
    medium: sim
    wire: cable0
    code: {name: gpiosk, interval_us: 5}
    hwid: 2
    netns: far
    addresses: [10.10.0.2/24]
"""
RECEIVER = """
import socket
with socket.create_server(("10.10.0.2", 7000)) as server:
    print("ready", flush=True)
    server.settimeout(300)
    sock, _ = server.accept()
    data = b""
    while piece := sock.recv(65536):
        data += piece
    print(len(data), data == bytes(range(256)) * (len(data) // 256))
"""


def test_ping_arp_and_tcp(host: Host) -> None:
    host.apply(PAIR)
    assert " 0% packet loss" in host.run("ping", "-c", "3", "-i", "0.3", "-W", "20", "10.10.0.2")
    assert " 0% packet loss" in host.run("ping", "-c", "3", "-i", "0.3", "-W", "20", "10.10.0.1", netns="far")
    assert "46:45:54:48:30:32" in host.run("ip", "neighbour", "show", "dev", "geth0")
    far = ["ip", "netns", "exec", "far", sys.executable, "-c", RECEIVER]
    sender = (
        "import socket\n"
        'with socket.create_connection(("10.10.0.2", 7000), timeout=300) as sock:\n'
        f"    sock.sendall(bytes(range(256)) * {BYTES // 256})\n"
    )
    with subprocess.Popen(far, text=True, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        host.run(sys.executable, "-c", sender)
        assert server.communicate(timeout=300)[0] == f"{BYTES} True\n"
    link = host.link("geth0")
    assert (link["carrier"], link["mtu"]) == (True, 1486)
    assert link["line"]["edges_out"] > 8 * BYTES


def test_what_a_user_sees_and_may_not_do(host: Host) -> None:
    host.apply(PAIR)
    assert "heard" in host.gpiomux("status") or "not heard" in host.gpiomux("status")
    assert "edges in " in host.gpiomux("status")
    answer = host.ask("add-child", "geth0", "child1")
    assert answer.exit_status != 0
    assert "geth0 carries no marks: its line code gpiosk has no place for them" in answer.errors
    assert host.gpiomux("plan", host.file(PAIR)) == "nothing to do\n"
    host.gpiomux("restart", "geth0")
    host.wait_for_carrier()
    assert " 0% packet loss" in host.run("ping", "-c", "2", "-W", "20", "10.10.0.2")
