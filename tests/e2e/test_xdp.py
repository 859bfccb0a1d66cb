"""XDP programs on links: what they keep from the stack is counted, and what others have attached is left alone.

Beside ours stand `ip link set xdp`, bpftool and xdp-loader, on the same interfaces.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.netdev.marks import refusal_of
from tests import namespaces, traffic
from tests.e2e.host import GPIOMUX, ROOT, links_file
from tests.e2e.stream import Stream
from tests.netdev.elf_object import counting, elf_object, verdict

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

XDP_DROP, XDP_PASS = 1, 2
ETH = links_file(mode="eth")
NET_HDR = links_file()
LOADERS = ("bpftool", "xdp-loader")


@pytest.fixture(autouse=True)
def may_load_programs() -> None:
    """Programs are for root on the machine itself; for others see test_xdp_ordinary_user.py."""
    refusal = refusal_of("bpf-tcx")
    if refusal is not None:
        pytest.skip(f"no BPF program can be loaded here: {refusal}")


def with_xdp(text: str, xdp: str, end: str = "geth1") -> str:
    """The configuration with a program on one end."""
    return text.replace(f"name: {end},", f"name: {end}, xdp: {xdp},")


def programs(host: Host) -> dict[str, dict[str, Any]]:
    """Interface -> what `xdp show` says of it."""
    return {it["interface"]: it for it in json.loads(host.gpiomux("xdp", "show", "--json"))["interfaces"]}


def attached(host: Host, interface: str, netns: str | None = None) -> tuple[str, int] | None:
    """Mode and number of the program that iproute2 sees."""
    (link,) = json.loads(host.run("ip", "-json", "link", "show", "dev", interface, netns=netns))
    if "xdp" not in link:
        return None
    return {1: "native", 2: "generic"}[link["xdp"]["mode"]], link["xdp"]["prog"]["id"]


def kernel_counts(host: Host, interface: str, netns: str | None = None) -> tuple[int, int]:
    """What the kernel has received and dropped on an interface."""
    (link,) = json.loads(host.run("ip", "-json", "-stats", "link", "show", "dev", interface, netns=netns))
    return link["stats64"]["rx"]["packets"], link["stats64"]["rx"]["dropped"]


def kept(host: Host, interface: str = "geth1") -> int:
    """Packets that XDP has kept from the stack, as `stats` has them."""
    (link,) = (it for it in host.stats()["links"] if interface in it["interfaces"])
    count: int = link["interfaces"][interface]["rx_xdp"]
    return count


def answered() -> bool:
    return not traffic.echo("10.10.0.2", [32], patience_s=20).wrong


def unanswered(count: int = 5) -> bool:
    return len(traffic.echo("10.10.0.2", range(count), patience_s=0.5).wrong) == count


@pytest.mark.parametrize(("text", "mode"), [(ETH, "native"), (ETH, "generic"), (NET_HDR, "generic")])
def test_pass_and_drop_are_shown_by_the_counters(host: Host, text: str, mode: str) -> None:
    host.apply(text)
    assert answered()
    host.gpiomux("xdp", "attach", "geth1", "pass", "--mode", mode)
    shown = attached(host, "geth1", "far")
    assert shown is not None
    assert shown[0] == mode
    assert answered()
    assert kept(host) == 0
    host.gpiomux("xdp", "attach", "geth1", "drop", "--mode", mode)
    before, (received, dropped) = kept(host), kernel_counts(host, "geth1", "far")
    assert unanswered(5)
    host.wait_for(lambda: kept(host) >= before + 5, "five packets that XDP has dropped")
    now = kernel_counts(host, "geth1", "far")
    # The driver counts what a native program drops; of a generic one's packets it says that they were received.
    assert (now[1] >= dropped + 5, now[0] >= received + 5) == (mode == "native", mode != "native")
    assert programs(host)["geth1"]["rx_xdp"] >= before + 5
    host.gpiomux("xdp", "detach", "geth1")
    assert attached(host, "geth1", "far") is None
    # While nothing came back, the sender may have given its neighbour up; it asks for it again.
    host.wait_for(lambda: not unanswered(1), "an answer without a program")


def test_a_program_of_an_object_with_its_map(host: Host, tmp_path: Path) -> None:
    (tmp_path / "two.o").write_bytes(elf_object(verdict("let", XDP_PASS, "xdp/let"), counting("stop", XDP_DROP)))
    (tmp_path / "one.o").write_bytes(elf_object(counting("only", XDP_PASS)))
    host.apply(ETH)
    refused = host.ask("xdp", "attach", "geth1", str(tmp_path / "two.o"))
    assert (refused.exit_status, "it has: let, stop" in refused.errors) == (1, True)
    assert attached(host, "geth1", "far") is None
    host.gpiomux("xdp", "attach", "geth1", str(tmp_path / "two.o"), "--program", "let")
    assert answered()
    relative = os.path.relpath(tmp_path / "one.o", ROOT)
    assert "->" in host.gpiomux("xdp", "attach", "geth1", relative)
    assert answered()
    shown = programs(host)["geth1"]["xdp"]
    assert (shown["program"], shown["name"], shown["ours"]) == (str(tmp_path / "one.o"), "only", True)
    (tmp_path / "one.o").write_bytes(elf_object(verdict("another", XDP_PASS)))
    assert host.ask("status", "--diff").output == f"~ xdp on geth1 (native): {tmp_path}/one.o -> what it says now\n"
    (tmp_path / "one.o").unlink()
    assert host.ask("status", "--diff").output == "nothing to do\n"  # what is loaded goes on


def test_the_key_of_the_configuration(host: Host, tmp_path: Path) -> None:
    (tmp_path / "filter.o").write_bytes(elf_object(counting("only", XDP_PASS)))
    text = with_xdp(with_xdp(ETH, "{program: filter.o, mode: generic}"), "pass", "geth0")
    host.apply(text)
    path = host.file(text)
    assert host.gpiomux("apply", path) == "nothing to do\n"
    assert programs(host)["geth1"]["xdp"]["program"] == str(tmp_path / "filter.o")
    assert answered()
    numbers = attached(host, "geth0"), attached(host, "geth1", "far")
    host.gpiomux("restart", "geth1")
    host.wait_for_carrier()
    assert (attached(host, "geth0"), attached(host, "geth1", "far")) == numbers
    output = host.gpiomux("apply", host.file(with_xdp(ETH, "drop")))
    assert output.splitlines() == [
        f"- xdp {tmp_path}/filter.o on geth1 (generic)",
        "- xdp pass on geth0 (native)",
        "+ xdp drop on geth1 (native)",
    ]
    assert attached(host, "geth0") is None
    host.gpiomux("rollback")
    assert programs(host)["geth0"]["xdp"]["program"] == "pass"
    piped = subprocess.run([GPIOMUX, "plan", "-"], input=text, text=True, capture_output=True)
    assert "<stdin>:3:" in piped.stderr
    assert "the path 'filter.o' is relative" in piped.stderr


@pytest.mark.parametrize(
    ("text", "obstacle"),
    [
        (NET_HDR, "mode net_hdr has a TUN device"),
        (ETH.replace("mode: eth", "mode: eth, rx_ring: 8"), "rx_ring limits what the TAP device holds"),
        (ETH.replace("mode: eth", "mode: eth, mtu: 65000"), "a frame of mtu 65000 does not fit into a page"),
    ],
)
def test_where_native_cannot_be_it_is_refused_and_generic_is_chosen(host: Host, text: str, obstacle: str) -> None:
    host.apply(text)
    refused = host.ask("xdp", "attach", "geth0", "pass", "--mode", "native")
    assert refused.exit_status == 2
    assert obstacle in refused.errors
    chosen = host.ask("xdp", "attach", "geth0", "pass")
    assert chosen.output == "+ xdp pass on geth0 (generic)\n"
    assert f"xdp on geth0 runs generic: {obstacle}" in chosen.errors
    assert host.ask("validate", host.file(with_xdp(text, "{program: pass, mode: native}"))).exit_status == 2


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_a_program_of_iproute2_is_shown_and_left_alone(host: Host, tmp_path: Path, mode: str) -> None:
    (tmp_path / "theirs.o").write_bytes(elf_object(verdict("theirs", XDP_PASS)))
    host.apply(ETH)
    word = {"native": "xdpdrv", "generic": "xdpgeneric"}[mode]
    host.run("ip", "link", "set", "dev", "geth0", word, "obj", str(tmp_path / "theirs.o"), "sec", "xdp")
    standing = attached(host, "geth0")
    assert standing is not None
    shown = programs(host)["geth0"]["xdp"]
    assert (shown["id"], shown["name"], shown["mode"], shown["ours"]) == (standing[1], "theirs", mode, False)
    assert f"theirs, {mode} (id {standing[1]}, tag {shown['tag']}), not by gpiomux" in host.gpiomux("status")
    refused = host.ask("xdp", "attach", "geth0", "drop")
    assert refused.exit_status == 1
    assert f"XDP program theirs (id {standing[1]}, tag {shown['tag']}, {mode}) on geth0 exists" in refused.errors
    assert host.ask("apply", host.file(with_xdp(ETH, "drop", "geth0"))).exit_status == 1
    assert host.ask("xdp", "detach", "geth0").exit_status == 2
    assert host.gpiomux("apply", host.file(ETH)) == "nothing to do\n"
    assert attached(host, "geth0") == standing
    host.run("ip", "link", "set", "dev", "geth0", word, "off")
    host.gpiomux("xdp", "attach", "geth0", "drop", "--mode", mode)
    assert host.ask("xdp", "show", "nowhere").exit_status == 2
    host.run("ip", "link", "set", "dev", "geth0", word, "off")  # somebody takes ours away
    assert host.ask("status", "--diff").output == f"+ xdp drop on geth0 ({mode})\n"
    assert host.gpiomux("apply", "--reset-overlay", host.file(ETH)) == "nothing to do\n"


@pytest.mark.parametrize("tool", LOADERS)
def test_the_loaders_of_others_work_beside_ours(host: Host, tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        assert "CI" not in os.environ, f"{tool} is missing"
        pytest.skip(f"{tool} is not installed")
    (tmp_path / "theirs.o").write_bytes(elf_object(verdict("theirs", XDP_PASS)))
    host.apply(ETH)
    host.gpiomux("xdp", "attach", "geth0", "pass")
    ours = attached(host, "geth0")
    assert ours is not None
    if tool == "bpftool":
        (net,) = json.loads(host.run("bpftool", "--json", "net", "show", "dev", "geth0"))
        assert [(it["devname"], it["mode"], it["id"]) for it in net["xdp"]] == [("geth0", "driver", ours[1])]
        assert json.loads(host.run("bpftool", "--json", "prog", "show", "id", str(ours[1])))["name"] == "gpiomux_pass"
    else:
        assert "gpiomux_pass" in host.run("xdp-loader", "status", "geth0")
    host.gpiomux("xdp", "detach", "geth0")
    pin = tmp_path / "bpf"
    pin.mkdir()
    host.run("mount", "-t", "bpf", "bpf", str(pin))
    try:
        if tool == "bpftool":
            host.run("bpftool", "prog", "load", str(tmp_path / "theirs.o"), str(pin / "theirs"), "type", "xdp")
            host.run("bpftool", "net", "attach", "xdpgeneric", "pinned", str(pin / "theirs"), "dev", "geth0")
        else:
            load = ("load", "--mode", "skb", "--pin-path", str(pin), "geth0", str(tmp_path / "theirs.o"))
            host.run("xdp-loader", *load)
        standing = attached(host, "geth0")
        assert standing is not None
        assert programs(host)["geth0"]["xdp"]["ours"] is False
        assert host.ask("xdp", "attach", "geth0", "drop").exit_status == 1
        assert attached(host, "geth0") == standing
        assert answered()
    finally:
        host.run("umount", str(pin))


def test_the_link_goes_on_while_programs_come_and_go(host: Host) -> None:
    host.apply(ETH)
    before = host.datapaths()
    with Stream("far", "10.10.0.2") as stream:
        for mode in ("native", "generic", "native"):
            for end in ("geth0", "geth1"):
                host.gpiomux("xdp", "attach", end, "pass", "--mode", mode)
        host.gpiomux("xdp", "detach", "geth0")
    assert (stream.lost(), stream.errors) == ([], [])
    assert host.datapaths() == before


def test_a_program_survives_whoever_ends_and_goes_with_its_interface(host: Host) -> None:
    host.apply(with_xdp(ETH, "pass"))
    standing = attached(host, "geth1", "far")
    os.kill(host.status()["daemon"]["pid"], 9)
    assert attached(host, "geth1", "far") == standing
    assert programs(host)["geth1"]["xdp"]["ours"] is True  # a one-shot looks
    os.kill(host.datapaths()["geth1"], 9)
    assert host.gpiomux("apply", host.file(with_xdp(ETH, "pass"))).count("xdp") == 0
    host.wait_for_carrier()
    assert attached(host, "geth1", "far") == standing
    host.run("ip", "link", "del", "geth1", netns="far")
    assert "+ xdp pass on geth1 (native)\n" in host.gpiomux("apply", host.file(with_xdp(ETH, "pass")))
    again = attached(host, "geth1", "far")
    assert again is not None
    assert again != standing
    with namespaces.inside("far"):
        assert attached(host, "geth1") == again


def test_a_child_has_a_program_of_its_own(host: Host) -> None:
    children = "addresses: [10.10.0.2/24], children: [{name: child1, marks: [7], xdp: drop}]"
    host.apply(links_file(mode="eth", far=children))
    assert answered()
    shown = programs(host)
    assert (shown["geth1"]["xdp"], shown["child1"]["xdp"]["mode"]) == (None, "native")
    traffic.send_datagram("10.10.0.2", 9, b"to the child", mark=7)
    host.wait_for(lambda: kept(host, "child1") > 0, "a packet that the program of the child drops")
    assert kept(host) == 0


def test_what_is_attached_is_written_into_the_file(host: Host) -> None:
    host.apply(ETH)
    path = host.file(ETH)
    host.gpiomux("xdp", "attach", "geth0", "pass", "--mode", "generic", "--persist")
    host.gpiomux("xdp", "attach", "geth1", "drop")
    refused = host.ask("apply", path)
    assert "xdp attach geth1 drop" in refused.errors
    host.gpiomux("xdp", "detach", "geth1")
    assert host.gpiomux("apply", path) == "nothing to do\n"
    host.gpiomux("xdp", "detach", "geth0", "--persist")
    assert host.gpiomux("apply", path) == "nothing to do\n"
    assert (host.directory / "links.yaml").read_text() == ETH


def test_a_program_goes_along_when_somebody_moves_or_renames_its_interface(host: Host) -> None:
    text = with_xdp(ETH, "pass", "geth0")
    host.apply(text)
    standing = attached(host, "geth0")
    assert standing is not None
    host.run("ip", "link", "set", "geth0", "down")
    host.run("ip", "link", "set", "geth0", "name", "else0")
    assert attached(host, "else0") == standing
    shown = programs(host)["geth0"]["xdp"]
    assert (shown["id"], shown["ours"]) == (standing[1], True)
    host.gpiomux("apply", host.file(text))
    assert attached(host, "geth0") == standing
    host.run("ip", "link", "set", "geth0", "netns", "far")
    assert attached(host, "geth0", "far") == standing
    assert programs(host)["geth0"]["xdp"]["ours"] is True
    host.gpiomux("apply", host.file(text))
    assert programs(host)["geth0"]["xdp"]["program"] == "pass"
    host.wait_for_carrier()
    assert answered()
