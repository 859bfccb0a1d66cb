"""Settings of lines are on the lines: bias and drive of the configuration, and what outputs do when nobody is left.

Bias and levels are looked at on the simulated chip of the kernel, whose every line has a pull and a value to read; the
null modem has no pulls, so only outputs that are not pulled up can carry packets on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import gpiod
import pytest

from tests.e2e.host import RUN_DIRECTORY, Host
from tests.kernel import chips, modem
from tests.kernel.chips import two_links
from tests.kernel.processes import kill

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.netns]

BANK = "dt-bank"
"""A chip of the device tree, without wires, and where its lines are seen from outside."""
SIMULATOR = Path("/sys/devices/platform/gpio-simulator")
DATA, REQ, ACK_OF_IN = range(3)
"""Outputs of a link of one bit each way; the lines after them are its inputs."""
INPUTS = range(3, 6)


@pytest.fixture
def bank() -> Iterator[None]:
    """All lines of the simulated chip are pulled down, before the test and after it."""
    _pull_all("pull-down")
    yield
    _pull_all("pull-down")


def _pull_all(pull: str) -> None:
    for path in SIMULATOR.glob("gpiochip*/sim_gpio*/pull"):
        path.write_text(pull)


def seen(offset: int, what: str) -> str:
    """`pull` or `value` of a line of the simulated chip, as the world outside of the machine sees it."""
    (path,) = SIMULATOR.glob(f"gpiochip*/sim_gpio{offset}/{what}")
    return path.read_text().strip()


def lonely_link(settings: str) -> str:
    """One link on the simulated chip, whose peer never answers."""
    return (
        "links:\n"
        "  - {name: geth0, mode: net_hdr, medium: gpio, protocol: {reader: 1, writer: 2},\n"
        f'     lines: {{from: [{{chip: {BANK}, offsets: "0-5"}}], {settings},\n'
        "       out: {data: [0], req: 1, ack: 5}, in: {data: [3], req: 4, ack: 2}}}\n"
    )


@pytest.mark.parametrize(
    ("bias", "before", "after"),
    [
        ("pull-up", "pull-down", "pull-up"),
        ("pull-down", "pull-up", "pull-down"),
        ("as-is", "pull-up", "pull-up"),
        ("as-is", "pull-down", "pull-down"),
    ],
)
def test_the_bias_of_the_inputs(host: Host, bank: None, bias: str, before: str, after: str) -> None:
    _pull_all(before)
    host.gpiomux("apply", host.file(lonely_link(f"bias: {bias}")))
    assert {seen(offset, "pull") for offset in INPUTS} == {after}
    assert {seen(offset, "pull") for offset in (DATA, REQ, ACK_OF_IN)} == {before}
    assert {seen(offset, "value") for offset in INPUTS} == {"1" if after == "pull-up" else "0"}


@pytest.mark.parametrize(
    ("drive", "driven"),
    [("push-pull", {REQ: "1", ACK_OF_IN: "0"}), ("open-drain", {ACK_OF_IN: "0"}), ("open-source", {REQ: "1"})],
)
def test_the_drive_of_the_outputs(host: Host, bank: None, drive: str, driven: dict[int, str]) -> None:
    """The first word of the first hello stays on the lines: `req` carries 1 then, and `ack` 0."""
    host.gpiomux("apply", host.file(lonely_link(f"drive: {drive}")))

    def outputs() -> dict[int, str]:
        lines = chips.chip(BANK).lines
        return {offset: seen(offset, "value") for offset in (REQ, ACK_OF_IN) if lines[offset].output}

    host.wait_for(lambda: outputs() == driven, f"outputs {driven}")


def test_lines_that_are_active_low(host: Host, bank: None) -> None:
    """`ack` and `req` carry 0 and 1 by the other level."""
    host.gpiomux("apply", host.file(lonely_link("active_low: [1, 2]")))
    host.wait_for(lambda: (seen(REQ, "value"), seen(ACK_OF_IN, "value")) == ("0", "1"), "the other levels")


def test_packets_cross_lines_that_are_not_driven_low(host: Host) -> None:
    host.apply(two_links(settings=", drive: open-source"))
    host.run("ping", "-c", "2", "-w", "120", "10.10.0.2")


def outputs_of(label: str) -> list[bool]:
    """Which of the lines that geth0 drives are outputs of a chip."""
    return [line.output for line in chips.chip(label).lines[:10]]


@pytest.mark.parametrize("aggregate", [True, False])
def test_outputs_after_the_death_of_everybody(host: Host, aggregate: bool) -> None:
    """An aggregator chip goes on driving; without one the driver of the source chip makes inputs of them."""
    host.apply(two_links(aggregate=aggregate))
    processes = host.datapaths()
    for pid in (host.status()["daemon"]["pid"], *processes.values()):
        kill(pid)
    if aggregate:
        assert outputs_of(modem.LABELS[0]) == [True] * 10
    else:
        # What is told of a line that nobody holds is stale; requesting it makes the kernel ask the driver.
        with gpiod.request_lines(str(modem.chip(0)), {tuple(range(10)): None}):
            assert outputs_of(modem.LABELS[0]) == [False] * 10
    host.gpiomux("down")
    assert outputs_of(modem.LABELS[0]) == [False] * 10


def test_outputs_rest_while_their_datapath_cannot_be_started(host: Host) -> None:
    host.apply(two_links())
    pid = host.datapaths()["geth0"]
    sockets = RUN_DIRECTORY / "links"
    host.run("mount", "-t", "tmpfs", "-o", "nr_inodes=1", "none", str(sockets))  # no room for a socket
    try:
        kill(pid)
        host.wait_for(lambda: host.link("geth0")["datapath"]["state"] == "failed", "a failed start")
        host.wait_for(lambda: outputs_of(modem.LABELS[0]) == [False] * 10, "inputs")
        assert chips.consumers(modem.LABELS[0]) != set()
    finally:
        host.run("umount", str(sockets))
    host.wait_for_carrier()
    assert outputs_of(modem.LABELS[0]) == [True] * 10
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")
