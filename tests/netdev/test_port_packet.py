"""What only the packet socket's way has to do: keep the device's own queue empty, put VLAN tags back."""

from __future__ import annotations

import os
import socket
import struct

import pytest

from gpiomux.netdev.packet_socket import PACKET_AUXDATA, SOL_PACKET
from gpiomux.netdev.port_packet import PacketSocketPort, read_control
from tests.netdev.ends import End

pytestmark = pytest.mark.netns


def queued(port: PacketSocketPort) -> int:
    """Packets in the device itself, taken out."""
    count = 0
    while True:
        try:
            os.read(port._tun, 70_000)
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("kind", ["tap", "tun"])
def test_the_device_is_drained_one_by_one(kind: str) -> None:
    with End(kind, "packet-socket") as end:
        assert isinstance(end.port, PacketSocketPort)
        while end.port.read() is not None:
            pass
        for number in range(10):
            end.send(4, b"x", number)
        for number in range(4):
            assert end.leaving()[0] == number
        assert queued(end.port) == 6


def test_marks_stay_right_when_packets_are_lost() -> None:
    """More packets than the device (500) or the socket holds: some are lost, none gets another's mark."""
    with End("tun", "packet-socket") as end:
        assert isinstance(end.port, PacketSocketPort)
        while end.port.read() is not None:
            pass
        count = 5000
        for number in range(count):
            end.send(4, b"%d" % number, 0x10000 + number)
        got = []
        while (packet := end.port.read()) is not None:
            got.append((packet[0], end.payload(4, packet[1])))
        assert 0 < len(got) < count
        assert all(mark == 0x10000 + int(payload) for mark, payload in got)
        assert queued(end.port) == 0
        end.send(4, b"after", 5)
        mark, last = end.leaving()
        assert (mark, end.payload(4, last)) == (5, b"after")


def auxiliary(status: int, tci: int, protocol: int) -> tuple[int, int, bytes]:
    return SOL_PACKET, PACKET_AUXDATA, struct.pack("=IIIHHHH", status, 64, 64, 0, 14, tci, protocol)


def test_control_messages() -> None:
    mark = (socket.SOL_SOCKET, socket.SO_MARK, struct.pack("I", 0xFFFFFFFF))
    assert read_control([]) == (0, b"")
    assert read_control([mark]) == (0xFFFFFFFF, b"")
    assert read_control([mark, auxiliary(0x50, 0x2007, 0x8100)]) == (0xFFFFFFFF, bytes.fromhex("81002007"))
    assert read_control([auxiliary(0, 0, 0), mark]) == (0xFFFFFFFF, b"")
