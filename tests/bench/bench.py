"""The benchmark: load of idle links, goodput of TCP, the protocol against bare words, and starting the client.

Runs in private namespaces like the demo. Figures of one run stand beside each other and are compared as ratios;
a figure of another machine or another day says little. The table is printed, and written to bench-out/bench.json.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests import namespaces, traffic
from tests.bench import lines, plots, words

ROOT = Path(__file__).parents[2]
GPIOMUX = Path(sys.executable).with_name("gpiomux")
OUTPUT = ROOT / "bench-out" / "bench.json"
CONFIGURATION = "configs/two-links.yaml"
FAR, PORT = "10.10.0.2", 5000

PATIENCE_S = 60.0
IDLE_S = 10.0
SETTLE_S = 2.0
"""After the carrier has come: the kernel's own packets (router solicitations, multicast reports) are over."""
IDLE_LIMIT_PERCENT = 1.0
BULK_BYTES = 4 << 20
STARTS = 10
ECHO_SIZES = range(0, 1473, 32)

Figures = dict[str, float]


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


def scheduled_seconds(pid: int) -> float:
    """The same from the scheduler, in nanoseconds instead of ticks, where the kernel keeps it."""
    try:
        tasks = [(task / "schedstat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        return cpu_seconds(pid)
    return sum(int(text.split()[0]) for text in tasks) / 1e9


def idle_load() -> Figures:
    """Share of one CPU that a pair of links takes while nothing is sent, and the daemon beside it."""
    state = status()
    links = [link["datapath"]["pid"] for link in state["links"]]
    daemon = state["daemon"]["pid"]
    time.sleep(SETTLE_S)
    before = {pid: scheduled_seconds(pid) for pid in (*links, daemon)}
    start = time.monotonic()
    time.sleep(IDLE_S)
    took_s = time.monotonic() - start
    percent = {pid: (scheduled_seconds(pid) - before[pid]) / took_s * 100 for pid in before}
    return {"idle_pair_cpu_percent": sum(percent[pid] for pid in links), "idle_daemon_cpu_percent": percent[daemon]}


def goodput() -> Figures:
    """One TCP connection, one way: bytes that arrive in a second, and the CPU time that they cost."""
    links = [link["datapath"]["pid"] for link in status()["links"]]
    data = traffic.payload_of(BULK_BYTES)
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


def round_trips() -> Figures:
    """Echo requests one after the other, small to large."""
    echoes = traffic.echo(FAR, ECHO_SIZES, outstanding=1)
    if echoes.wrong:
        sys.exit("gpiomux bench: " + "; ".join(echoes.wrong))
    trips_s = echoes.round_trips_s
    return {"echo_56_bytes_ms": trips_s[2] * 1e3, "echo_1472_bytes_ms": trips_s[-1] * 1e3}


def start_up() -> Figures:
    """CPU time of short commands against that of Python doing nothing: the least of several runs of each, in turn."""
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "version": [str(GPIOMUX), "--version"],
        "status": [str(GPIOMUX), "status"],
    }
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(STARTS):
        for name, command in commands.items():
            least[name] = min(least[name], cpu_of(command))
    return {
        "start_python_ms": least["python"] * 1e3,
        "start_version_ratio": least["version"] / least["python"],
        "start_status_ratio": least["status"] / least["python"],
    }


def cpu_of(command: list[str]) -> float:
    """CPU time of one run of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def report(figures: Figures) -> None:
    """Print the table and write the file."""
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:>12,.3f}")
    OUTPUT.parent.mkdir(exist_ok=True)
    about = {"machine": platform.machine(), "kernel": platform.release(), "python": platform.python_version()}
    OUTPUT.write_text(json.dumps({"about": {**about, "cpus": os.cpu_count()}, "figures": figures}, indent=2) + "\n")
    print(f"written to {OUTPUT.relative_to(ROOT)}")


def main() -> int:
    """Measure everything; 1 if idle links take more of a CPU than is promised."""
    try:
        namespaces.enter_private()
    except OSError as err:
        sys.exit(f"gpiomux bench: no private namespaces for this user ({err}); run it as root")
    if refusal := namespaces.tun_refusal():
        sys.exit(f"gpiomux bench: {refusal}")
    print(f"measuring with {CONFIGURATION}; about a minute", flush=True)
    gpiomux("apply", CONFIGURATION)
    try:
        wait_for_carrier()
        figures = idle_load() | round_trips() | goodput() | start_up()
    finally:
        gpiomux("down")
    print("measuring words, with and without the protocol", flush=True)
    figures |= lines.ratios() | words.figures()
    report(figures)
    for path in plots.draw(OUTPUT.parent):
        print(f"drawn: {path.relative_to(ROOT)}")
    if figures["idle_pair_cpu_percent"] >= IDLE_LIMIT_PERCENT:
        print(
            f"an idle pair of links takes {IDLE_LIMIT_PERCENT:g} % of a CPU or more: that is too much", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
