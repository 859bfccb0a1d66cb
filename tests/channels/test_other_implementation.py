"""Our reader and writer against a peer in C that was written from the format's description alone."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.channels.fence import fence_of
from gpiomux.channels.reader import ChannelReader, Outcome
from gpiomux.channels.writer import ChannelWriter
from gpiomux.wire.elements import HEADER_BYTES, LAYOUTS
from gpiomux.wire.packet import Packet

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("shmstream_peer.c")
PROTOCOL = 0xBEEFBEEFBEEF
SAMPLE = bytes.fromhex(
    "6d9b9ab7b6127348 0100000000000000 efbeefbeefbe0000 0200000000000000"
    "0800000000000000 0000000000000000 0a00000000000000 0900000000000000"
)
"""The header that the specification shows: epoch 1, 8 elements of 2 bytes, 9 of them written, the tenth begun."""
little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the sample is that of such a machine")
IPV4 = bytes.fromhex("45000017 00004000 40110000 0a000001 0a000002") + b"abc"
FRAME = bytes(12) + b"\x08\x00" + IPV4


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The peer, compiled."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        if "CI" in os.environ:
            pytest.fail("no C compiler: install gcc")
        pytest.skip("no C compiler")
    path = tmp_path_factory.mktemp("peer") / "shmstream_peer"
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", path, SOURCE], check=True)
    return path


class Peer:
    """The C program on one channel file, and the same file as we map it."""

    def __init__(self, program: Path, path: Path, size_bytes: int) -> None:
        path.write_bytes(bytes(size_bytes))
        with path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        self._process = subprocess.Popen([program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, command: str) -> str:
        """Its answer to a command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    def close(self) -> None:
        self._process.communicate()
        self.memory.close()


@pytest.fixture
def peer(program: Path, tmp_path: Path) -> Iterator[Peer]:
    """A channel of 8 elements of 2 bytes."""
    peer = Peer(program, tmp_path / "channel", HEADER_BYTES + 16)
    yield peer
    peer.close()


@pytest.fixture
def reader(peer: Peer) -> Iterator[ChannelReader]:
    reader = ChannelReader(memoryview(peer.memory), PROTOCOL, fence_of())
    yield reader
    reader.close()


@pytest.fixture
def writer(peer: Peer) -> Iterator[ChannelWriter]:
    writer = ChannelWriter(memoryview(peer.memory), fence_of())
    yield writer
    writer.close()


def test_we_read_what_it_writes(peer: Peer, reader: ChannelReader) -> None:
    assert reader.read() is Outcome.INACTIVE
    assert peer.say(f"start {PROTOCOL:x} 2 7") == "elements 8"
    peer.say("write 0102")
    assert reader.read() is Outcome.EPOCH_CHANGED
    assert (reader.epoch, reader.element_bytes, reader.elements) == (7, 2, 8)
    assert [reader.read(), reader.read()] == [b"\x01\x02", Outcome.NO_DATA]
    for number in range(9):
        peer.say(f"write {number:02x}")
    assert [reader.read(), reader.read()] == [Outcome.OVERRUN, Outcome.NO_DATA]
    peer.say("stop")
    assert reader.read() is Outcome.INACTIVE
    peer.say(f"start {PROTOCOL:x} 4 8")
    peer.say("write 01020304")
    assert [reader.read(), reader.read()] == [Outcome.EPOCH_CHANGED, b"\x01\x02\x03\x04"]
    peer.say("start 13 2 9")
    assert reader.read() is Outcome.INCOMPATIBLE
    assert reader.fault == "peer writes 0x13, this link reads 0xbeefbeefbeef"


def test_it_reads_what_we_write(peer: Peer, writer: ChannelWriter) -> None:
    assert peer.say(f"read {PROTOCOL:x}") == "inactive"
    assert writer.start(protocol=PROTOCOL, element_bytes=2, epoch=7)
    assert peer.say("read 13") == "incompatible"
    assert peer.say(f"read {PROTOCOL:x}") == "epoch 2 8"
    assert peer.say(f"read {PROTOCOL:x}") == "none"
    for number in range(8):
        writer.write(bytes((1, number)))
    assert [peer.say(f"read {PROTOCOL:x}") for _ in range(9)] == [*(f"data 01{n:02x}" for n in range(8)), "none"]
    for _ in range(9):
        writer.write(b"hi")
    assert [peer.say(f"read {PROTOCOL:x}") for _ in range(2)] == ["overrun", "none"]
    writer.start(protocol=PROTOCOL, element_bytes=4, epoch=8)
    writer.write(b"more")
    assert [peer.say(f"read {PROTOCOL:x}") for _ in range(2)] == ["epoch 4 4", f"data {b'more'.hex()}"]
    writer.stop()
    assert peer.say(f"read {PROTOCOL:x}") == "inactive"


@little_endian
def test_the_sample_of_the_specification_byte_for_byte(peer: Peer, reader: ChannelReader) -> None:
    peer.say(f"start {PROTOCOL:x} 2 1")
    for number in range(9):
        peer.say(f"write {number:02x}{number:02x}")
    peer.say("begin")
    assert peer.memory[:HEADER_BYTES] == SAMPLE
    assert reader.read() is Outcome.EPOCH_CHANGED
    assert reader.read() is Outcome.OVERRUN, "the ninth lies where the first was, the tenth where the second was"


@little_endian
def test_we_write_the_same_header(peer: Peer, writer: ChannelWriter) -> None:
    writer.start(protocol=PROTOCOL, element_bytes=2, epoch=1)
    for number in range(9):
        writer.write(bytes((number, number)))
    peer.say("begin")
    assert peer.memory[:HEADER_BYTES] == SAMPLE


@pytest.mark.parametrize(
    ("mode", "packet"),
    [("net_hdr", Packet(7, IPV4)), ("eth", Packet(0, FRAME)), ("raw", Packet(0, b"\x88\xb5abcd"))],
)
def test_packets_of_each_mode_come_back_through_it(program: Path, tmp_path: Path, mode: str, packet: Packet) -> None:
    size_bytes = LAYOUTS[mode].element_bytes(100)
    element = LAYOUTS[mode].encode(packet, size_bytes)
    assert element is not None
    out, into = (Peer(program, tmp_path / name, HEADER_BYTES + 4 * size_bytes) for name in ("out", "in"))
    writer = ChannelWriter(memoryview(out.memory), fence_of())
    reader = ChannelReader(memoryview(into.memory), PROTOCOL, fence_of())
    writer.start(protocol=PROTOCOL, element_bytes=size_bytes, epoch=1)
    writer.write(element)
    out.say(f"read {PROTOCOL:x}")
    word, data = out.say(f"read {PROTOCOL:x}").split()
    assert word == "data"
    into.say(f"start {PROTOCOL:x} {size_bytes} 1")
    into.say(f"write {data}")
    reader.read()
    back = reader.read()
    assert back == element
    writer.close()
    reader.close()
    out.close()
    into.close()
