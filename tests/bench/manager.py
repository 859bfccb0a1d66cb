"""What the manager costs: applying many links against `ip -batch`, memory of a datapath, a mark among many.

Every figure is the median of several rounds with their spread; ratios are to what iproute2 needs for the same
interfaces with alias, mtu, addresses and namespaces, set up in the same round. The daemon runs already, as it does on a
machine that has booted; an apply that has to start it is a figure of its own. Each link has an address and one child
with an address, and every second link stands in a namespace. A quiet machine needs about a minute.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.report import Figures, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GPIOMUX = Path(sys.executable).with_name("gpiomux")
DAEMON = Path(sys.executable).with_name("gpiomuxd")
READY_S = 60.0

COUNTS = (1, 16, 64)
ROUNDS = 3
ENOUGH_S = 90.0
"""No round begins after this time: on a loaded machine figures mean little, and more of them no more."""
STEP_S = 120.0
"""The longest that one command may take."""
CHILDREN, MARKS = 100, 1000
MARK_RUNS = 5
NETNS = "bench-far"


def links_text(count: int) -> str:
    """A configuration of that many links; two share a wire, a last odd one has its peer elsewhere."""
    return "links:\n" + "\n".join(_link_text(number, count) for number in range(count)) + "\n"


def _link_text(number: int, count: int) -> str:
    name, pair, far = f"link{number}", number // 2, number % 2 == 1
    wire = f"{{name: cable{pair}, external: true}}" if number == count - 1 and not far else f"cable{pair}"
    ids = "{reader: 2, writer: 1}" if far else "{reader: 1, writer: 2}"
    place = f", netns: {NETNS}" if far else ""
    host = 2 if far else 1
    child = f"{{name: child{number}, marks: [7], addresses: [10.20.{pair}.{host}/24]{place}}}"
    return (
        f"  - {{name: {name}, mode: net_hdr, medium: sim, wire: {wire}, protocol: {ids},"
        f" addresses: [10.10.{pair}.{host}/24]{place}, children: [{child}]}}"
    )


def batches(count: int) -> dict[str, str]:
    """The same interfaces and addresses for `ip -batch`, by network namespace (empty: this one)."""
    lines: dict[str, list[str]] = {}
    for number in range(count):
        pair, far = number // 2, number % 2 == 1
        for name, net in ((f"link{number}", 10), (f"child{number}", 20)):
            lines.setdefault(NETNS if far else "", []).extend(
                (
                    f"tuntap add dev {name} mode tun",
                    f"link set dev {name} alias gpiomux:link{number} mtu 1500 up",
                    f"address add 10.{net}.{pair}.{2 if far else 1}/24 dev {name}",
                )
            )
    return {netns: "\n".join(commands) + "\n" for netns, commands in lines.items()}


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def gpiomux(*words: str) -> bytes:
    """Run one command line, which must succeed; its output."""
    return subprocess.run([GPIOMUX, *words], check=True, stdout=subprocess.PIPE, timeout=STEP_S).stdout


def ip_batch(count: int) -> None:
    """Make the interfaces with iproute2."""
    for netns, text in batches(count).items():
        if netns:
            subprocess.run(["ip", "netns", "add", netns], check=True)
        where = ["-netns", netns] if netns else []
        subprocess.run(["ip", *where, "-batch", "-"], input=text.encode(), check=True)


def ip_clean(count: int) -> None:
    """Take them away again."""
    names = [name for number in range(0, count, 2) for name in (f"link{number}", f"child{number}")]
    text = "".join(f"link delete {name}\n" for name in names)
    subprocess.run(["ip", "-batch", "-"], input=text.encode(), check=True)
    if count > 1:
        subprocess.run(["ip", "netns", "delete", NETNS], check=True)


@contextmanager
def daemon() -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that stays until the end of the block."""
    process = subprocess.Popen([DAEMON], stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + READY_S
        while json.loads(gpiomux("status", "--json"))["daemon"] is None:
            if time.monotonic() > give_up:
                sys.exit(f"gpiomux bench: gpiomuxd is not ready after {READY_S:g} s")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


def apply_figures(count: int, file: Path, daemon_pid: int) -> Figures:
    """Fresh apply and apply without change of that many links, each against `ip -batch`, and memory while they run."""
    batch_s = timed(lambda: ip_batch(count))
    ip_clean(count)
    fresh_s = timed(lambda: gpiomux("apply", str(file)))
    again_s = timed(lambda: gpiomux("apply", str(file)))
    found = {
        f"ip_batch_{count}_ms": batch_s * 1e3,
        f"apply_{count}_ms": fresh_s * 1e3,
        f"apply_{count}_ratio": fresh_s / batch_s,
        f"apply_again_{count}_ratio": again_s / batch_s,
    }
    if count == COUNTS[-1]:
        found |= memory(daemon_pid)
    gpiomux("down")
    return found


def pss_mib(pid: int) -> float:
    """Memory of a process, shared pages counted in part (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def memory(daemon_pid: int) -> Figures:
    """Memory of the daemon and of each datapath."""
    pids = [link["datapath"]["pid"] for link in json.loads(gpiomux("status", "--json"))["links"]]
    each_mib = [pss_mib(pid) for pid in pids]
    return {
        "datapath_pss_mib": statistics.median(each_mib),
        "datapath_pss_most_mib": max(each_mib),
        "daemon_pss_mib": pss_mib(daemon_pid),
    }


def crowd_text(children: int, marks: int) -> str:
    """One link whose children share the marks 1000, 1001, ... evenly."""
    each = marks // children
    held = [list(range(1000 + number * each, 1000 + (number + 1) * each)) for number in range(children)]
    crowd = ", ".join(f"{{name: child{number}, marks: {marks}}}" for number, marks in enumerate(held))
    return (
        "links:\n  - {name: link0, mode: net_hdr, medium: sim, wire: {name: cable0, external: true},"
        f" protocol: {{reader: 1, writer: 2}}, children: [{crowd}]}}\n"
    )


def mark_figures(directory: Path) -> Figures:
    """`add-mark` among many marks and children, against `add-mark` with one child and one mark."""
    took_s: dict[str, float] = {}
    for name, text in {"one": crowd_text(1, 1), "many": crowd_text(CHILDREN, MARKS)}.items():
        file = directory / f"marks-{name}.yaml"
        file.write_text(text)
        gpiomux("apply", str(file))
        each_s = []
        for mark in range(1, MARK_RUNS + 1):
            start = time.monotonic()
            gpiomux("add-mark", "child0", str(mark))
            each_s.append(time.monotonic() - start)
        took_s[name] = statistics.median(each_s)
        gpiomux("down")
    return {"add_mark_ms": took_s["one"] * 1e3, "add_mark_many_ratio": took_s["many"] / took_s["one"]}


def one_round(directory: Path, daemon_pid: int) -> Figures:
    """Everything that a running daemon does, once."""
    found: Figures = {}
    for count in COUNTS:
        found |= apply_figures(count, directory / f"links-{count}.yaml", daemon_pid)
    first_ms, last_ms = (found[f"apply_{count}_ms"] for count in COUNTS[-2:])
    found["apply_growth_ratio"] = last_ms / first_ms / (COUNTS[-1] / COUNTS[-2])
    return found | mark_figures(directory)


def figures(directory: Path) -> Figures:
    """Everything; the caller is in private namespaces, and no daemon runs there.

    Args:
        directory: for configuration files.
    """
    for count in COUNTS:
        (directory / f"links-{count}.yaml").write_text(links_text(count))
    rounds: list[Figures] = []
    begin = time.monotonic()
    with daemon() as process:
        while len(rounds) < ROUNDS and (not rounds or time.monotonic() - begin < ENOUGH_S):
            rounds.append(one_round(directory, process.pid))
    found = {"manager_rounds": float(len(rounds)), **summed(rounds)}
    found["apply_cold_ms"] = timed(lambda: gpiomux("apply", str(directory / f"links-{COUNTS[0]}.yaml"))) * 1e3
    gpiomux("down")
    return found
