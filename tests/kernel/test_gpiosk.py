"""The line code gpiosk against another implementation of it in C, over the null modem; see gpiosk_peer.c.

A board counts each edge in a hard interrupt handler; the character device has a thread for each line, and what comes
before the thread has run is merged. The virtual CPUs of the test kernel are threads of a shared machine, so that the
thread may be late by any time on another CPU than the sender's. On the same CPU it runs at once, because it has real
time priority; so all of this is kept on one CPU, and there the kernel carries the 64 microseconds of gpiosk.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel import modem
from tests.kernel.test_gpio_links import carry
from tests.wire.test_pulses import FAULTS, PULSES, heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.host import Host

pytestmark = [pytest.mark.kernel, pytest.mark.netns]

INTERVAL_US = 64
SOURCE = Path(__file__).with_name("gpiosk_peer.c")
AFFINITY = Path("/proc/irq/default_smp_affinity")
BYTES = 8192
MAC = "46:45:54:48:30:39"
PAUSE = "." * 300
"""In milliseconds: an idle gap, after which nothing of what was before counts."""
LINK = f"""\
links:
  - name: geth0
    mode: eth
    medium: gpio
    code: {{name: gpiosk, interval_us: {INTERVAL_US}}}
    lines:
      from: [{{chip: {modem.LABELS[0]}, offsets: [7, 8, 1, 11]}}]  # wired to CTL_OUT, DATA_OUT, CTL_IN, DATA_IN
      out: {{ctl: 2, data: 3}}
      in: {{ctl: 0, data: 1}}
    hwid: 1
    up: false
    addresses: [10.10.0.1/24]
"""


@pytest.fixture(scope="module", autouse=True)
def one_cpu() -> Iterator[None]:
    """What this process starts, and interrupts that are made from now on with their threads, is on the first CPU."""
    before, cpus = AFFINITY.read_text(encoding="ascii"), os.sched_getaffinity(0)
    AFFINITY.write_text("1", encoding="ascii")
    os.sched_setaffinity(0, {0})
    replug()
    yield
    AFFINITY.write_text(before, encoding="ascii")
    os.sched_setaffinity(0, cpus)
    replug()


def replug() -> None:
    for end in (0, 1):
        modem.unplug(end)
        modem.plug(end)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The peer, compiled."""
    found = tmp_path_factory.mktemp("gpiosk") / "gpiosk_peer"
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", str(found), str(SOURCE)]
    subprocess.run(command, check=True)
    return found


@contextmanager
def peer(program: Path, what: str, *arguments: str, netns: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """The peer at the other end of the cable, ready."""
    prefix = [] if netns is None else ["ip", "netns", "exec", netns]
    command = [*prefix, str(program), what, str(modem.chip(1)), *arguments]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            threads = [path for path in Path("/proc").glob("[0-9]*/comm") if path.read_text().startswith("irq/")]
            assert {cpu for path in threads for cpu in os.sched_getaffinity(int(path.parent.name))} == {0}
            yield process
        finally:
            process.kill()


@pytest.fixture
def board(host: Host, program: Path) -> Iterator[Host]:
    """A machine with the link, and a board at the other end, whose interface is in the namespace `far`."""
    host.run("ip", "netns", "add", "far")
    try:
        host.apply(LINK)
        host.run("ip", "tuntap", "add", "gsk0", "mode", "tap", "vnet_hdr", netns="far")
        host.run("ip", "link", "set", "gsk0", "mtu", "1486", netns="far")
        host.run("ip", "address", "add", "10.10.0.2/24", "dev", "gsk0", netns="far")
        with peer(program, "bridge", str(INTERVAL_US), "gsk0", netns="far"):
            host.run("ip", "link", "set", "gsk0", "up", netns="far")
            host.run("ip", "link", "set", "geth0", "up")
            yield host
    finally:
        host.ask("down")
        host.run("ip", "netns", "delete", "far")


def counters(host: Host) -> dict[str, int]:
    (link,) = host.stats()["links"]
    found: dict[str, int] = link["counters"]
    return found


def test_pings_of_both_ends_at_once(board: Host) -> None:
    there = ["ip", "netns", "exec", "far", "ping", "-c", "6", "-W", "20", "10.10.0.1"]
    with subprocess.Popen(there, text=True, stdout=subprocess.PIPE) as backwards:
        forwards = board.run("ping", "-c", "6", "-W", "20", "10.10.0.2")
        told, _ = backwards.communicate()
    assert " 0% packet loss" in forwards
    assert " 0% packet loss" in told
    assert board.link("geth0")["peer"]["heard_s"] >= 0


def test_tcp_without_checksums(board: Host, tmp_path: Path) -> None:
    """The peer's kernel leaves its checksums out: nothing would come of it if they were not completed here."""
    carry(tmp_path, BYTES)
    assert counters(board)["rx_checksums_completed"] > 0


def test_faults_of_a_board(host: Host, program: Path) -> None:
    """What a board with a fault sends costs the frame that it was in, or one more, and never another."""
    host.apply(LINK)
    for fault, (pulses, _) in FAULTS.items():
        before = counters(host)["rx_packets"]
        stream = pulses + PULSES * 3
        expected = len(heard(stream).packets)
        assert expected >= 2
        with peer(program, "send", str(INTERVAL_US)) as sender:
            sender.communicate(PAUSE + stream + PAUSE)
        host.wait_for(lambda: counters(host)["rx_packets"] >= before + expected, f"{fault}: {expected} frames")  # noqa: B023
        assert counters(host)["rx_packets"] == before + expected, fault
    assert counters(host)["rx_sequence_errors"] == 0


def test_nothing_that_a_user_does_wedges_a_board(host: Host, program: Path, tmp_path: Path) -> None:
    """The link comes, is started anew while it sends, and goes; the board knows no bounds and recovers from nothing."""
    told = tmp_path / "told"
    with (
        told.open("w") as output,
        subprocess.Popen([str(program), "listen", str(modem.chip(1))], text=True, stdout=output) as listener,
    ):
        host.wait_for(lambda: told.read_text() == "ready\n", "a listener")
        host.apply(LINK)
        host.run("ip", "link", "set", "geth0", "addrgenmode", "none")
        host.run("ip", "link", "set", "geth0", "up")
        host.run("ip", "neighbour", "add", "10.10.0.9", "lladdr", MAC, "dev", "geth0")
        for _ in range(3):
            count = told.read_text().count("\n")
            ping = subprocess.Popen(["ping", "-q", "-i", "0.1", "-s", "400", "10.10.0.9"], stdout=subprocess.DEVNULL)
            try:
                host.wait_for(lambda: told.read_text().count("\n") > count, "a frame")  # noqa: B023
                host.gpiomux("restart", "geth0")
                count = told.read_text().count("\n")
                host.wait_for(lambda: told.read_text().count("\n") > count, "a frame after the restart")  # noqa: B023
            finally:
                ping.kill()
                ping.wait()
        host.gpiomux("down", "geth0")
        listener.kill()
    frames = told.read_text().split()[1:]
    assert "w" not in frames, "wedged"
    assert {frame[:24] for frame in frames} == {MAC.replace(":", "") + "464554483031"}
    assert {len(frame) for frame in frames} == {2 * (14 + 20 + 8 + 400)}
