"""Path MTUs by mark: what the tools that administrators use see of them, over each medium, on running links."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import namespaces
from tests.e2e.host import Host, links_file

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns

FAR, FAR6 = "10.10.0.2", "fd00:10::2"
NEAR_KEYS = 'addresses: [10.10.0.1/24, "fd00:10::1/64"]'
FAR_KEYS = f'addresses: [{FAR}/24, "{FAR6}/64"]'
SHM = Path(__file__).parents[2] / "configs" / "shm-pair.yaml"
PORT = 5001
PATIENCE_S = 60.0


def links(mode: str = "net_hdr", *, near: str = "") -> str:
    return links_file(mode=mode, near=f"{NEAR_KEYS}{near}", far=FAR_KEYS)


def ping(*words: str) -> tuple[int, str]:
    """Exit status and output of one `ping`, which waits for an answer of any kind."""
    done = subprocess.run(["ping", "-c", "1", "-W", "30", *words], text=True, capture_output=True)
    return done.returncode, done.stdout + done.stderr


def mark_everything(host: Host, interface: str = "geth0", mark: int = 7) -> None:
    for tool in ("iptables", "ip6tables"):
        host.run(tool, "-t", "mangle", "-A", "OUTPUT", "-o", interface, "-j", "MARK", "--set-mark", str(mark))


def counters(host: Host, interface: str = "geth0") -> dict[str, int]:
    (link,) = (link for link in host.stats()["links"] if interface in link["interfaces"])
    return dict(link["interfaces"][interface])


def known_mtu(host: Host, address: str) -> int:
    """The path MTU that the kernel has learnt for a destination."""
    found = re.search(r"\bmtu (\d+)", host.run("ip", "route", "get", address))
    return int(found[1]) if found else 0


def forget_paths(host: Host) -> None:
    for family in ("-4", "-6"):
        host.run("ip", family, "route", "flush", "cache")


def carry_tcp(address: str) -> None:
    """Some bytes over TCP to the far end, and their number back."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespaces.inside("far"):
        server = socket.create_server((address, PORT), family=family)

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            got = 0
            while data := connection.recv(65536):
                got += len(data)
            connection.sendall(str(got).encode())

    with server:
        server.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with socket.create_connection((address, PORT), timeout=PATIENCE_S) as client:
            client.sendall(bytes(60_000))
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b"60000"
        thread.join(PATIENCE_S)


def wait_for_addresses(host: Host) -> None:
    """In mode eth an IPv6 address may be used only after nobody else has claimed it (RFC 4862, section 5.4)."""
    words = ("ip", "-6", "address", "show", "tentative")
    host.wait_for(lambda: not host.run(*words) and not host.run(*words, netns="far"), "addresses without a rival")


@pytest.fixture(params=["net_hdr", "eth", "raw", "shm"])
def medium(request: pytest.FixtureRequest, host: Host, tmp_path: Path) -> Iterator[str]:
    """A pair of links over simulated lines in each mode, and over channels, with a path MTU of 1280 for mark 7; the
    name of the near interface.
    """
    if request.param == "shm":
        text = SHM.read_text().replace("/dev/shm/gpiomux-", f"{tmp_path}/")
        first, rest = text.split("  - name: shm1")
        host.apply(f"{first.rstrip()}\n    pmtu: {{7: 1280}}\n\n  - name: shm1{rest}")
        yield "shm0"
        return
    host.apply(links(request.param, near=", pmtu: {7: 1280}"))
    wait_for_addresses(host)
    yield "geth0"


def test_every_tool_goes_on_with_what_goes_through(host: Host, medium: str) -> None:
    ping_is_told_or_its_packets_are_cut(host, medium)
    ping_over_ipv6_is_told_the_value(host)
    mark_everything(host, medium)
    for address in (FAR, FAR6):
        forget_paths(host)
        before = counters(host, medium)["tx_too_big"]
        carry_tcp(address)
        assert known_mtu(host, address) == 1280
        assert counters(host, medium)["tx_too_big"] > before


def ping_is_told_or_its_packets_are_cut(host: Host, interface: str) -> None:
    assert ping("-M", "do", "-s", "1472", FAR)[0] == 0, "without the mark all goes through"
    status, output = ping("-m", "7", "-M", "dont", "-s", "1472", FAR)
    assert status == 0, output
    status, output = ping("-m", "7", "-M", "do", "-s", "1253", FAR)
    assert (status, f"From {FAR}" in output, "mtu = 1280" in output) == (1, True, True), output
    assert known_mtu(host, FAR) == 1280
    assert ping("-m", "7", "-M", "do", "-s", "1252", FAR)[0] == 0
    counted = counters(host, interface)
    assert (counted["tx_fragmented"], counted["tx_too_big"]) == (1, 1)


def ping_over_ipv6_is_told_the_value(host: Host) -> None:
    assert ping("-M", "do", "-s", "1452", FAR6)[0] == 0
    status, output = ping("-m", "7", "-M", "do", "-s", "1233", FAR6)
    assert (status, f"From {FAR6}" in output, "mtu=1280" in output.replace(" ", "")) == (1, True, True), output
    assert known_mtu(host, FAR6) == 1280
    assert ping("-m", "7", "-M", "do", "-s", "1232", FAR6)[0] == 0
    assert ping("-m", "7", "-s", "1452", FAR6)[0] == 0, "the sender makes fragments"


def test_tracepath_finds_it(host: Host) -> None:
    if shutil.which("tracepath") is None and "CI" not in os.environ:
        pytest.skip("tracepath is not installed (iputils-tracepath)")
    host.apply(links(near=", pmtu: {7: 1300}"))
    mark_everything(host)
    for address in (FAR, FAR6):
        assert "Resume: pmtu 1300 " in " ".join(host.run("tracepath", "-n", address).split())


def test_ipv6_is_never_told_less_than_every_path_carries(host: Host) -> None:
    host.apply(links(near=", pmtu: {7: 600}"))
    assert ping("-m", "7", "-M", "do", "-s", "1232", FAR6)[0] == 0
    status, output = ping("-m", "7", "-M", "do", "-s", "1233", FAR6)
    assert (status, "1280" in output) == (1, True), output
    assert ping("-m", "7", "-M", "dont", "-s", "4000", FAR)[0] == 0
    assert counters(host)["tx_fragmented"] >= 1


def test_what_is_too_long_for_the_link_is_cut_or_answered(host: Host) -> None:
    """Somebody raises the MTU of an interface above that of the link: no packet is lost in silence."""
    host.apply(links())
    host.run("ip", "link", "set", "geth0", "mtu", "1600")
    host.run("ip", "link", "set", "geth1", "mtu", "1600", netns="far")
    assert ping("-M", "dont", "-s", "1550", FAR)[0] == 0
    status, output = ping("-M", "do", "-s", "1550", FAR)
    assert (status, "mtu = 1500" in output) == (1, True), output
    carry_tcp(FAR)
    carry_tcp(FAR6)


# On a running link.


def test_it_is_set_changed_and_taken_away_without_a_restart(host: Host) -> None:
    host.apply(links())
    before = host.datapaths()
    assert host.gpiomux("set-pmtu", "geth0", "0x7", "1280") == "+ pmtu 1280 of mark 7 on geth0\n"
    assert host.gpiomux("set-pmtu", "geth0", "7", "1280") == "nothing to do\n"
    assert ping("-m", "7", "-M", "do", "-s", "1400", FAR)[0] == 1
    assert host.gpiomux("set_pmtu", "geth0", "7", "1400") == "~ pmtu of mark 7 on geth0: 1280 -> 1400\n"
    forget_paths(host)
    assert "mtu = 1400" in ping("-m", "7", "-M", "do", "-s", "1400", FAR)[1]
    assert json.loads(host.gpiomux("show", "--json"))["links"][0]["pmtu"] == {"7": 1400}
    assert "set-pmtu geth0 7 1400" in host.gpiomux("status")
    assert host.gpiomux("del-pmtu", "geth0", "7") == "- pmtu 1400 of mark 7 on geth0\n"
    forget_paths(host)
    assert ping("-m", "7", "-M", "do", "-s", "1472", FAR)[0] == 0
    assert host.datapaths() == before


def test_a_restarted_datapath_has_it_again(host: Host) -> None:
    host.apply(links(near=", pmtu: {7: 1280}"))
    host.gpiomux("set-pmtu", "geth0", "8", "1300")
    host.gpiomux("restart", "geth0")
    host.wait_for_carrier()
    assert "mtu = 1300" in ping("-m", "8", "-M", "do", "-s", "1400", FAR)[1]
    assert host.gpiomux("status", "--diff") == "nothing to do\n"


def test_it_is_written_into_the_file_and_lost_with_a_file_that_does_not_have_it(host: Host) -> None:
    host.apply(links())
    path = host.directory / "links.yaml"
    host.gpiomux("set-pmtu", "geth0", "7", "1280")
    refused = host.ask("apply", str(path))
    assert (refused.exit_status, "set-pmtu geth0 7 1280" in refused.errors) == (1, True)
    host.gpiomux("set-pmtu", "--persist", "geth0", "7", "1280")
    assert "pmtu: {7: 1280}" in path.read_text()
    assert host.ask("plan", str(path)).exit_status == 0
    host.gpiomux("del-pmtu", "--persist", "geth0", "7")
    assert "pmtu: {}" in path.read_text()
    path.write_text(path.read_text().replace("pmtu: {}", "pmtu: {7: 1300}"))
    assert host.gpiomux("apply", str(path)) == "+ pmtu 1300 of mark 7 on geth0\n"
    assert host.gpiomux("rollback") == "- pmtu 1300 of mark 7 on geth0\n"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("set-pmtu", "geth9", "7", "1280"), "there is no link 'geth9'", "did you mean"),
        (("set-pmtu", "geth0", "0", "1280"), "'0' is not a netfilter mark", "from 1 to"),
        (("del-pmtu", "geth0", "7"), "geth0 has no PMTU for mark 7", "marks of geth0 with a PMTU: 9"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(
    host: Host, words: tuple[str, ...], message: str, hint: str
) -> None:
    host.apply(links(near=", pmtu: {9: 1280}"))
    answer = host.ask(*words)
    assert (answer.exit_status, message in answer.errors, hint in answer.errors) == (2, True, True), answer.errors
