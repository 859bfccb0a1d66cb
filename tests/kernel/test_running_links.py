"""What may be done to a running link, done to links over real lines: each verb, and what it has changed there.

The same verbs have tests of their own on simulated lines (tests/e2e). On real lines, ways of waiting, captures and
traces are tested in test_gpio_links.py, the doctor in test_doctor.py.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.control.client import connect
from gpiomux.rundir import RunDir
from gpiomux.wire.codec import Decoder
from gpiomux.wire.counters import Counters
from tests import namespaces, traffic
from tests.cli import pcapng_reader
from tests.e2e.host import GPIOMUX, PATIENCE_S, RUN_DIRECTORY
from tests.kernel.chips import two_links
from tests.kernel.test_gpio_links import carry
from tests.netdev.elf_object import elf_object, verdict

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = [pytest.mark.kernel, pytest.mark.netns]

NEAR, FAR = "10.10.0.1", "10.10.0.2"
MODES = ("net_hdr", "eth")
COUNT = 40
"""Packets that are generated."""
PATTERN = bytes(range(0xA0, 0xB0))
"""What ping fills its packets with."""
CHILDREN = {
    "near": ", children: [{name: child1, marks: [7, 8], netns: room1, addresses: [10.10.7.1/24]}]",
    "far": ", children: [{name: child2, marks: [7], netns: room2, addresses: [10.10.7.2/24]}]",
}


def counted(host: Host, interface: str) -> dict[str, int]:
    """What a datapath has counted of an interface, protocols included."""
    (link,) = (link for link in host.stats()["links"] if interface in link["interfaces"])
    found: dict[str, Any] = dict(link["interfaces"][interface])
    return {**found, **found.pop("protocols")}


def counted_by_the_kernel(host: Host, interface: str, netns: str | None = None) -> dict[str, int]:
    """The same by `ip -s link`."""
    (told,) = json.loads(host.run("ip", "-s", "-json", "link", "show", "dev", interface, netns=netns))
    return {f"{way}_{word}": number for way, words in told["stats64"].items() for word, number in words.items()}


def generate(*words: str) -> subprocess.Popen[str]:
    """A generator of UDP packets, which has begun; somebody must wait for its end."""
    return subprocess.Popen(
        [GPIOMUX, "generate", "udp", "geth0", "--to", FAR, "--rate", "40", "--json", *words],
        text=True, stdout=subprocess.PIPE,
    )  # fmt: skip


def generated(count: int, *words: str) -> None:
    """Send so many packets, which must all be taken."""
    with generate("--count", str(count), *words) as process:
        told = json.loads(process.communicate(timeout=PATIENCE_S)[0])
    assert (told["sent"], told["refused"]) == (count, 0)


def levels_in(dump: str) -> list[dict[str, int]]:
    """The levels of a value change dump, after each time at which something changed: role -> level."""
    names = {sign: name for sign, name in re.findall(r"\$var wire 1 (\S+) (\w+) \$end", dump)}
    found: list[dict[str, int]] = []
    levels: dict[str, int] = {}
    for row in dump.partition("$enddefinitions $end")[2].splitlines():
        if row.startswith("#") and levels:
            found.append(dict(levels))
        elif row[:1] in ("0", "1") and row[1:] in names:
            levels[names[row[1:]]] = int(row[0])
    return [*found, levels]


def frames_in(levels: list[dict[str, int]], way: str) -> list[bytes]:
    """The frames that went one way, read off the lines by the rules of gpiomux-wire(7), for 8 data lines."""
    decoder, frames = Decoder(8, Counters()), []
    # What we send stands when `req` moves; what we hear has been looked at when we move `ack`.
    clock = {"out": "out_req", "in": "in_ack"}[way]
    for before, now in pairwise(levels):
        if before[clock] != now[clock]:
            word = sum(now[f"{way}_d{bit}"] << bit for bit in range(8))
            frames += decoder.decode(bytes((word,)))
    return frames


def test_the_waveform_holds_the_frames_that_the_far_end_sends_and_hears(host: Host, tmp_path: Path) -> None:
    host.apply(two_links())
    captured, dump = tmp_path / "geth1.pcapng", tmp_path / "geth0.vcd"
    with (
        subprocess.Popen([GPIOMUX, "capture", "geth1", "-w", captured], stderr=subprocess.DEVNULL) as capture,
        subprocess.Popen(
            ["ping", "-i", "0.2", "-s", "100", "-p", PATTERN.hex(), FAR], stdout=subprocess.DEVNULL
        ) as ping,
    ):
        try:
            host.wait_for(lambda: captured.exists() and pcapng_reader.frames(captured.read_bytes()), "a captured frame")
            host.gpiomux("scope", "geth0", "--words", "1500", "-o", str(dump))
            drawn = host.gpiomux("scope", "geth0", "--words", "300")
        finally:
            ping.terminate()
            capture.send_signal(signal.SIGINT)
    assert capture.returncode == 0
    known = {(way, data) for _, way, flags, data in pcapng_reader.frames(captured.read_bytes()) if not flags}
    levels = levels_in(dump.read_text())
    for here, there in (("out", "in"), ("in", "out")):
        frames = frames_in(levels, here)
        assert any(PATTERN in frame for frame in frames)
        assert {(there, frame) for frame in frames} <= known
    assert re.search(r" ms  .*\bdata \d+, \d+ bytes", drawn)
    assert host.link("geth0")["carrier"]


@pytest.mark.parametrize("mode", MODES)
def test_probes_and_generated_packets_cross_whole_and_are_counted(host: Host, mode: str) -> None:
    host.apply(two_links(mode=mode))
    before = host.datapaths()
    told = json.loads(host.gpiomux("probe", "geth0", "--count", "20", "--interval", "20", "--json"))
    assert (told["transmitted"], told["received"], told["loss_percent"]) == (20, 20, 0)
    for end in ("here", "there"):
        damage = told["damage"][end]
        assert (damage["damaged"], damage["wrong_bits"]) == (0, 0)
        assert damage["pattern_bits"] > 8 * 64 * 15
    generated(COUNT)
    host.wait_for(lambda: counted(host, "geth1")["rx_udp"] == COUNT, "all packets arrive")
    assert counted(host, "geth0")["tx_udp"] == COUNT
    for interface, netns in (("geth0", None), ("geth1", "far")):
        host.wait_for(partial(both_count_the_same, host, interface, netns), f"equal counters of {interface}")
    assert re.search(r"geth0 +carrier", host.gpiomux("top", "--count", "1"))
    assert host.datapaths() == before


def both_count_the_same(host: Host, interface: str, netns: str | None) -> bool:
    """Without tx_bytes, to which the kernel adds the tags of its reports to multicast routers (gpiomux-counters(7))."""
    ours, kernels = counted(host, interface), counted_by_the_kernel(host, interface, netns)
    return all(ours[name] == kernels[name] for name in ("rx_packets", "rx_bytes", "tx_packets"))


def test_resets_under_load_add_up_to_what_was_sent(host: Host) -> None:
    host.apply(two_links())
    host.gpiomux("stats", "--reset")
    ways = {"geth0": "tx_udp", "geth1": "rx_udp"}
    sums, told = dict.fromkeys(ways, 0), 0
    with connect(RunDir(RUN_DIRECTORY)) as client:

        def reset() -> bool:
            """Add up what was counted since the last time; whether all has come."""
            nonlocal told
            for link, way in ways.items():
                packets = client.ask("reset-stats", {"link": link})["interfaces"][link]["protocols"][way]
                sums[link] += packets
                told += packets > 0
            return min(sums.values()) >= COUNT

        with generate("--count", str(COUNT)) as process:
            while process.poll() is None:
                reset()
        host.wait_for(reset, "the last packets arrive")
        reset()
    assert sums == dict.fromkeys(ways, COUNT)
    assert told > 4, "there was no load"
    assert [counted(host, link)[way] for link, way in ways.items()] == [0, 0]


def test_a_path_mtu_is_learnt_by_tracepath_and_tcp(host: Host, tmp_path: Path) -> None:
    host.apply(two_links(mode="eth"))
    host.run("iptables-legacy", "-t", "mangle", "-A", "OUTPUT", "-o", "geth0", "-j", "MARK", "--set-mark", "7")
    host.gpiomux("set-pmtu", "geth0", "7", "576")
    assert "pmtu 576" in host.run("tracepath", "-n", "-m", "2", FAR)
    host.run("ip", "route", "flush", "cache")
    before = counted(host, "geth0")["tx_too_big"]
    carry(tmp_path, 8_000)
    assert counted(host, "geth0")["tx_too_big"] > before
    assert "mtu 576" in host.run("ip", "route", "get", FAR)
    host.gpiomux("del-pmtu", "geth0", "7")
    host.run("ip", "route", "flush", "cache")
    host.run("ping", "-c", "1", "-M", "do", "-s", "1472", "-w", "120", FAR)


@pytest.mark.parametrize(("mode", "runs"), [("net_hdr", "generic"), ("eth", "native")])
def test_an_xdp_program_keeps_packets_from_the_stack(host: Host, mode: str, runs: str, tmp_path: Path) -> None:
    host.apply(two_links(mode=mode))
    host.run("ping", "-c", "1", "-w", "120", FAR)
    if runs == "generic":
        refused = host.ask("xdp", "attach", "geth1", "drop", "--mode", "native")
        assert (refused.exit_status, "mode net_hdr has a TUN device" in refused.errors) == (2, True)
    assert host.gpiomux("xdp", "attach", "geth1", "drop") == f"+ xdp drop on geth1 ({runs})\n"
    (shown,) = json.loads(host.gpiomux("xdp", "show", "geth1", "--json"))["interfaces"]
    assert (shown["xdp"]["program"], shown["xdp"]["mode"], shown["xdp"]["ours"]) == ("drop", runs, True)
    dropped = counted_by_the_kernel(host, "geth1", "far")["rx_dropped"]
    generated(5)
    host.wait_for(lambda: counted(host, "geth1")["rx_xdp"] >= 5, "packets that XDP keeps from the stack")
    # Of what a generic program drops the kernel counts nothing.
    assert (counted_by_the_kernel(host, "geth1", "far")["rx_dropped"] >= dropped + 5) == (runs == "native")
    host.gpiomux("xdp", "detach", "geth1")
    host.run("ping", "-c", "1", "-w", "120", FAR)
    (tmp_path / "theirs.o").write_bytes(elf_object(verdict("theirs", 2)))
    host.run("ip", "link", "set", "dev", "geth0", "xdpgeneric", "obj", str(tmp_path / "theirs.o"), "sec", "xdp")
    refused = host.ask("xdp", "attach", "geth0", "drop")
    assert (refused.exit_status, "XDP program theirs " in refused.errors) == (1, True)
    host.run("ping", "-c", "1", "-w", "120", FAR)


def test_a_link_that_somebody_moves_renames_and_removes(host: Host) -> None:
    text = two_links(near=", children: [{name: child1, marks: [7]}]")
    host.apply(text)
    host.run("ip", "netns", "add", "other")
    before = host.datapaths()
    host.run("ip", "link", "set", "geth0", "netns", "other", "name", "foo")
    host.run("ip", "-n", "other", "link", "set", "foo", "up", "mtu", "1300")
    host.run("ip", "-n", "other", "address", "add", f"{NEAR}/24", "dev", "foo")
    host.run("ip", "link", "set", "child1", "name", "bar")
    with namespaces.inside("other"):
        assert traffic.echo(FAR, (0, 200)).wrong == []
    assert "geth0: carrier, but the interface is in netns other named foo with mtu 1300\n" in host.gpiomux("status")
    mended(host, text)
    assert host.datapaths() == before
    host.run("ip", "link", "set", "geth0", "down")
    assert host.link("geth0")["carrier"]
    mended(host, text)
    assert host.datapaths() == before
    host.run("ip", "link", "del", "geth0")
    host.wait_for(lambda: "removed; 'gpiomux apply' makes it again" in host.gpiomux("status"), "the removal is noticed")
    mended(host, text)
    assert host.datapaths()["geth1"] == before["geth1"]
    host.run("ip", "netns", "del", "other")


def mended(host: Host, text: str) -> None:
    """Apply the same file again, after which all is as it was, and the link carries."""
    assert host.gpiomux("apply", host.file(text)) != "nothing to do\n"
    host.wait_for_carrier()
    assert host.gpiomux("plan", host.file(text)) == "nothing to do\n"
    assert namespaces.interfaces() == {"lo", "geth0", "child1"}
    assert traffic.echo(FAR, (0, 200)).wrong == []


@pytest.mark.parametrize("mode", MODES)
def test_children_with_namespaces_and_addresses_of_their_own(host: Host, mode: str) -> None:
    host.apply(two_links(mode=mode, near=CHILDREN["near"], far=CHILDREN["far"]))
    before = host.datapaths()
    for room, address in (("room1", "10.10.7.2"), ("room2", "10.10.7.1")):
        with namespaces.inside(room):
            assert traffic.echo(address, (0, 56)).wrong == []
    for child, room in (("child1", "room1"), ("child2", "room2")):
        host.wait_for(partial(both_count_the_same, host, child, room), f"equal counters of {child}")
        assert counted(host, child)["rx_icmp"] >= 4
    assert host.datapaths() == before


def test_marks_of_a_deleted_child_come_out_of_its_link_and_may_be_bound_again(host: Host) -> None:
    host.apply(two_links(near=CHILDREN["near"]))
    before = host.datapaths()
    with traffic.Listener(NEAR, 9000) as listener:
        host.gpiomux("del-child", "child1")
        assert arrives(listener) == "geth0"
        host.gpiomux("add-child", "geth0", "child3")
        host.gpiomux("add-mark", "child3", "8")
        host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.child3.rp_filter=0")
        assert arrives(listener) == "child3"
    refused = host.ask("add-child", "child3", "child4")
    assert (refused.exit_status, "child3 is a child of geth0, not a link" in refused.errors) == (2, True)
    assert host.datapaths() == before


def arrives(listener: traffic.Listener) -> str:
    """Where a packet with mark 8 comes out at the near end."""
    with namespaces.inside("far"):
        traffic.send_datagram(NEAR, 9000, b"x", mark=8)
    arrival = listener.take()
    assert arrival.mark == 8
    return arrival.interface
