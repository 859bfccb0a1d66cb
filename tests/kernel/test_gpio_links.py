"""Links over real lines: `gpiomux apply` on the null modem, with what a user does and what a user sees."""

from __future__ import annotations

import grp
import json
import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.datapath.privileges import USER_IDS
from gpiomux.wire import frame
from tests.cli import pcapng_reader
from tests.e2e.host import GPIOMUX, LOG
from tests.kernel import chips, modem
from tests.kernel.chips import two_links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.host import Host

pytestmark = [pytest.mark.kernel, pytest.mark.netns]

DIRECT = "direct"
BYTES = 256 * 1024
CYCLES = int(os.environ.get("CYCLES", "5"))
"""Of apply and down. `make test-kernel CYCLES=200 ARGS="-k cycles"` holds gpiomux to more, in 10 to 20 minutes."""
CYCLES_OF_A_TEST = 5


SENDER = """
import socket, sys
with socket.create_connection(("10.10.0.2", 7000), timeout=300) as sock, open(sys.argv[1], "rb") as file:
    sock.sendfile(file)
"""
RECEIVER = """
import socket, sys
with socket.create_server(("10.10.0.2", 7000)) as server, open(sys.argv[1], "wb") as file:
    print("ready", flush=True)
    server.settimeout(300)
    sock, _ = server.accept()
    while piece := sock.recv(65536):
        file.write(piece)
"""


def carry(directory: Path, count: int) -> None:
    """Send bytes by TCP from here to the namespace `far`, and compare them."""
    sent, received = directory / "sent", directory / "received"
    sent.write_bytes(os.urandom(count))
    far = ["ip", "netns", "exec", "far", sys.executable, "-c", RECEIVER, str(received)]
    with subprocess.Popen(far, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        subprocess.run([sys.executable, "-c", SENDER, str(sent)], check=True)
        assert server.wait() == 0
    assert received.read_bytes() == sent.read_bytes()


def test_a_file_of_two_links_is_applied(host: Host, door: str, multiple: bool, tmp_path: Path) -> None:
    text = two_links()
    planned = host.ask("plan", host.file(text)).output
    assert "+ chip of geth0 (20 lines: null-modem.0)" in planned
    assert host.apply(text) == planned
    assert host.gpiomux("plan", host.file(text)) == "nothing to do\n"
    for end, link in enumerate(("geth0", "geth1")):
        (device,) = chips.consumers(modem.LABELS[end])
        lines = chips.chip(device).lines
        assert {line.consumer for line in lines} == {f"gpiomux-{link}"}
        assert [line.output for line in lines] == [True] * 10 + [False] * 10
        if door == "configfs":
            names = [f"{link}-out-data{bit}" for bit in range(8)] + [f"{link}-out-req", f"{link}-in-ack"]
            names += [f"{link}-in-data{bit}" for bit in range(8)] + [f"{link}-in-req", f"{link}-out-ack"]
            assert [line.name for line in lines] == names
    told = json.loads(host.gpiomux("chips", "--json"))["chips"]
    assert {chip["link"] for chip in told} == {"geth0", "geth1", None}
    (near,) = (chip for chip in told if chip["label"] == modem.LABELS[0])
    assert [line["link"] for line in near["lines"]] == ["geth0"] * 10 + [None] * 6 + ["geth0"] * 10 + [None] * 6
    host.run("ping", "-c", "3", "-w", "120", "10.10.0.2")
    (info,) = (line for line in host.gpiomux("info", "geth0").splitlines() if line.startswith("chip: "))
    assert info in [f"chip: {chip['node']} [{chip['label']}]" for chip in told if chip["link"] == "geth0"]
    host.gpiomux("down")
    assert chips.aggregators() == []
    assert chips.consumers(modem.LABELS[0]) == set()


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_packets_cross_at_every_width(host: Host, width: int) -> None:
    host.apply(two_links(width=width))
    host.run("ping", "-c", "2", "-w", "120", "-s", "200", "10.10.0.2")


def test_frames_and_packets_are_seen_as_they_cross(host: Host, tmp_path: Path) -> None:
    host.apply(two_links(width=2))
    host.gpiomux("debug", "geth0", "packets")
    path = tmp_path / "geth0.pcapng"
    kinds = set(product(("in", "out"), (frame.Hello, frame.Data, frame.Ack)))
    with subprocess.Popen([GPIOMUX, "capture", "geth0", "-w", path], stderr=subprocess.PIPE, text=True) as capture:
        try:
            host.wait_for(lambda: path.exists() and path.stat().st_size, "the capture begins")
            host.run("ping", "-c", "1", "-m", "7", "-w", "120", "10.10.0.2")
            host.wait_for(lambda: kinds_in(path) >= kinds, "frames of each kind, both ways")
        finally:
            capture.send_signal(signal.SIGINT)
        assert capture.stderr is not None
        assert capture.stderr.read().endswith(" frames captured, 0 lost\n")
    assert kinds_in(path) == kinds
    assert "geth0: geth0 Out mark 0x7 IP 10.10.0.1 > 10.10.0.2: ICMP echo request, " in LOG.read_text()


def kinds_in(path: Path) -> set[tuple[str, type]]:
    """Directions and kinds of the whole frames in a capture."""
    captured = pcapng_reader.frames(path.read_bytes())
    return {(direction, type(frame.decode(data))) for _, direction, flags, data in captured if not flags}


def counted(host: Host, link: str) -> dict[str, int]:
    """What a datapath has counted of its lines."""
    (found,) = (found for found in host.stats()["links"] if found["name"] == link)
    return dict(found["line"])


def test_the_way_of_waiting_and_a_path_mtu_change_on_running_lines(host: Host) -> None:
    host.apply(two_links())
    before = host.datapaths()
    host.gpiomux("set-poll", "geth0", "irq")
    first = counted(host, "geth0")
    host.run("ping", "-c", "2", "-w", "120", "10.10.0.2")
    then = counted(host, "geth0")
    assert then["sleeps"] > first["sleeps"]
    assert then["interrupts"] > first["interrupts"]
    host.gpiomux("set-poll", "geth0", "busy")
    first = counted(host, "geth0")
    host.run("ping", "-c", "2", "-w", "120", "10.10.0.2")
    assert counted(host, "geth0")["sleeps"] == first["sleeps"]
    host.gpiomux("set-poll", "geth0", "auto", "--idle", "2000")
    host.gpiomux("set-pmtu", "geth0", "7", "576")
    host.run("ping", "-c", "1", "-m", "7", "-M", "dont", "-s", "700", "-w", "120", "10.10.0.2")
    told = subprocess.run(
        ["ping", "-c", "1", "-m", "7", "-M", "do", "-s", "700", "-w", "120", "10.10.0.2"],
        text=True,
        capture_output=True,
    )
    assert "mtu = 576" in told.stdout, told
    assert host.datapaths() == before


@pytest.mark.parametrize(
    ("way", "together", "count"), [("configfs", False, BYTES), ("sysfs", True, BYTES), (DIRECT, True, BYTES // 8)]
)
def test_tcp_carries_every_byte(
    host: Host, way: str, together: bool, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On chips that set their lines one by one, and on chips that set them together."""
    if way != DIRECT:
        monkeypatch.setenv("GPIOMUX_AGGREGATOR", way)
    with modem.replugged(multiple=together):
        host.apply(two_links(aggregate=way != DIRECT))
        assert bool(chips.aggregators()) == (way != DIRECT)
        carry(tmp_path, count)
        host.gpiomux("down")


def test_a_device_of_the_device_tree_is_bound_and_given_back(host: Host) -> None:
    text = two_links()
    for name, label in (("near", modem.LABELS[0]), ("far", modem.LABELS[1])):
        text = text.replace(f'from: [{{chip: {label}, offsets: "0-9,16-25"}}]', f"device: {name}")
    assert "+ chip of geth0 (device near)" in host.apply(text)
    assert {line.consumer for line in chips.chip("near").lines} == {"gpiomux-geth0"}
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")
    assert host.gpiomux("plan", host.file(text)) == "nothing to do\n"
    host.gpiomux("down")
    for name in ("near", "far"):
        assert not (chips.DEVICES / name / "driver").exists()
        assert (chips.DEVICES / name / "driver_override").read_text() == "(null)\n"


def test_settings_of_lines_reach_them(host: Host) -> None:
    """Both ends say 1 by the low level."""
    host.apply(two_links(settings=', active_low: "0-19", idle: keep'))
    (device,) = chips.consumers(modem.LABELS[0])
    assert all(line.active_low for line in chips.chip(device).lines)
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")


def test_who_may_open_a_chip(host: Host) -> None:
    """A user of the group opens the chip of that link and no other; a change of the file needs no new chip."""
    group = grp.getgrgid(65534).gr_name
    text = two_links(near=f', access: {{group: {group}, mode: "0660"}}')
    host.apply(text)
    nodes = {link: f"/dev/{_node(link, end)}" for end, link in enumerate(("geth0", "geth1"))}

    def opens(node: str) -> bool:
        code = "import os, sys; os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65533, 65533, 65533)"
        done = subprocess.run([sys.executable, "-c", f"{code}; os.open(sys.argv[1], os.O_RDWR)", node])
        return done.returncode == 0

    sources = [str(modem.chip(end)) for end in (0, 1)]
    assert [opens(node) for node in (nodes["geth0"], nodes["geth1"], *sources)] == [True, False, False, False]
    processes = host.datapaths()
    users = set()
    for pid in processes.values():
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        (user,) = {int(one) for name in ("Uid", "Gid") for one in fields[name].split()}
        assert user in USER_IDS
        users.add(user)
        assert fields["Groups"].split() == []
        assert [int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
        assert fields["NoNewPrivs"].strip() == "1"
    assert len(users) == len(processes), "each has a user of its own"
    changed = text.replace('"0660"', '"0600"')
    output = host.gpiomux("apply", host.file(changed))
    assert output.startswith("~ chip of geth0: ")
    assert not opens(nodes["geth0"])
    assert host.datapaths() == processes


def _node(link: str, end: int) -> str:
    (device,) = chips.consumers(modem.LABELS[end])
    return chips.chip(device).node.name


@pytest.fixture
def daemon(host: Host) -> Iterator[int]:
    """A daemon that stays when there are no links, as systemd starts it; its process id."""
    with subprocess.Popen([Path(sys.executable).with_name("gpiomuxd")]) as process:
        host.wait_for(lambda: host.status()["daemon"], "a daemon")
        yield process.pid
        process.terminate()


@pytest.mark.parametrize("first", range(0, CYCLES, CYCLES_OF_A_TEST))
def test_cycles_leave_nothing(host: Host, daemon: int, first: int) -> None:
    """No chip, line or descriptor; the fixture of all tests looks for processes and interfaces."""
    path = host.file(two_links())

    def descriptors() -> list[int]:
        return [len(os.listdir(f"/proc/{process}/fd")) for process in ("self", daemon)]

    def cycle() -> None:
        host.gpiomux("apply", path)
        host.gpiomux("down")
        assert chips.aggregators() == []
        for label in modem.LABELS:
            assert chips.consumers(label) == set()

    cycle()  # what is opened once and for all is open now, and perhaps the connection of the last command
    before = descriptors()
    for _ in range(1, CYCLES_OF_A_TEST):
        cycle()
    host.wait_for(
        lambda: all(now <= then for now, then in zip(descriptors(), before, strict=True)), "all descriptors are closed"
    )
