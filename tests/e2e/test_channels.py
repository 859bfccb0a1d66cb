"""Links over SHMStream channels: packets of each mode, marks, and what is said of peers that do not fit."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.channels.fence import no_fence
from gpiomux.channels.reader import ChannelReader, Outcome
from gpiomux.channels.writer import ChannelWriter
from tests import namespaces, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

PAIR = (Path(__file__).parents[2] / "configs" / "shm-pair.yaml").read_text()
NEAR, FAR = "10.10.0.1", "10.10.0.2"
HEADER_BYTES = 64
ELEMENT_BYTES = 1508
"""Of mode net_hdr with an MTU of 1500."""


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    """A directory of the test's own for channels."""
    path = tmp_path / "shm"
    path.mkdir()
    return path


def pair(shm: Path, *, mode: str = "net_hdr", near: str = "", far: str = "") -> str:
    """The example with its channels elsewhere, in any mode, with further keys for either link."""
    text = PAIR.replace("/dev/shm/gpiomux-", f"{shm}/").replace("mode: net_hdr", f"mode: {mode}")
    first, second = text.split("  - name: shm1")
    return f"{first.rstrip()}\n    {near}\n\n  - name: shm1{second.rstrip()}\n    {far}\n"


def small(shm: Path) -> str:
    """The example with channels of four elements."""
    return pair(shm).replace("channels: {", "channels: {elements: 4, ")


@pytest.mark.parametrize(
    ("mode", "address"), [("net_hdr", FAR), ("net_hdr", "fd00:10::2"), ("eth", FAR)], ids=["ipv4", "ipv6", "eth"]
)
def test_payloads_of_all_sizes_come_back(host: Host, shm: Path, mode: str, address: str) -> None:
    host.apply(pair(shm, mode=mode))
    assert traffic.echo(address, range(0, 1473, 7)).wrong == []
    with namespaces.inside("far"):
        assert traffic.echo(NEAR, (0, 1472)).wrong == []


def test_the_second_apply_does_nothing_and_down_leaves_nothing(host: Host, shm: Path) -> None:
    host.apply(pair(shm))
    before = host.datapaths()
    host.gpiomux("apply", host.file(pair(shm)))
    assert host.ask("plan", host.file(pair(shm))).exit_status == 0
    assert host.datapaths() == before
    assert sorted(os.listdir(shm)) == ["a", "b"]
    host.gpiomux("down")
    assert os.listdir(shm) == []


def test_a_file_that_was_there_is_used_and_stays(host: Host, shm: Path) -> None:
    (shm / "a").write_bytes(bytes(HEADER_BYTES + 10 * ELEMENT_BYTES))
    host.apply(pair(shm))
    assert host.link("shm1")["peer"]["elements"] == 10
    assert traffic.echo(FAR, (0, 1000)).wrong == []
    host.gpiomux("down")
    assert os.listdir(shm) == ["a"]


def test_marks_choose_the_child(host: Host, shm: Path) -> None:
    child = "children: [{name: %s, marks: [7], addresses: [%s]}]"
    host.apply(pair(shm, near=child % ("c0", "10.10.7.1/24"), far=child % ("c1", "10.10.7.2/24")))
    assert traffic.echo("10.10.7.2", (0, 100, 1400)).wrong == []
    (far,) = (link for link in host.stats()["links"] if link["name"] == "shm1")
    assert far["interfaces"]["c1"]["rx_packets"] >= 3


def test_another_mtu_begins_a_new_stream_and_no_process(host: Host, shm: Path) -> None:
    host.apply(pair(shm))
    before = host.datapaths()
    host.apply(pair(shm, near="mtu: 9000", far="mtu: 9000"))
    assert host.datapaths() == before
    host.wait_for(lambda: host.link("shm0")["peer"]["element_bytes"] == 9008, "larger elements")
    assert traffic.echo(FAR, (8000, 8972)).wrong == []


def test_a_datapath_that_is_killed_comes_back_with_a_new_epoch(host: Host, shm: Path) -> None:
    host.apply(pair(shm))
    epoch = host.link("shm0")["peer"]["epoch"]
    os.kill(host.datapaths()["shm1"], signal.SIGKILL)
    host.wait_for(lambda: (host.link("shm0")["peer"] or {}).get("epoch") not in (None, epoch), "a new epoch")
    host.wait_for_carrier()
    assert traffic.echo(FAR, (0, 1000)).wrong == []


ALONE = """
links:
  - name: shm0
    mode: net_hdr
    medium: shm
    channels: {{out: {shm}/a, in: {shm}/b}}
    protocol: {{reader: 0x12, writer: 0x8}}
    addresses: [10.10.0.1/24]
"""


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        yield memory


@contextmanager
def writing(memory: mmap.mmap) -> Iterator[ChannelWriter]:
    writer = ChannelWriter(memoryview(memory), no_fence)
    try:
        yield writer
    finally:
        writer.close()


def says(host: Host, reason: str) -> None:
    host.wait_for(lambda: host.link("shm0")["reason"] == reason, f"the reason {reason!r}")
    assert host.link("shm0")["carrier"] == (reason == "")


def test_a_peer_that_does_not_fit_is_named(host: Host, shm: Path) -> None:
    host.gpiomux("apply", host.file(ALONE.format(shm=shm)))
    says(host, "nobody writes the channel that this link reads")
    with mapped(shm / "b") as memory, writing(memory) as writer:
        writer.start(protocol=0x13, element_bytes=ELEMENT_BYTES, epoch=1)
        says(host, "peer writes 0x13, this link reads 0x12")
        writer.start(protocol=0x12, element_bytes=ELEMENT_BYTES, epoch=2)
        says(host, "")
        writer.stop()
        says(host, "nobody writes the channel that this link reads")
        writer.start(protocol=0x12, element_bytes=ELEMENT_BYTES, epoch=3)
        says(host, "")
        struct.pack_into("=Q", memory, 32, 2**63)
        struct.pack_into("=Q", memory, 8, 4)
        bounds = f"elements of {ELEMENT_BYTES} bytes in a channel of {len(memory)} bytes"
        says(host, f"peer states {2**63} {bounds}")
    counters = host.stats()["links"][0]["counters"]
    # Between two streams the channel is inactive for a moment, which is seen or not.
    assert counters["rx_incompatible"] == 2
    assert counters["peer_stops"] >= 1
    assert counters["peer_restarts"] == 1


def test_a_writer_that_comes_round_is_counted(host: Host, shm: Path) -> None:
    (shm / "b").write_bytes(bytes(HEADER_BYTES + 4 * ELEMENT_BYTES))
    host.gpiomux("apply", host.file(ALONE.format(shm=shm)))
    with mapped(shm / "b") as memory, writing(memory) as writer:
        writer.start(protocol=0x12, element_bytes=ELEMENT_BYTES, epoch=1)
        says(host, "")
        datapath = host.datapaths()["shm0"]
        os.kill(datapath, signal.SIGSTOP)
        for _ in range(5):
            writer.write(bytes(ELEMENT_BYTES))
        os.kill(datapath, signal.SIGCONT)
        host.wait_for(lambda: host.stats()["links"][0]["counters"]["rx_overruns"] == 1, "an overrun")
        writer.write(bytes(ELEMENT_BYTES))
        host.wait_for(lambda: host.stats()["links"][0]["counters"]["rx_length_errors"] == 1, "an element of zeros")


def test_a_full_channel_makes_the_writer_wait(host: Host, shm: Path) -> None:
    host.apply(small(shm))
    assert traffic.echo(FAR, range(1200), outstanding=50).wrong == []
    for link in host.stats()["links"]:
        assert link["counters"]["rx_overruns"] == 0


def test_a_reader_that_stands_still_holds_nobody_up_for_long(host: Host, shm: Path) -> None:
    host.apply(small(shm))
    peer = host.datapaths()["shm1"]
    before = host.stats()["links"][0]["counters"]["tx_packets"]
    os.kill(peer, signal.SIGSTOP)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(20):
                sock.sendto(b"hello", (FAR, 9))
        host.wait_for(
            lambda: host.stats()["links"][0]["counters"]["tx_packets"] >= before + 20, "packets that nobody reads"
        )
    finally:
        os.kill(peer, signal.SIGCONT)
    host.wait_for(lambda: host.stats()["links"][1]["counters"]["rx_overruns"] == 1, "an overrun")
    assert traffic.echo(FAR, (56,)).wrong == []


def test_a_peer_that_scribbles_harms_nobody(host: Host, shm: Path) -> None:
    host.gpiomux("apply", host.file(ALONE.format(shm=shm)))
    before = host.datapaths()
    with mapped(shm / "b") as memory, writing(memory) as writer:
        for number in range(2000):
            words = (0x487312B6B79A9B6D, number, 0x12, number, number % 50, 0, number * 3, number * 2)
            memory[:HEADER_BYTES] = os.urandom(HEADER_BYTES) if number % 2 else struct.pack("=8Q", *words)
            memory[HEADER_BYTES:200] = os.urandom(200 - HEADER_BYTES)
        writer.start(protocol=0x12, element_bytes=ELEMENT_BYTES, epoch=2**63)
        says(host, "")
    assert host.datapaths() == before


def test_what_leaves_is_what_a_reader_of_muennet_expects(host: Host, shm: Path) -> None:
    host.gpiomux("apply", host.file(ALONE.format(shm=shm)))
    with mapped(shm / "b") as peer, writing(peer) as writer, mapped(shm / "a") as memory:
        writer.start(protocol=0x12, element_bytes=ELEMENT_BYTES, epoch=1)
        says(host, "")
        reader = ChannelReader(memoryview(memory), 0x8, no_fence)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"hello", (FAR, 9))
        datagrams: list[bytes] = []

        def come() -> bool:
            while not isinstance(element := reader.read(), Outcome) or element is Outcome.EPOCH_CHANGED:
                if isinstance(element, bytes) and element[8] == 0x45 and element[8 + 9] == socket.IPPROTO_UDP:
                    datagrams.append(element)
            return bool(datagrams)

        host.wait_for(come, "the datagram in the channel")
        reader.close()
    (element,) = datagrams
    assert struct.unpack_from("=IHBB", element) == (0, 33, 4, 0)
    assert element[8 + 28 : 8 + 33] == b"hello"
    assert element[8 + 33 :] == bytes(ELEMENT_BYTES - 41)
