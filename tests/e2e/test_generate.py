"""Generated packets, as tcpdump sees them where they leave and where they arrive, and as UDP takes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests import namespaces
from tests.e2e.host import PATIENCE_S, links_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

COUNT = 20
FAR = "10.10.0.2"


@contextmanager
def watched(interface: str, what: str, *, netns: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """tcpdump on an interface, which ends by itself after COUNT packets of that kind."""
    if shutil.which("tcpdump") is None:
        if "CI" in os.environ:
            pytest.fail("no tcpdump: install tcpdump")
        pytest.skip("no tcpdump")
    if not namespaces.has_other_users():
        pytest.skip("tcpdump gives root up, and there is no other user in this world")
    prefix = () if netns is None else ("ip", "netns", "exec", netns)
    command = [*prefix, "tcpdump", "-l", "-n", "-c", str(COUNT), "-i", interface, "-Z", "root", "-vv", "-e", what]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while "listening on" not in (line := process.stderr.readline()):
            assert line, "tcpdump has ended"
        yield process
        process.send_signal(signal.SIGTERM)


def seen(process: subprocess.Popen[str]) -> str:
    """What tcpdump has seen, once it has seen all."""
    output, _ = process.communicate(timeout=PATIENCE_S)
    return output


def generated(host: Host, *words: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        host.gpiomux("generate", *words, "--count", str(COUNT), "--rate", "200", "--json")
    )
    assert (told["sent"], told["refused"]) == (COUNT, 0)
    return told


@pytest.mark.parametrize(
    ("mode", "words", "bytes_each", "what", "shown"),
    [
        ("eth", ("arp", "geth0"), 28, "arp", "Request who-has 10.10.0.1 tell 10.10.0.1"),
        ("eth", ("udp", "geth0", "--to", FAR, "--size", "1500"), 1500, "udp port 9", "[udp sum ok] UDP, length 1472"),
        ("net_hdr", ("udp", "geth0", "--size", "28"), 28, "udp port 9", "[udp sum ok] UDP, length 0"),
        ("eth", ("raw", "geth0"), 64, "ether proto 0x88b5", "length 78"),
        ("eth", ("raw", "child1"), 64, "ether proto 0x88b5", "length 78"),
    ],
    ids=["arp", "udp-eth", "udp-net_hdr", "raw", "raw-child"],
)
def test_what_leaves_is_what_arrives(
    host: Host, mode: str, words: tuple[str, ...], bytes_each: int, what: str, shown: str
) -> None:
    child = "children: [{name: child1, marks: [7]}]"
    host.apply(links_file(mode=mode, near=f"addresses: [10.10.0.1/24], {child}"))
    with watched(words[1], what) as leaving, watched("geth1", what, netns="far") as arriving:
        assert generated(host, *words)["bytes"] == COUNT * bytes_each
        for process in (leaving, arriving):
            assert seen(process).count(shown) == COUNT
    stats = {each["name"]: each for each in host.stats()["links"]}
    assert stats["geth0"]["interfaces"][words[1]]["tx_packets"] >= COUNT


def test_raw_mode_carries_generated_data(host: Host) -> None:
    host.apply(links_file(mode="raw", near="up: true", far="up: true"))
    with ExitStack() as stack:
        with namespaces.inside("far"):
            receiver = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
            receiver.bind(("geth1", 0x88B5))
        receiver.settimeout(PATIENCE_S)
        assert generated(host, "raw", "geth0", "--size", "1500")["bytes"] == COUNT * 1500
        packets = [receiver.recv(65536) for _ in range(COUNT)]
    assert [int.from_bytes(packet[:8], "big") for packet in packets] == list(range(COUNT))
    assert {len(packet) for packet in packets} == {1500}


@pytest.mark.parametrize("mode", ["eth", "net_hdr"])
def test_a_socket_takes_generated_udp(host: Host, mode: str) -> None:
    """The checksums are right for the kernel, too."""
    host.apply(links_file(mode=mode))
    with ExitStack() as stack:
        with namespaces.inside("far"):
            receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            receiver.bind((FAR, 9))
        receiver.settimeout(PATIENCE_S)
        generated(host, "udp", "geth0", "--to", FAR)
        found = [receiver.recvfrom(2048) for _ in range(COUNT)]
    assert {sender for _, sender in found} == {("10.10.0.1", 9)}
    assert [int.from_bytes(data[:8], "big") for data, _ in found] == list(range(COUNT))


def test_marked_packets_arrive_on_the_child_with_the_mark(host: Host) -> None:
    child = "children: [{name: child1, marks: [7]}]"
    host.apply(links_file(mode="eth", far=child))
    with watched("child1", "ether proto 0x88b5", netns="far") as arriving:
        generated(host, "raw", "geth0", "--mark", "7")
        assert len(re.findall("ethertype Unknown", seen(arriving))) == COUNT


def test_what_cannot_be_generated(host: Host) -> None:
    host.apply(links_file(mode="net_hdr"))
    for words, status, said in (
        (("arp", "geth0"), 1, "geth0: mode net_hdr carries IP packets only, and ARP is none"),
        (("raw", "geth0"), 1, "geth0: mode net_hdr carries IP packets only"),
        (("udp", "geth0", "--size", "1501"), 2, "28 to 1500 bytes here, not 1501"),
        (("udp", "geth7"), 2, "there is no link or child 'geth7'"),
        (("tcp", "geth0"), 2, "nothing of the kind 'tcp'"),
    ):
        answer = host.ask("generate", *words)
        assert (answer.exit_status, answer.output) == (status, "")
        assert said in answer.errors
    host.run("ip", "link", "set", "geth0", "down")
    answer = host.ask("generate", "udp", "geth0", "--source", "10.10.0.1")
    assert (answer.exit_status, answer.output) == (1, "")
    assert "cannot send through geth0: it is down" in answer.errors
