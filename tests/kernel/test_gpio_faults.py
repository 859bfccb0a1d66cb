"""Faults of the lines of a running link, and of its peer: the carrier drops, `status` says why, nobody burns a CPU, and
when the cause is gone the link carries packets again by itself.

How soon that is noticed is shown in the protocol's own time (tests/wire/test_carrier_loss.py); here it only has to be.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gpiomux.wire.peering import DEAF, SILENT
from tests.kernel import modem
from tests.kernel.chips import two_links
from tests.kernel.processes import kill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.host import Host

pytestmark = [pytest.mark.kernel, pytest.mark.netns]

LINKS = ("geth0", "geth1")
REQ, ACK = 8, 9
"""Where `out.req` and `in.ack` of either link are, on its end of the null modem."""
OUT_ACK = 1 << modem.far(ACK)
"""The wire on which geth0 hears that its word was taken."""
SPAN_S = 4.0
"""Over which work is counted: several hellos, and several times that a word nobody takes is driven again."""
MOST = 5
"""A broken link may take so many times the work of an idle one."""
FAR_MORE = 3
"""A busy link looks at its lines more than so many times as often as a broken one."""
FLOOR_S = 0.05 * SPAN_S
"""CPU time below which ratios say nothing: the test kernel counts it in steps of 10 ms."""


@pytest.fixture(autouse=True)
def links(host: Host) -> Iterator[None]:
    """Two links that talk; afterwards the cable is whole again."""
    host.apply(two_links())
    yield
    modem.cut(0)
    modem.pull_high(0)


@dataclass(frozen=True, slots=True)
class Work:
    """What datapaths did in SPAN_S."""

    cpu_s: float
    polls: int


def work(host: Host, *links: str) -> Work:
    """Let SPAN_S pass and see what the datapaths of links did meanwhile."""
    pids = [host.datapaths()[link] for link in links]
    polls, cpu_s = _polls(host, links), _cpu_s(pids)
    time.sleep(SPAN_S)
    cpu_s = _cpu_s(pids) - cpu_s
    return Work(cpu_s, _polls(host, links) - polls)


def _polls(host: Host, links: tuple[str, ...]) -> int:
    return sum(link["line"]["polls"] for link in host.status()["links"] if link["name"] in links)


def _cpu_s(pids: list[int]) -> float:
    # How the clocks of other processes are numbered: clock_getcpuclockid(3), CPUCLOCK_SCHED in linux/posix-timers.h.
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


@contextmanager
def traffic(host: Host) -> Iterator[None]:
    """Inside the block packets cross the wire both ways, one after another."""
    before = host.link("geth0")["line"]["words_in"]
    flood = ["ping", "-q", "-f", "-s", "1000", "10.10.0.2"]
    with subprocess.Popen(flood, stdout=subprocess.DEVNULL) as ping:
        try:
            host.wait_for(lambda: host.link("geth0")["line"]["words_in"] > before + 2000, "traffic")
            yield
        finally:
            ping.terminate()


def wait_for_reason(host: Host, link: str, reason: str) -> None:
    """Wait until a link has no carrier, and `status` gives this reason, for people too."""
    host.wait_for(lambda: (host.link(link)["carrier"], host.link(link)["reason"]) == (False, reason), reason)
    assert f"{link}: no carrier: {reason}\n" in host.gpiomux("status")


def assert_idle(broken: Work, idle: Work) -> None:
    """The work of a broken link is that of an idle one, with a wide margin."""
    assert broken.polls < MOST * idle.polls
    assert broken.cpu_s < MOST * max(idle.cpu_s, FLOOR_S)


@pytest.mark.parametrize(
    ("begin", "end", "reasons"),
    [
        pytest.param(lambda: modem.pull_high(OUT_ACK), lambda: modem.pull_high(0), (DEAF, SILENT), id="ack-high"),
        pytest.param(lambda: modem.cut(OUT_ACK), lambda: modem.cut(0), (DEAF, SILENT), id="ack-low"),
        pytest.param(modem.cut, lambda: modem.cut(0), (SILENT, SILENT), id="cut"),
    ],
)
def test_broken_lines(host: Host, begin: Callable[[], None], end: Callable[[], None], reasons: tuple[str, str]) -> None:
    idle = work(host, *LINKS)
    with traffic(host):
        busy = work(host, *LINKS)
        begin()
    for link, reason in zip(LINKS, reasons, strict=True):
        wait_for_reason(host, link, reason)
    broken = work(host, *LINKS)
    assert_idle(broken, idle)
    assert busy.polls > FAR_MORE * broken.polls
    end()
    host.wait_for_carrier()
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")
    assert [link["datapath"]["restarts"] for link in host.status()["links"]] == [0, 0]


def in_word(end: int) -> bool:
    """True while a word stands on the lines of one end of the null modem and the other has not taken it."""
    return modem.driven(end, REQ) != modem.driven(1 - end, ACK)


def stop_in_a_word(host: Host, sleeper: str, sender: int) -> None:
    """Stop a datapath that should take a word: the sender at this end then stands in the middle of one for ever."""
    os.kill(host.datapaths()[sleeper], signal.SIGSTOP)
    host.wait_for(lambda: in_word(sender), "a word that nobody takes")


def test_a_peer_that_hangs_in_the_middle_of_a_word(host: Host) -> None:
    idle = work(host, "geth0")
    pid = host.datapaths()["geth1"]
    with traffic(host):
        stop_in_a_word(host, "geth1", 0)
    try:
        wait_for_reason(host, "geth0", SILENT)
        assert "geth1: datapath failed: datapath of geth1 does not answer" in host.gpiomux("status")
        assert_idle(work(host, "geth0"), idle)
        assert in_word(0)
    finally:
        os.kill(pid, signal.SIGCONT)
    host.wait_for_carrier()
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")


@pytest.mark.parametrize("whose", ["own", "peer"])
def test_a_peer_that_dies_in_the_middle_of_a_word(host: Host, whose: str) -> None:
    """Of its own word, which the living end takes then, or of one that it should have taken. Nobody revives it: its
    board is dead as a whole. Then it is started again, on lines that stand as it left them.
    """
    idle = work(host, "geth0")
    living, dying = (host.datapaths()[link] for link in LINKS)
    with traffic(host):
        stop_in_a_word(host, *(("geth0", 1) if whose == "own" else ("geth1", 0)))
        for pid in (host.status()["daemon"]["pid"], dying):
            kill(pid)
        os.kill(living, signal.SIGCONT)
    wait_for_reason(host, "geth0", SILENT)
    assert "geth1: datapath failed: not running, and no gpiomuxd to start it\n" in host.gpiomux("status")
    assert_idle(work(host, "geth0"), idle)
    assert in_word(0)
    host.apply((host.directory / "links.yaml").read_text())
    assert host.datapaths()["geth0"] == living
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")


def test_a_peer_that_dies_and_is_revived(host: Host) -> None:
    """With a daemon, the cause is gone by itself."""
    pid = host.datapaths()["geth1"]
    with traffic(host):
        stop_in_a_word(host, "geth1", 0)
        kill(pid)
        host.wait_for(lambda: host.link("geth1")["datapath"]["restarts"] == 1, "another datapath")
    host.wait_for_carrier()
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")
