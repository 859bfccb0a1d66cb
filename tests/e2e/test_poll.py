"""How a datapath waits, chosen on running links: what it counts then, and that nothing is lost meanwhile."""

from __future__ import annotations

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.model import CHANNEL_ELEMENTS
from tests import traffic
from tests.e2e.host import Host, links_file

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns

FAR = "10.10.0.2"
SHM = Path(__file__).parents[2] / "configs" / "shm-pair.yaml"
GPIOSK = """\
links:
  - {name: geth0, mode: eth, medium: sim, wire: cable0, code: gpiosk}
  - {name: geth1, mode: eth, medium: sim, wire: cable0, code: gpiosk, netns: far}
"""


@pytest.fixture(params=["sim", "shm"])
def ends(request: pytest.FixtureRequest, host: Host, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A pair of links, over simulated lines or over channels: the names of both."""
    if request.param == "sim":
        host.apply(links_file())
        yield "geth0", "geth1"
    else:
        host.apply(SHM.read_text().replace("/dev/shm/gpiomux-", f"{tmp_path}/"))
        yield "shm0", "shm1"


def counted(host: Host, name: str) -> dict[str, int]:
    """What the datapath has counted of its lines, or of its channel."""
    (link,) = (link for link in host.stats()["links"] if link["name"] == name)
    return dict(link["line"] or link["channel"])


def test_irq_sleeps_and_is_woken_and_busy_never_sleeps(host: Host, ends: tuple[str, str]) -> None:
    before = host.datapaths()
    near, far = ends
    for name in ends:
        host.gpiomux("set-poll", name, "irq")
    first = counted(host, near)
    assert traffic.echo(FAR, (0, 700, 1400)).wrong == []
    then = counted(host, near)
    assert then["sleeps"] > first["sleeps"]
    assert then["interrupts"] > first["interrupts"]
    host.gpiomux("set-poll", near, "busy")
    first = counted(host, near)
    assert traffic.echo(FAR, (0, 700, 1400)).wrong == []
    host.wait_for(lambda: counted(host, near)["polls"] > first["polls"] + 10_000, "it looks all the time")
    assert counted(host, near)["sleeps"] == first["sleeps"]
    assert host.link(far)["carrier"]
    assert host.datapaths() == before


def test_busy_goes_on_without_a_peer_that_reads_no_more(host: Host, tmp_path: Path) -> None:
    """A channel that stays full is written without regard to its reader after a while, also if nobody ever sleeps."""
    host.apply(SHM.read_text().replace("/dev/shm/gpiomux-", f"{tmp_path}/"))
    host.gpiomux("set-poll", "shm0", "busy")
    far = host.datapaths()["shm1"]
    os.kill(far, signal.SIGSTOP)

    def is_past_the_end() -> bool:
        for _ in range(200):
            traffic.send_datagram(FAR, 9, b"x")
        (shown,) = json.loads(host.run("ip", "-json", "-stats", "link", "show", "shm0"))
        return bool(shown["stats64"]["tx"]["packets"] > CHANNEL_ELEMENTS + 100)

    host.wait_for(is_past_the_end, "more elements than the channel has")
    os.kill(far, signal.SIGCONT)
    host.wait_for_carrier()
    assert traffic.echo(FAR, (0, 700, 1400)).wrong == []


def test_no_packet_is_lost_while_the_way_of_waiting_changes(host: Host, ends: tuple[str, str]) -> None:
    before = host.datapaths()
    changed = threading.Event()
    with ThreadPoolExecutor(1) as beside:
        echoes = beside.submit(traffic.echo, FAR, sizes_until(changed))
        try:
            for mode in ("busy", "irq --budget 1", "auto --idle 50", "busy --budget 7", "auto"):
                for name in ends:
                    host.gpiomux("set-poll", name, *mode.split())
        finally:
            changed.set()
    assert echoes.result().wrong == []
    assert echoes.result().sent > 5
    assert host.datapaths() == before


def sizes_until(over: threading.Event) -> Iterator[int]:
    """Sizes of payloads, each once, as long as something goes on."""
    for size in range(1400):
        if over.is_set():
            return
        yield size


def test_it_is_planned_shown_written_and_made_anew(host: Host) -> None:
    host.apply(links_file(near="addresses: [10.10.0.1/24], poll: irq"))
    path = host.directory / "links.yaml"
    before = host.datapaths()
    assert host.gpiomux("set-poll", "geth1", "auto", "--idle", "500", "--budget", "64") == (
        "+ polling of geth1: auto, idle_us 500, budget 64\n"
    )
    assert host.gpiomux("set-poll", "--persist", "geth0", "busy") == (
        f"~ polling of geth0: irq -> busy\n~ file {path}\n"
    )
    assert "poll: busy" in path.read_text()
    near, far = json.loads(host.gpiomux("show", "--json"))["links"]
    assert (near["poll"], far["poll"]) == ("busy", {"mode": "auto", "idle_us": 500, "budget": 64})
    assert host.gpiomux("set-poll", "geth0", "busy") == "nothing to do\n"
    assert "set-poll geth1 auto --idle 500 --budget 64" in host.ask("apply", str(path)).errors
    assert host.datapaths() == before
    host.gpiomux("restart", "geth0")
    host.wait_for_carrier()
    first = counted(host, "geth0")["sleeps"]
    assert traffic.echo(FAR, (0, 700)).wrong == []
    assert counted(host, "geth0")["sleeps"] == first
    host.gpiomux("apply", "--reset-overlay", str(path))
    path.write_text(path.read_text().replace("poll: busy", "poll: auto"))
    assert host.gpiomux("apply", str(path)) == "- polling of geth0: busy\n"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("geth0", "bussy"), "bussy is no way of polling", "use auto, irq, busy"),
        (("geth0", "irq", "--idle", "5"), "mode irq takes no idle time", "leave out --idle"),
        (("geth7", "irq"), "there is no link 'geth7'", "did you mean"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(
    host: Host, words: tuple[str, ...], message: str, hint: str
) -> None:
    host.apply(links_file())
    answer = host.ask("set-poll", *words)
    assert (answer.exit_status, message in answer.errors, hint in answer.errors) == (2, True, True), answer.errors


def test_the_pulse_code_always_waits_for_interrupts(host: Host) -> None:
    host.apply(GPIOSK)
    answer = host.ask("set-poll", "geth0", "busy")
    assert (answer.exit_status, "its line code is gpiosk" in answer.errors) == (2, True), answer.errors
