"""Datapath processes of the test's own, started as the daemon does it, on real sockets, lines and interfaces."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from gpiomux.config.defaults import SIM_LINES
from gpiomux.config.model import Mode, ProtocolIds, SimMedium, Transport
from gpiomux.config.plain import transport_to_plain
from gpiomux.control.packets import ask
from gpiomux.lines.backends import open_driver_fds
from gpiomux.netdev.marks import prepare_port
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import keep_tun, open_tun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gpiomux.rundir import RunDir

PATIENCE_S = 30.0
"""How long to wait for what must come."""
MTU = 1500
PROTOCOL = 253
"""For experiments, RFC 3692; the kernel sends none of its own."""


PROGRAM = """
import socket, sys
from gpiomux.datapath.privileges import USER_IDS, limit_privileges
from gpiomux.datapath.process import run
limit_privileges()
run(int(sys.argv[1]), int(sys.argv[2]), USER_IDS[0])
"""
"""What the fork server does, without a fork."""


class Datapath:
    """One process; ends with the block.

    *Threads and processes:* one thread; owns the process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(path))
            self.first, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            fds = (listener.fileno(), theirs.fileno())
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *map(str, fds)], pass_fds=fds, stderr=subprocess.PIPE
            )
            theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.first.close()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A connection to its control socket, as soon as it listens."""
        give_up = time.monotonic() + PATIENCE_S
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(PATIENCE_S)
            while True:
                try:
                    sock.connect(str(self.path))
                except (ConnectionRefusedError, BlockingIOError):  # not listening yet; too many wait
                    if time.monotonic() > give_up or not self.alive:
                        raise
                    time.sleep(0.01)
                else:
                    break
            yield sock

    def ask(self, do: str, fds: tuple[int, ...] = (), **message: Any) -> dict[str, Any]:
        """Ask on a connection of its own."""
        with self.connection() as sock:
            return ask(sock, {"do": do, **message}, fds)

    def start(self, link: str, wire_end: str, rundir: RunDir, **changes: Any) -> dict[str, Any]:
        """Start a link in mode `net_hdr` on an interface of that name, over the simulated wire `cable0`."""
        with started_with(link, wire_end, rundir) as (message, fds):
            return self.ask("start", fds, **{**message, **changes})

    def open_files(self) -> int:
        """How many descriptors the process holds, the one of this connection among them."""
        with self.connection() as sock:
            # When it answers the second time, it has noticed the end of every connection before this one.
            for _ in range(2):
                sock.send(b"{}")
                sock.recv(1000)
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Packets:
    """Packets of ours through an interface, from the kernel's side."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self._socket.bind((interface, 0x0800))
        self._socket.settimeout(30)
        self._interface = interface

    def send(self, payload: bytes, mark: int = 0) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("I", mark))
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, PROTOCOL, 0, b"\x0a" * 4, b"\x0b" * 4)
        self._socket.sendto(head + payload, (self._interface, 0x0800))

    def receive(self) -> bytes:
        while True:
            packet, sender = self._socket.recvfrom(70_000)
            if packet[9] == PROTOCOL and sender[2] != socket.PACKET_OUTGOING:
                return packet[20:]

    def close(self) -> None:
        self._socket.close()


@contextmanager
def started_with(
    link: str, wire_end: str, rundir: RunDir, wire: str = "cable0"
) -> Iterator[tuple[dict[str, Any], tuple[int, ...]]]:
    """What a datapath is started with: the message, and descriptors that are closed at the end of the block."""
    ids = ProtocolIds(reader=1, writer=2) if wire_end == "a" else ProtocolIds(reader=2, writer=1)
    medium = SimMedium(wire=wire, end=wire_end)
    transport = Transport(mode=Mode.NET_HDR, protocol=ids, medium=medium, lines=SIM_LINES)
    with port_of(link) as (port, port_fds):
        driver_fds = open_driver_fds(transport, rundir)
        message = {"link": link, "transport": transport_to_plain(transport), "mtu": MTU, "port": port}
        try:
            yield {**message, "driver_fds": len(driver_fds)}, (*port_fds, *driver_fds)
        finally:
            close(driver_fds)


@contextmanager
def port_of(name: str) -> Iterator[tuple[dict[str, Any], tuple[int, ...]]]:
    """A TUN interface that is up, as a message describes its port, and the descriptors."""
    tun = open_tun(name, "tun", None)
    keep_tun(tun)
    handles = prepare_port(name, "tun", None, tun)
    with Rtnl(None) as rtnl:
        rtnl.set_up(name, True)
    try:
        yield {"method": handles.method, "kind": handles.kind, "fds": len(handles.fds)}, handles.fds
    finally:
        close(handles.fds)


def close(fds: tuple[int, ...] | list[int]) -> None:
    for fd in fds:
        os.close(fd)


def eventually(what: Callable[[], bool]) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it never was.
    """
    give_up = time.monotonic() + PATIENCE_S
    while not what():
        if time.monotonic() > give_up:
            raise TimeoutError("it did not happen")
        time.sleep(0.02)
