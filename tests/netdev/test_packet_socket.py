"""The packet socket shows what leaves, all of it, and nothing else."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from gpiomux.netdev import packet_socket
from tests.netdev.ends import RAW_PROTOCOL, End

pytestmark = pytest.mark.netns


def test_only_outgoing_packets() -> None:
    with End("tun-pi", "packet-socket") as end:
        fd = packet_socket.open_outgoing(end.name)
        with socket.socket(fileno=fd) as sock:
            end.port.write(0, RAW_PROTOCOL.to_bytes(2, "big") + b"arrives")
            end.send_raw(b"leaves", 7)
            while (got := sock.recv(2000)) != b"leaves":
                assert got != b"arrives"
            assert not os.get_blocking(fd)
            assert not os.get_inheritable(fd)


def test_nothing_comes_to_an_unbound_socket() -> None:
    with End("tun-pi", "packet-socket") as end, packet_socket.open_unbound() as sock:
        end.send_raw(b"leaves")
        with pytest.raises(BlockingIOError):
            sock.recv(100)


def test_an_interface_that_does_not_exist() -> None:
    with pytest.raises(OSError) as caught:
        packet_socket.open_outgoing("gone")
    assert caught.value.errno == errno.ENODEV
