"""What a ping costs while a link is loaded, through real interfaces and processes, against an idle link.

`python -m tests.bench.loaded` takes half a minute. Goodput of TCP under a flood is measured as well: the flood is paced
at OVERLOAD times what TCP reaches alone, in datagrams of another flow.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

from tests import namespaces, traffic
from tests.bench import links
from tests.bench.links import FAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.report import Figures

CONFIGURATION = "configs/two-links.yaml"
ECHO_SIZES = range(40, 70)
"""The words of a ping grow with its bytes; these are 64 bytes and a little, each once."""
ECHO_PATIENCE_S = 3.0
DATAGRAM_BYTES = 1400
FLOOD_PORT, BULK_PORT = 9, 5001
OVERLOAD = 3
STEP_S = 0.005
SETTLE_S = 1.0
"""Until windows are open and rings are full."""
BULK_BYTES = 1 << 18


@contextmanager
def flood(bytes_per_s: float) -> Iterator[None]:
    """Datagrams to nobody, at a steady rate."""
    stopping = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((FAR, FLOOD_PORT))
        payload = bytes(DATAGRAM_BYTES)

        def send() -> None:
            begin_s, sent = time.monotonic(), 0
            while not stopping.wait(STEP_S):
                due = int((time.monotonic() - begin_s) * bytes_per_s / DATAGRAM_BYTES)
                while sent < due:
                    sent += 1
                    try:
                        sock.send(payload)
                    except ConnectionRefusedError:  # what an ICMP message said of an earlier one
                        continue

        with running(send, stopping):
            yield


@contextmanager
def bulk() -> Iterator[None]:
    """One TCP connection that sends as much as it can."""
    stopping = threading.Event()
    with namespaces.inside("far"):
        server = socket.create_server((FAR, BULK_PORT))
    with server, socket.create_connection((FAR, BULK_PORT)) as sock:
        connection, _ = server.accept()
        for one in (sock, connection):
            one.settimeout(STEP_S)

        def send() -> None:
            while not stopping.is_set():
                try:
                    sock.send(bytes(1 << 16))
                except TimeoutError:
                    continue

        def receive() -> None:
            while not stopping.is_set():
                try:
                    connection.recv(1 << 16)
                except TimeoutError:
                    continue

        with connection, running(send, stopping), running(receive, stopping):
            yield


@contextmanager
def running(work: Callable[[], None], stopping: threading.Event) -> Iterator[None]:
    """Work in a thread that ends when `stopping` is set, at the end of the block."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        time.sleep(SETTLE_S)
        yield
    finally:
        stopping.set()
        thread.join()


def pings() -> tuple[float, float]:
    """Median round trip in seconds, and the share that was lost."""
    echoes = traffic.echo(FAR, ECHO_SIZES, outstanding=1, patience_s=ECHO_PATIENCE_S)
    lost = 1 - len(echoes.round_trips_s) / echoes.sent
    return (median(echoes.round_trips_s) if echoes.round_trips_s else float("inf")), lost


def figures() -> Figures:
    """Everything of this page as ratios; the links must be up."""
    alone = links.tcp(BULK_BYTES)["tcp_bytes_per_s"]
    idle_s, _ = pings()
    with bulk():
        bulk_s, bulk_lost = pings()
    with flood(OVERLOAD * alone):
        flood_s, flood_lost = pings()
        shared = links.tcp(BULK_BYTES)["tcp_bytes_per_s"]
    return {
        "echo_under_tcp_of_idle": bulk_s / idle_s,
        "echo_under_tcp_lost": bulk_lost,
        "echo_under_flood_of_idle": flood_s / idle_s,
        "echo_under_flood_lost": flood_lost,
        "tcp_under_flood_of_alone": shared / alone,
    }


def main() -> int:
    """Measure on links of their own."""
    namespaces.enter_private()
    links.gpiomux("apply", CONFIGURATION)
    try:
        links.wait_for_carrier()
        found = figures()
    finally:
        links.gpiomux("down")
    for name, figure in found.items():
        print(f"{name:30} {figure:10.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
