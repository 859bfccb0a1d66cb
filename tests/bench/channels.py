"""TCP over a pair of links in shared memory, against a bare loop that copies packets between two TUN devices.

The bare loop is as little as a Python program can do: wait, read, write. It has one process for both ends, a link has
one for each, and a ring between them. Both carry the same stream between the same namespaces in the same run, in turn.
Run alone: `python -m tests.bench.channels`; `make bench` includes it.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import socket
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import open_tun, set_carrier
from tests import namespaces
from tests.bench.links import ROOT, cpu_seconds, gpiomux, status, wait_for_carrier
from tests.bench.report import Figures, report, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUTPUT = ROOT / "bench-out" / "channels.json"
FORK = multiprocessing.get_context("fork")
MTUS = (1500, 9000)
ROUNDS = 5
BULK_BYTES = 128 << 20
CHUNK_BYTES = 1 << 18
PORT = 5001
LINK, BARE = "10.10.0.1", "10.30.0.1"
"""Addresses here; the other ends have the next one."""
IDLE_S = 10.0
SETTLE_S = 2.0
PACKETS_IN_A_ROW = 16


def configuration(mtu: int) -> str:
    """The example with another MTU; it makes the namespace `far`, which the bare loop uses too."""
    text = (ROOT / "configs" / "shm-pair.yaml").read_text()
    return text.replace("    mode: net_hdr\n", f"    mode: net_hdr\n    mtu: {mtu}\n")


def bytes_per_s(here: str) -> float:
    """Send a stream from the namespace `far` to an address here."""
    with socket.create_server((here, PORT)) as server:
        sender = FORK.Process(target=_send, args=(here,))
        sender.start()
        connection, _ = server.accept()
        with connection:
            arrived = len(connection.recv(CHUNK_BYTES))
            start, first = time.monotonic(), arrived
            while chunk := connection.recv(CHUNK_BYTES):
                arrived += len(chunk)
            took_s = time.monotonic() - start
        sender.join()
    if arrived != BULK_BYTES:
        sys.exit(f"gpiomux bench: {arrived} of {BULK_BYTES} bytes came in")
    return (arrived - first) / took_s


def _send(address: str) -> None:
    chunk = bytes(CHUNK_BYTES)
    with namespaces.inside("far"), socket.create_connection((address, PORT)) as sock:
        for _ in range(BULK_BYTES // CHUNK_BYTES):
            sock.sendall(chunk)


@contextmanager
def bare_loop(mtu: int) -> Iterator[None]:
    """Two TUN devices, here and in `far`, and a process that copies what leaves through one to the other."""
    devices = []
    for name, netns, address in (("bare0", None, BARE), ("bare1", "far", BARE.removesuffix("1") + "2")):
        devices.append(open_tun(name, "tun", netns))
        set_carrier(devices[-1], True)
        with Rtnl(netns) as rtnl:
            rtnl.set_mtu(name, mtu)
            rtnl.set_up(name, True)
            rtnl.add_address(name, f"{address}/24")
    copier = FORK.Process(target=_copy, args=tuple(devices))
    copier.start()
    try:
        yield
    finally:
        copier.terminate()
        copier.join()
        for fd in devices:  # an interface that nobody keeps goes with its descriptor
            os.close(fd)


def _copy(one: int, other: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    poller = select.poll()
    ways = {one: other, other: one}
    for fd in ways:
        poller.register(fd, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            into = ways[fd]
            for _ in range(PACKETS_IN_A_ROW):
                try:
                    packet = os.read(fd, 65536)
                except BlockingIOError:
                    break
                os.write(into, packet)


def throughput() -> Figures:
    """For each MTU the stream over the link as a share of the one over the bare loop."""
    figures: Figures = {}
    for mtu in MTUS:
        with applied(mtu), bare_loop(mtu):
            rounds = []
            for _ in range(ROUNDS):
                bare = bytes_per_s(BARE)
                link = bytes_per_s(LINK)
                rounds.append({f"shm_{mtu}_of_bare_loop": link / bare, f"shm_{mtu}_bytes_per_s": link})
        figures |= summed(rounds)
    return figures


def idle() -> Figures:
    """Share of one CPU that a quiet pair takes, each waking the other, and that a link takes which has to poll."""
    with applied(MTUS[0]):
        pair = _idle_percent()
    with tempfile.TemporaryDirectory() as directory:
        alone = configuration(MTUS[0]).split("  - name: shm1")[0].replace("/dev/shm", directory)
        with running(alone):
            one = _idle_percent()
    return {"shm_idle_pair_cpu_percent": pair, "shm_idle_polling_cpu_percent": one}


def _idle_percent() -> float:
    pids = [link["datapath"]["pid"] for link in status()["links"]]
    time.sleep(SETTLE_S)
    before, start = sum(map(cpu_seconds, pids)), time.monotonic()
    time.sleep(IDLE_S)
    return (sum(map(cpu_seconds, pids)) - before) / (time.monotonic() - start) * 100


@contextmanager
def applied(mtu: int) -> Iterator[None]:
    """The pair, with a carrier."""
    with running(configuration(mtu)):
        wait_for_carrier()
        yield


@contextmanager
def running(text: str) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "links.yaml"
        path.write_text(text)
        gpiomux("apply", str(path))
        try:
            yield
        finally:
            gpiomux("down")


def figures() -> Figures:
    """Everything above."""
    parts: tuple[Callable[[], Figures], ...] = (throughput, idle)
    return {name: value for part in parts for name, value in part().items()}


def main() -> int:
    """Measure and print."""
    try:
        namespaces.enter_private()
    except OSError as err:
        sys.exit(f"gpiomux bench: no private namespaces for this user ({err}); run it as root")
    if refusal := namespaces.tun_refusal():
        sys.exit(f"gpiomux bench: {refusal}")
    report(figures(), OUTPUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
