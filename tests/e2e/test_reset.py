"""Reading and resetting counters is one step: whoever resets, and however often, the sum is what was sent."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.e2e.host import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

RESETS = 10_000
"""Of the sending link, by all its resetters together."""
RESETTERS = 2
FAR_RESETS = 500
"""Of the receiving link, by one more, so that an end of each interface is summed up under load."""
LINKS = """
links:
  - name: geth0
    mode: net_hdr
    medium: shm
    channels: {{out: {directory}/a, in: {directory}/b}}
    protocol: {{reader: 1, writer: 2}}
    addresses: [10.10.0.1/24]
    children: [{{name: c0, marks: [7], addresses: [10.10.7.1/24]}}]
  - name: geth1
    mode: net_hdr
    medium: shm
    channels: {{out: {directory}/b, in: {directory}/a}}
    protocol: {{reader: 2, writer: 1}}
    netns: far
    addresses: [10.10.0.2/24]
    children: [{{name: c1, marks: [7], addresses: [10.10.7.2/24]}}]
"""
"""Over channels, because they carry most packets between two resets."""


class Sum:
    """Adds up what resets have told.

    *Threads and processes:* a thread reads the output of each resetter; read it when they have ended.
    """

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.told = 0
        """Resets that told of packets."""
        self.lines = 0
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        numbers = {
            f"{interface} {name}": counted[name]
            for interface, counted in json.loads(line).items()
            for name in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")
        }
        with self._lock:
            self.total.update(numbers)
            self.told += any(numbers.values())
            self.lines += 1

    def add_all(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.add(line)


def python(module: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.e2e.{module}", *words],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_ten_thousand_resets_under_load_add_up_to_what_was_sent(host: Host, tmp_path: Path) -> None:
    host.apply(LINKS.format(directory=tmp_path))
    for netns in (None, "far"):
        host.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1", netns=netns)
    reset_all(host)
    summed = Sum()
    with python("steady_traffic") as traffic:
        plans = [(RESETS // RESETTERS, "geth0")] * RESETTERS + [(FAR_RESETS, "geth1")]
        resetters = [python("resetter", str(times), link) for times, link in plans]
        readers = [threading.Thread(target=summed.add_all, args=(each,)) for each in resetters]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        for resetter in resetters:
            resetter.communicate()
        sent = json.loads(traffic.communicate()[0])
    assert [each.returncode for each in (*resetters, traffic)] == [0] * (len(resetters) + 1)
    assert summed.lines == RESETS + FAR_RESETS
    assert summed.told > RESETS // 10, "there was no load"
    for interfaces in reset_all(host):
        summed.add(json.dumps(interfaces))
    expected = Counter(
        {
            f"{interface} {way}_{word}": number
            for sender, receiver in (("geth0", "geth1"), ("c0", "c1"))
            for word, number in sent[sender].items()
            for interface, way in ((sender, "tx"), (receiver, "rx"))
        }
    )
    assert +summed.total == expected


def reset_all(host: Host) -> list[dict[str, dict[str, int]]]:
    """Reset both links with the command; what the interfaces of each have counted."""
    return [link["interfaces"] for link in json.loads(host.gpiomux("stats", "--reset", "--json"))["links"]]
