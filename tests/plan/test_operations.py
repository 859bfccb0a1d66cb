"""One step: its words, its inverse, and which verb of the machine it calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpiomux.config.gathered import Gathered
from gpiomux.config.model import GpioMedium, Mode, PollMode, ProtocolIds, ShmMedium, Transport
from gpiomux.plan.operations import Change, Create, Operation, Remove
from gpiomux.plan.state import (
    Address,
    Attachment,
    Chip,
    Datapath,
    Interface,
    Mark,
    Netns,
    Pmtu,
    Poll,
    Resource,
    Route,
    Wire,
    Xdp,
)
from gpiomux.plan.words import resource_name
from tests.plan.configs import transport
from tests.plan.model_machine import ModelMachine

GETH0 = Interface(name="geth0", link="geth0", kind="tap", netns="far", mtu=1500, mac="02:00:00:00:00:01", up=True)
IDS = ProtocolIds(reader=1, writer=2)
GPIO = Transport(mode=Mode.ETH, protocol=IDS, medium=GpioMedium(), lines=None)
CHIP = Chip(
    link="geth0",
    lines=(Gathered(key="soc", offset=5), Gathered(key="soc", offset=4), Gathered(key="GPIO16", offset=None)),
    group="gpio",
    mode=0o660,
)
SHM = Transport(mode=Mode.RAW, protocol=IDS, medium=ShmMedium(out="/dev/shm/a", into="/dev/shm/b"), lines=None)

WORDS: list[tuple[Resource, str, str]] = [
    (Netns(name="far"), "far", "network namespace far"),
    (Wire(name="cable0"), "cable0", "simulated wire cable0"),
    (CHIP, "geth0", "chip of geth0 (3 lines: soc, lines by name, group gpio, mode 0660)"),
    (Chip(link="geth0", lines=(), device="door"), "geth0", "chip of geth0 (device door)"),
    (GETH0, "geth0", "interface geth0 (tap) in netns far, mtu 1500, mac 02:00:00:00:00:01"),
    (
        replace(GETH0, netns=None, mac=None, up=False, kind="tun"),
        "geth0",
        "interface geth0 (tun), mtu 1500, down",
    ),
    (Address(interface="geth0", netns="far", address="fd00::1/64"), "geth0", "address fd00::1/64 on geth0"),
    (Route(interface="geth0", netns=None, to="0.0.0.0/0", via=None, metric=None), "geth0", "route 0.0.0.0/0 on geth0"),
    (
        Route(interface="geth0", netns=None, to="10.2.0.0/16", via="10.10.0.2", metric=100),
        "geth0",
        "route 10.2.0.0/16 via 10.10.0.2 metric 100 on geth0",
    ),
    (
        Xdp(interface="geth0", netns=None, program="drop", name=None, mode="native"),
        "geth0",
        "xdp drop on geth0 (native)",
    ),
    (
        Xdp(interface="geth0", netns="far", program="/f.o", name="only", mode="generic"),
        "geth0",
        "xdp /f.o:only on geth0 (generic)",
    ),
    (
        Datapath(link="geth0", transport=transport()),
        "geth0",
        "datapath of geth0 (net_hdr over end a of simulated wire cable0)",
    ),
    (Datapath(link="geth0", transport=GPIO), "geth0", "datapath of geth0 (eth over GPIO lines)"),
    (Datapath(link="geth0", transport=SHM), "geth0", "datapath of geth0 (raw over channels /dev/shm/a and /dev/shm/b)"),
    (Poll(link="geth0", mode=PollMode.BUSY, idle_us=None, budget=None), "geth0", "polling of geth0: busy"),
    (
        Poll(link="geth0", mode=PollMode.AUTO, idle_us=50, budget=64),
        "geth0",
        "polling of geth0: auto, idle_us 50, budget 64",
    ),
    (Pmtu(link="geth0", mark=7, limit_bytes=1280), "geth0", "pmtu 1280 of mark 7 on geth0"),
    (Attachment(link="geth0", child="child1"), "child1", "child child1 of geth0"),
    (Mark(link="geth0", child="child1", mark=7), "child1", "mark 7 to child1 of geth0"),
]


@pytest.mark.parametrize(
    ("resource", "name", "words"), WORDS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_words(resource: Resource, name: str, words: str) -> None:
    assert Create(resource).describe() == f"+ {words}"
    assert Remove(resource).describe() == f"- {words}"
    assert resource_name(resource) == name


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (replace(GETH0, mtu=1400), "mtu 1500 -> 1400"),
        (replace(GETH0, up=False), "up -> down"),
        (replace(GETH0, mac="02:00:00:00:00:02"), "mac 02:00:00:00:00:01 -> 02:00:00:00:00:02"),
    ],
)
def test_words_of_a_change(new: Interface, words: str) -> None:
    assert Change(GETH0, new).describe() == f"~ interface geth0 (tap) in netns far: {words}"


def test_words_of_a_change_of_a_program() -> None:
    old = Xdp(interface="geth0", netns=None, program="/f.o", name=None, mode="native", stale=True, program_id=7)
    assert Change(old, replace(old, program="drop")).describe() == "~ xdp on geth0 (native): /f.o -> drop"
    assert Change(old, replace(old, stale=False)).describe() == "~ xdp on geth0 (native): /f.o -> what it says now"


def test_words_of_a_change_of_what_a_datapath_holds() -> None:
    busy = Poll(link="geth0", mode=PollMode.BUSY, idle_us=None, budget=None)
    change = Change(busy, replace(busy, mode=PollMode.AUTO, idle_us=50))
    assert change.describe() == "~ polling of geth0: busy -> auto, idle_us 50"
    pmtu = Pmtu(link="geth0", mark=7, limit_bytes=1280)
    assert Change(pmtu, replace(pmtu, limit_bytes=600)).describe() == "~ pmtu of mark 7 on geth0: 1280 -> 600"


def test_words_of_a_change_of_access() -> None:
    change = Change(replace(CHIP, owner="root"), replace(CHIP, owner="root", group="root", mode=0o600))
    before, after = "owner root, group gpio, mode 0660", "owner root, group root, mode 0600"
    assert change.describe() == f"~ chip of geth0: {before} -> {after}"


@pytest.mark.parametrize(
    ("operation", "inverse"),
    [
        (Create(GETH0), Remove(GETH0)),
        (Remove(GETH0), Create(GETH0)),
        (Change(GETH0, replace(GETH0, up=False)), Change(replace(GETH0, up=False), GETH0)),
    ],
)
def test_inverse(operation: Operation, inverse: Operation) -> None:
    assert operation.inverse() == inverse
    assert operation.inverse().inverse() == operation


def test_perform() -> None:
    machine = ModelMachine(borrowed=("far",))
    Create(GETH0).perform(machine)
    assert machine.state == {GETH0}
    Change(GETH0, replace(GETH0, mtu=900)).perform(machine)
    assert machine.state == {replace(GETH0, mtu=900)}
    Remove(replace(GETH0, mtu=900)).perform(machine)
    assert machine.state == frozenset()
