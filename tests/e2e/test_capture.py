"""Captures of real links: what tshark makes of them with our dissector is what our own decoder says."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests import traffic
from tests.cli import pcapng_reader
from tests.cli.dissector import DISSECTOR, FIELDS, decoded, dissected, need_tshark
from tests.e2e.host import GPIOMUX, LOG, ROOT, links_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

FAR = "10.10.0.2"
PAIR = (ROOT / "configs" / "shm-pair.yaml").read_text()
DAMAGES = {1 << 24 | 4 << 5: "crc", 1 << 25: "length", 1 << 26: "length", 1 << 31: "framing"}
"""By the flags of a frame in the file."""


@pytest.fixture(autouse=True)
def tshark() -> None:
    need_tshark()


@contextmanager
def captured(host: Host, path: Path, link: str = "geth0") -> Iterator[None]:
    """Capture what happens in the block, and a little more."""
    process = subprocess.Popen([GPIOMUX, "capture", link, "-w", path], stderr=subprocess.PIPE, text=True)
    try:
        host.wait_for(lambda: path.exists() and path.stat().st_size, "the capture begins")
        yield
        # What comes later in the file than now was captured later than what the block has done.
        count = len(frames(path))
        host.wait_for(lambda: len(frames(path)) >= count + 4, "hellos go on")
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert (process.returncode, said) == (0, f"gpiomux: {len(frames(path))} frames captured, 0 lost\n")


def frames(path: Path) -> list[tuple[int, str, int, bytes]]:
    """The frames that a file holds, also while it is written: a block is written at once."""
    return pcapng_reader.frames(path.read_bytes())


def hellos(path: Path) -> set[str]:
    """In which directions a file holds hellos."""
    return {direction for _, direction, _, data in frames(path) if data[0] >> 4 == 1}


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("net_hdr", ""),
        ("eth", ""),
        ("net_hdr", ", delivery: datagram"),
        ("net_hdr", ", faults: {flip_rate: 0.0002, seed: 1}"),
    ],
    ids=["net_hdr", "eth", "datagram", "noise"],
)
def test_every_field_of_every_frame(host: Host, tmp_path: Path, mode: str, more: str) -> None:
    path = tmp_path / "links.pcapng"
    delivery = more if "delivery" in more else ""
    host.apply(links_file(mode=mode, near=f"addresses: [10.10.0.1/24]{more}", far=f"addresses: [{FAR}/24]{delivery}"))
    with captured(host, path):
        host.run("ping", "-q", "-c", "3", "-i", "0.2", "-s", "1400", "-m", "7", FAR)
        echoes = traffic.echo(FAR, range(0, 1400, 100))
    expected = [
        [DAMAGES[flags], *[""] * len(FIELDS)] if flags else ["", *decoded(data, datagram=bool(delivery))]
        for _, _, flags, data in frames(path)
    ]
    assert dissected(path, "gpiomux.damage", *FIELDS) == expected
    assert dissected(path, "frame.number", only="_ws.malformed || gpiomux.no_records || gpiomux.unknown_kind") == []
    damaged = any(damage for damage, *_ in expected)
    assert damaged == ("faults" in more)
    if not damaged:
        # All that was sent is there, whole and with its mark, as IP. Noise spoils pings.
        requests = dissected(path, "gpiomux.packet.mark", only="icmp.type == 8")
        marks = [mark for (marks,) in requests for mark in marks.split(",")]
        assert marks.count("0x00000007") == 3
        assert len(marks) >= 3 + len(echoes.round_trips_s)


def test_a_capture_sees_sessions_begin(host: Host, tmp_path: Path) -> None:
    """Positions count anew; packets before and after are put together."""
    path = tmp_path / "links.pcapng"
    host.apply(links_file())
    with captured(host, path):
        host.wait_for(lambda: hellos(path) == {"in", "out"}, "a hello of either end")
        assert traffic.echo(FAR, range(0, 1400, 200)).wrong == []
        host.gpiomux("restart", "geth1")
        host.wait_for_carrier()
        assert traffic.echo(FAR, range(0, 1400, 200)).wrong == []
    assert len({epoch for (epoch,) in dissected(path, "gpiomux.epoch", only="gpiomux.kind == 1")}) == 3
    shown = dissected(path, "icmp.type", only="icmp.type == 8")
    assert sum(len(types.split(",")) for (types,) in shown) == 14
    assert dissected(path, "frame.number", only="_ws.malformed || gpiomux.no_records") == []


def test_a_link_that_goes_ends_a_capture_with_a_whole_file(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "links.pcapng"
    host.apply(links_file())
    with subprocess.Popen([GPIOMUX, "capture", "geth0", "-w", path], stderr=subprocess.PIPE, text=True) as capture:
        host.wait_for(lambda: path.exists() and frames(path), "a frame is captured")
        host.gpiomux("down")
        _, said = capture.communicate()
    assert capture.returncode in (1, 3)
    assert said.startswith(f"gpiomux: {len(frames(path))} frames captured, 0 lost\ngpiomux: ")
    assert pcapng_reader.blocks(path.read_bytes())[-1].kind == pcapng_reader.STATISTICS


def test_tshark_reads_a_capture_without_the_dissector(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "links.pcapng"
    host.apply(links_file())
    said = host.ask("capture", "geth0", "-w", str(path), "--count", "3")
    assert (said.exit_status, said.errors) == (0, "gpiomux: 3 frames captured, 0 lost\n")
    assert host.run("tshark", "-r", str(path), "-T", "fields", "-e", "frame.encap_type").split() == ["45"] * 3
    assert host.run("tshark", "-r", str(path), "-T", "fields", "-e", "frame.interface_name").split() == ["geth0"] * 3


def test_a_pipe_into_tshark(host: Host) -> None:
    host.apply(links_file())
    with subprocess.Popen([GPIOMUX, "capture", "geth0", "-w", "-"], stdout=subprocess.PIPE) as capture:
        words = ["tshark", "-X", f"lua_script:{DISSECTOR}", "-i", "-", "-c", "3"]
        shown = subprocess.run(words, stdin=capture.stdout, text=True, capture_output=True, timeout=60).stdout
        assert capture.stdout is not None
        capture.stdout.close()
    assert capture.returncode == 141
    assert shown.count(" gpiomux ") == 3


def test_debug_output_in_the_log_and_on_the_terminal(host: Host) -> None:
    host.apply(links_file(near="addresses: [10.10.0.1/24], children: [{name: child1, marks: [7]}]"))
    assert "goes into the log" in host.gpiomux("debug", "geth0", "frames")
    host.run("ping", "-q", "-c", "1", "-m", "7", FAR)
    host.wait_for(lambda: "geth0: wire Out hello version 1, net_hdr, " in LOG.read_text(), "a hello in the log")
    assert "geth0: geth0 Out mark 0x7 IP 10.10.0.1 > 10.10.0.2: ICMP echo request, " in LOG.read_text()
    assert host.gpiomux("debug", "geth0", "off") == "geth0: debug output is off\n"
    logged = LOG.read_text()
    with subprocess.Popen([GPIOMUX, "debug", "geth0", "--follow"], stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        with pinging():
            line = next(line for line in following.stdout if "echo reply" in line)
        following.send_signal(signal.SIGINT)
    assert following.returncode == 0
    assert " geth0 In  IP 10.10.0.2 > 10.10.0.1: ICMP echo reply, id " in line
    assert LOG.read_text() == logged


def test_a_restart_switches_debug_output_off(host: Host) -> None:
    host.apply(links_file())
    host.gpiomux("debug", "geth0", "packets")
    assert "'packets'" in host.gpiomux("debug", "geth0")
    host.gpiomux("restart", "geth0")
    assert host.gpiomux("debug", "geth0") == "geth0: debug output is off\n"


def test_a_link_without_frames_of_its_own(host: Host, tmp_path: Path) -> None:
    host.apply(PAIR.replace("/dev/shm/gpiomux-", f"{tmp_path}/"))
    answer = host.ask("capture", "shm0", "-w", str(tmp_path / "x.pcapng"))
    assert answer.exit_status == 1
    assert "a link of medium shm has nothing of the kind frame" in answer.errors
    assert host.ask("debug", "shm0", "frames").exit_status == 1
    host.gpiomux("debug", "shm0", "packets")
    host.run("ping", "-q", "-c", "1", FAR)
    assert "shm0: shm0 In  IP 10.10.0.2 > 10.10.0.1: ICMP echo reply, " in LOG.read_text()


@contextmanager
def pinging() -> Iterator[None]:
    """Pings go to the far end during the block."""
    with subprocess.Popen(["ping", "-q", "-i", "0.2", FAR], stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
