"""The benchmark: load of idle links, goodput of TCP, the protocol against bare words, and starting the client.

Runs in private namespaces like the demo. Figures of one run stand beside each other and are compared as ratios;
a figure of another machine or another day says little. The table is printed, and written to bench-out/bench.json.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests import namespaces, traffic
from tests.bench import channels, lines, links, loaded, manager, plots, startup, words
from tests.bench.links import FAR, ROOT, cpu_seconds, gpiomux, status, wait_for_carrier
from tests.bench.report import Figures, report

OUTPUT = ROOT / "bench-out" / "bench.json"
CONFIGURATION = "configs/two-links.yaml"
IDLE_S = 10.0
SETTLE_S = 2.0
"""After the carrier has come: the kernel's own packets (router solicitations, multicast reports) are over."""
IDLE_LIMIT_PERCENT = 1.0
BULK_BYTES = 4 << 20
ECHO_SIZES = range(0, 1473, 32)


def scheduled_seconds(pid: int) -> float:
    """As `cpu_seconds`, but from the scheduler, in nanoseconds instead of ticks, where the kernel keeps it."""
    try:
        tasks = [(task / "schedstat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        return cpu_seconds(pid)
    return sum(int(text.split()[0]) for text in tasks) / 1e9


def idle_load() -> Figures:
    """Share of one CPU that a pair of links takes while nothing is sent, and the daemon beside it."""
    state = status()
    datapaths = [link["datapath"]["pid"] for link in state["links"]]
    daemon = state["daemon"]["pid"]
    time.sleep(SETTLE_S)
    before = {pid: scheduled_seconds(pid) for pid in (*datapaths, daemon)}
    start = time.monotonic()
    time.sleep(IDLE_S)
    took_s = time.monotonic() - start
    percent = {pid: (scheduled_seconds(pid) - before[pid]) / took_s * 100 for pid in before}
    return {"idle_pair_cpu_percent": sum(percent[pid] for pid in datapaths), "idle_daemon_cpu_percent": percent[daemon]}


def round_trips() -> Figures:
    """Echo requests one after the other, small to large."""
    echoes = traffic.echo(FAR, ECHO_SIZES, outstanding=1)
    if echoes.wrong:
        sys.exit("gpiomux bench: " + "; ".join(echoes.wrong))
    trips_s = echoes.round_trips_s
    return {"echo_56_bytes_ms": trips_s[2] * 1e3, "echo_1472_bytes_ms": trips_s[-1] * 1e3}


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
        figures = idle_load() | round_trips() | links.tcp(BULK_BYTES) | loaded.figures() | startup.figures()
    finally:
        gpiomux("down")
    print("measuring words, with and without the protocol", flush=True)
    figures |= lines.ratios() | words.figures()
    print("measuring channels against a bare loop", flush=True)
    figures |= channels.figures()
    print(f"applying up to {manager.COUNTS[-1]} links; minutes", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        figures |= manager.figures(Path(directory))
    report(figures, OUTPUT)
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
