"""Packets at a rate, through a real TUN interface: what is sent comes out of it, and what cannot be is said."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from gpiomux.errors import MachineError
from gpiomux.netdev.paced import Way, send_paced
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import open_tun, set_carrier
from tests import namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns

NUMBERED = [bytes([number]) * (20 + number) for number in range(10)]
WAY = Way(interface="tun0", netns=None, ethertype=0x88B5, destination=b"", mark=0)
LATE_S = 1000.0
"""So late that nothing has to wait for its time."""


@pytest.fixture
def tun() -> Iterator[int]:
    """A TUN interface with protocol information, which is up: reading it gives what leaves through it."""
    fd = open_tun("tun0", "tun-pi", None)
    set_carrier(fd, True)
    with Rtnl(None) as rtnl:
        rtnl.set_up("tun0", True)
    yield fd
    os.close(fd)


def leaving(tun: int) -> list[bytes]:
    """All packets of ours that wait in the interface."""
    found: list[bytes] = []
    while True:
        try:
            packet = os.read(tun, 70_000)
        except BlockingIOError:
            return [packet[4:] for packet in found if packet[2:4] == b"\x88\xb5"]
        found.append(packet)


def test_all_that_is_due_goes_out_in_order(tun: int) -> None:
    sent = send_paced(WAY, NUMBERED, 100, LATE_S)
    assert (sent.packets, sent.bytes, sent.refused) == (10, sum(map(len, NUMBERED)), 0)
    assert 0 < sent.first_s <= sent.last_s
    assert leaving(tun) == NUMBERED


def test_what_is_not_due_is_left_for_the_next_turn(tun: int) -> None:
    assert send_paced(WAY, NUMBERED, 1, 0.0).packets == 1
    assert leaving(tun) == NUMBERED[:1]


def test_packets_that_lie_within_the_turn_wait_for_their_time(tun: int) -> None:
    """Of the first three at 100 a second the last is due 20 ms after the first, and is not sent before."""
    sent = send_paced(WAY, NUMBERED[:3], 100, 0.0)
    assert sent.packets == 3
    assert sent.last_s - sent.first_s >= 0.019
    assert leaving(tun) == NUMBERED[:3]


def test_the_mark_is_on_the_packets(tun: int) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as watcher:
        watcher.bind(("tun0", 3))
        watcher.setsockopt(socket.SOL_SOCKET, 75, 1)  # SO_RCVMARK
        watcher.settimeout(30)
        send_paced(Way(interface="tun0", netns=None, ethertype=0x88B5, destination=b"", mark=0xF000), [b"x"], 1, 0.0)
        while True:
            data, control, _, (_, protocol, *_) = watcher.recvmsg(100, 100)
            if protocol == 0x88B5:
                break
    marks = [struct.unpack("I", content)[0] for _, kind, content in control if kind == socket.SO_MARK]
    assert (data, marks) == (b"x", [0xF000])


def test_an_interface_in_another_namespace() -> None:
    namespaces.NETNS_DIRECTORY.mkdir(exist_ok=True)
    with pytest.raises(MachineError) as caught:
        send_paced(Way(interface="tun0", netns="nowhere", ethertype=1, destination=b"", mark=0), [b"x"], 1, 0.0)
    assert caught.value.errno == errno.ENOENT


def test_an_interface_that_is_down(tun: int) -> None:
    with Rtnl(None) as rtnl:
        rtnl.set_up("tun0", False)
    with pytest.raises(MachineError, match="cannot send through tun0: Network is down") as caught:
        send_paced(WAY, NUMBERED, 100, 0.0)
    assert caught.value.errno == errno.ENETDOWN
    assert caught.value.hint


def test_no_interface() -> None:
    with pytest.raises(MachineError, match="cannot send through tun0: No such device") as caught:
        send_paced(WAY, NUMBERED, 100, 0.0)
    assert caught.value.errno in (errno.ENODEV, errno.ENXIO)


def test_a_packet_that_is_too_long(tun: int) -> None:
    with pytest.raises(MachineError) as caught:
        send_paced(WAY, [bytes(2000)], 100, 0.0)
    assert caught.value.errno == errno.EMSGSIZE
    assert leaving(tun) == []


def test_what_the_queue_has_no_room_for_is_counted(tun: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    monkeypatch.setattr(socket.socket, "sendto", full)
    sent = send_paced(WAY, NUMBERED, 100, LATE_S)
    assert (sent.packets, sent.bytes, sent.refused) == (0, 0, 10)
    assert leaving(tun) == []
