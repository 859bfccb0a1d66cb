"""A real TAP interface that does not take what arrives, because the bridge behind it is slower."""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.model import Mode
from gpiomux.datapath.interfaces import Interfaces, Member
from gpiomux.lines.wire_file import make_wire
from gpiomux.netdev.marks import prepare_port
from gpiomux.netdev.ports import open_port
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import PACKET_OVERHEAD_BYTES, open_tun, set_send_buffer
from gpiomux.rundir import RunDir
from gpiomux.wire.packet import Packet
from tests.datapath.running import MTU, PATIENCE_S, Datapath, started_with

if TYPE_CHECKING:
    from pathlib import Path

TUNGETSNDBUF = 0x800454D3
"""linux/if_tun.h"""
RING = 8
OTHER_MTU = 9000
PACKETS = 100
ETHERTYPE = 0x88B5
"""For experiments (IEEE 802)."""
HEAD = bytes.fromhex("020000000002 020000000001 88b5")
"""To nobody whom the bridge knows: it then passes the packet itself on, not a copy."""
SLOW = (
    "link add bridge0 type bridge forward_delay 0",
    "link add slow0 type veth peer name slow1",
    "link set slow1 up",
    "link set tap0 master bridge0",
    "link set slow0 master bridge0",
    "link set bridge0 up",
    "link set slow0 up",
)


def make_slow_bridge() -> None:
    """Join `tap0` with `slow0`, which passes 4 Mbit/s on to `slow1`."""
    commands = [["ip", *line.split()] for line in SLOW]
    commands.append("tc qdisc add dev slow0 root tbf rate 4mbit burst 4000 limit 10000000".split())
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{' '.join(command)}: {done.stderr.strip()}")


@pytest.mark.netns
def test_packets_wait_for_a_slow_bridge_and_arrive_in_order() -> None:
    handles = prepare_port("tap0", "tap", None, open_tun("tap0", "tap", None))
    with Rtnl(None) as rtnl:
        rtnl.set_up("tap0", True)
    set_send_buffer(handles.fds[0], RING * (1500 + PACKET_OVERHEAD_BYTES))
    member = Member("tap0", open_port(handles.method, handles.kind, handles.fds))
    interfaces = Interfaces(select.poll(), Mode.ETH, member, rx_ring=RING)
    try:
        make_slow_bridge()
        interfaces.set_carrier(True)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE)) as far:
            far.bind(("slow1", ETHERTYPE))
            far.settimeout(PATIENCE_S)
            wait_until_it_crosses(interfaces, far)
            for number in range(PACKETS):
                interfaces.deliver(Packet(0, HEAD + number.to_bytes(2, "big") + bytes(1400)))
            assert interfaces.full
            assert member.counters.rx_dropped == 0
            arrived: list[int] = []
            while len(arrived) < PACKETS:
                interfaces.offer_again()
                arrived.append(int.from_bytes(far.recv(2000)[14:16], "big"))
            assert arrived == list(range(PACKETS))
            assert interfaces.waiting == 0
    finally:
        interfaces.close()


@pytest.mark.netns
@pytest.mark.parametrize("ring", [None, RING])
def test_a_datapath_limits_what_its_interface_holds(tmp_path: Path, ring: int | None) -> None:
    """Only where it is asked to: the limit costs native XDP."""
    rundir = RunDir(tmp_path)
    make_wire(rundir.wire("cable0"))
    with Datapath(tmp_path / "a.sock") as datapath, started_with("geth0", "a", rundir) as (message, fds):
        if ring is not None:
            message["transport"]["rx_ring"] = ring
        datapath.ask("start", fds, **message)
        limits_bytes = [send_buffer(fds[0])]
        datapath.ask("mtu", mtu=OTHER_MTU)
        limits_bytes.append(send_buffer(fds[0]))
    if ring is None:
        assert limits_bytes == [2**31 - 1] * 2
    else:
        assert limits_bytes == [ring * (mtu + PACKET_OVERHEAD_BYTES) for mtu in (MTU, OTHER_MTU)]


def send_buffer(fd: int) -> int:
    """The limit of a TUN or TAP device in bytes."""
    (limit_bytes,) = struct.unpack("i", fcntl.ioctl(fd, TUNGETSNDBUF, bytes(4)))
    assert isinstance(limit_bytes, int)
    return limit_bytes


def wait_until_it_crosses(interfaces: Interfaces, far: socket.socket) -> None:
    """The bridge takes a moment to use its ports."""
    give_up = time.monotonic() + PATIENCE_S
    far.settimeout(0.05)
    while time.monotonic() < give_up:
        interfaces.deliver(Packet(0, HEAD + b"\xff\xff" + bytes(60)))
        try:
            far.recv(2000)
        except TimeoutError:
            continue
        break
    while True:  # what was on its way
        try:
            far.recv(2000)
        except TimeoutError:
            break
    far.settimeout(PATIENCE_S)
