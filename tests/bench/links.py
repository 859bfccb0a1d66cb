"""A pair of links, made by the installed program, as benchmarks use it: here and in the namespace `far`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import namespaces, traffic

if TYPE_CHECKING:
    from tests.bench.report import Figures

ROOT = Path(__file__).parents[2]
GPIOMUX = Path(sys.executable).with_name("gpiomux")
FAR, PORT = "10.10.0.2", 5000
PATIENCE_S = 60.0


def gpiomux(*words: str) -> str:
    """Run one command line, which must succeed; its output."""
    return subprocess.run([GPIOMUX, *words], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def status() -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(gpiomux("status", "--json"))
    return answer


def wait_for_carrier() -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not all(link["carrier"] for link in status()["links"]):
        if time.monotonic() > give_up:
            sys.exit(f"gpiomux bench: no carrier after {PATIENCE_S:g} s")
        time.sleep(0.05)


def cpu_seconds(pid: int) -> float:
    """Time that a process has spent on a CPU, its own and the kernel's for it, in all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tcp(count: int) -> Figures:
    """Send `count` bytes over one TCP connection: bytes that arrive in a second, and the CPU time that they cost."""
    links = [link["datapath"]["pid"] for link in status()["links"]]
    data = traffic.payload_of(count)
    arrived = bytearray()

    def receive(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            while chunk := connection.recv(1 << 16):
                arrived.extend(chunk)

    with namespaces.inside("far"):
        server = socket.create_server((FAR, PORT))
    with server:
        receiver = threading.Thread(target=receive, args=(server,))
        receiver.start()
        before = sum(cpu_seconds(pid) for pid in links)
        start = time.monotonic()
        with socket.create_connection((FAR, PORT)) as sock:
            sock.sendall(data)
        receiver.join()
        took_s = time.monotonic() - start
        cpu_s = sum(cpu_seconds(pid) for pid in links) - before
    if arrived != data:
        sys.exit("gpiomux bench: what came in is not what went out")
    return {"tcp_bytes_per_s": len(data) / took_s, "tcp_cpu_us_per_byte": cpu_s / len(data) * 1e6}
