"""What gpiomux counts against `ip -s link`: the same where both count the same thing, and exactly as the manual says
where they do not."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.control.client import connect
from gpiomux.rundir import RunDir
from tests import namespaces, traffic
from tests.e2e.host import RUN_DIRECTORY, links_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

SIZES = (1, 28, 29, 300, 1400)
"""Of payloads, in bytes."""
RAW = 0x88B5
"""EtherType for experiments."""
PORT = 5000
QUIET = 8
"""Nothing moves when nothing has changed for so many looks."""
COMPARED = ("rx_packets", "rx_bytes", "rx_dropped", "tx_packets", "tx_bytes")
PLACES = {"geth0": None, "c0": None, "geth1": "far", "c1": "far"}
"""Interface -> its network namespace."""
PEERS = {"geth0": "10.10.0.2", "c0": "10.10.7.2", "geth1": "10.10.0.1", "c1": "10.10.7.1"}
"""Interface -> the address at the other end."""


def with_children(mode: str) -> str:
    """A pair of links with a child each, mark 7."""
    child = "children: [{{name: c{0}, marks: [7]{1}}}]"
    if mode == "raw":
        return links_file(mode=mode, near=child.format(0, ""), far=child.format(1, ""))
    near = child.format(0, ", addresses: [10.10.7.1/24]")
    far = child.format(1, ", addresses: [10.10.7.2/24]")
    return links_file(mode=mode, near=f"addresses: [10.10.0.1/24], {near}", far=f"addresses: [10.10.0.2/24], {far}")


def send(mode: str, interface: str, sizes: Iterable[int], *, mark: int = 0, ethertype: int = RAW) -> None:
    """Send a packet of each size out of an interface of its namespace."""
    with ExitStack() as stack:
        if PLACES[interface] is not None:
            stack.enter_context(namespaces.inside("far"))
        if mode == "raw":
            sock = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
            to: tuple[Any, ...] = (interface, ethertype)
        else:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            to = (PEERS[interface], PORT)
        if mark:
            sock.setsockopt(socket.SOL_SOCKET, traffic.SO_MARK, struct.pack("I", mark))
        for size in sizes:
            sock.sendto(bytes(size), to)


@contextmanager
def receivers() -> Iterator[None]:
    """Somebody who wants what `send` sends in mode `raw`: the kernel counts as dropped what nobody wants."""
    with ExitStack() as stack:
        for netns in (None, "far"):
            with namespaces.inside(netns) if netns else nullcontext():
                stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(RAW)))
        yield


def kernel(host: Host, interface: str) -> dict[str, int]:
    """What `ip -s link` says."""
    (told,) = json.loads(host.run("ip", "-s", "-json", "link", "show", "dev", interface, netns=PLACES[interface]))
    return {f"{way}_{word}": count for way, words in told["stats64"].items() for word, count in words.items()}


def ours(interface: str) -> dict[str, Any]:
    """What `gpiomux stats` says; asked without the cost of a command."""
    with connect(RunDir(RUN_DIRECTORY)) as client:
        links = client.ask("stats")["links"]
    (found,) = (link["interfaces"][interface] for link in links if interface in link["interfaces"])
    return dict(found)


class Compared:
    """Both counts of each interface, from a moment on at which no kernel says anything by itself any more."""

    def __init__(self, host: Host) -> None:
        self._host = host
        for netns in (None, "far"):
            host.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1", netns=netns)
        self._before: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
        self._same = 0
        host.wait_for(self._is_quiet, "nothing moves any more")

    def _is_quiet(self) -> bool:
        before, self._before = self._before, {interface: self._numbers(interface) for interface in PLACES}
        self._same = self._same + 1 if self._before == before else 0
        return self._same == QUIET

    def _numbers(self, interface: str) -> tuple[dict[str, int], dict[str, int]]:
        counted = ours(interface)
        return kernel(self._host, interface), {**counted, **counted.pop("protocols")}

    def of(self, interface: str, *names: str) -> tuple[list[int], list[int]]:
        """What the kernel has counted since then, and what we have."""
        now, before = self._numbers(interface), self._before[interface]
        told, counted = ([mine[name] - old[name] for name in names] for mine, old in zip(now, before, strict=True))
        return told, counted

    def counted(self, interface: str, name: str) -> int:
        """What only we count."""
        return self._numbers(interface)[1][name] - self._before[interface][1][name]

    def agree(self, interface: str, *names: str) -> None:
        """Both say the same, as soon as nothing moves: answers of the kernel may come in between."""

        def same() -> bool:
            told, counted = self.of(interface, *(names or COMPARED))
            return told == counted

        self._host.wait_for(same, f"the same of {interface}: {self.of(interface, *(names or COMPARED))}")


@pytest.mark.parametrize("mode", ["net_hdr", "eth", "raw"])
def test_packets_and_bytes_are_those_of_the_kernel(host: Host, mode: str) -> None:
    host.apply(with_children(mode))
    compared = Compared(host)
    word = "raw" if mode == "raw" else "udp"

    def have_arrived() -> bool:
        return all(compared.counted(interface, f"rx_{word}") == len(SIZES) for interface in PLACES)

    with receivers():
        for interface in PLACES:
            send(mode, interface, SIZES)
        host.wait_for(have_arrived, "all has come")
    for interface in PLACES:
        assert compared.counted(interface, f"tx_{word}") == len(SIZES)
        compared.agree(interface)


@pytest.mark.parametrize("mode", ["net_hdr", "eth", "raw"])
def test_what_an_interface_that_is_down_loses_is_dropped_to_both(host: Host, mode: str) -> None:
    host.apply(with_children(mode))
    if mode == "eth":  # so that nobody has to ask for it through an interface that is down
        for sender in ("geth0", "c0"):
            host.run("ip", "neigh", "replace", PEERS[sender], "lladdr", "02:00:00:00:00:01", "dev", sender)
    compared = Compared(host)

    def are_dropped() -> bool:
        return all(compared.counted(interface, "rx_dropped") == len(SIZES) for interface in ("geth1", "c1"))

    for sender, interface in (("geth0", "geth1"), ("c0", "c1")):
        host.run("ip", "link", "set", interface, "down", netns="far")
        send(mode, sender, SIZES)
    host.wait_for(are_dropped, "all are dropped")
    for interface in ("geth1", "c1"):
        compared.agree(interface)


def test_what_the_kernel_drops_before_it_is_read_is_sent_to_neither(host: Host) -> None:
    host.apply(with_children("net_hdr"))
    if not host.marks_work_inwards():
        pytest.skip("without BPF packets are read from a packet socket, whose queue is not that of the interface")
    compared = Compared(host)
    while kernel(host, "geth0")["tx_dropped"] == 0:
        send("net_hdr", "geth0", [1] * 2000)
    compared.agree("geth0", "tx_packets", "tx_bytes")
    assert compared.counted("geth0", "tx_dropped") == 0


def test_what_is_no_packet_of_the_mode_was_sent_to_the_kernel_only(host: Host) -> None:
    host.apply(with_children("net_hdr"))
    compared = Compared(host)
    send("raw", "geth0", SIZES)  # no IP, through an interface for IP
    host.wait_for(lambda: compared.counted("geth0", "tx_dropped") == len(SIZES), "all are dropped")
    assert compared.of("geth0", "tx_packets") == ([len(SIZES)], [0])


@pytest.mark.parametrize("mode", ["net_hdr", "eth"])
def test_the_kernel_counts_the_tag_that_tells_a_mark(host: Host, mode: str) -> None:
    host.apply(with_children(mode))
    compared = Compared(host)
    send(mode, "geth0", SIZES, mark=7)
    host.wait_for(lambda: compared.counted("c1", "rx_udp") == len(SIZES), "all have come")
    compared.agree("c1", "rx_packets", "rx_bytes")
    (packets, told), (same, counted) = compared.of("geth0", "tx_packets", "tx_bytes")
    assert packets == same
    assert told - counted == (4 * len(SIZES) if host.marks_work_inwards() else 0)
