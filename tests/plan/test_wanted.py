"""What a configuration stands for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gpiomux.config.load import load_file, load_text
from gpiomux.config.model import (
    Bundle,
    Child,
    Config,
    GpioMedium,
    Lines,
    LineSource,
    Link,
    Mode,
    Netdev,
    PollMode,
    ProtocolIds,
    ShmMedium,
    Transport,
)
from gpiomux.config.model import Poll as WantedPoll
from gpiomux.config.model import Route as WantedRoute
from gpiomux.plan.state import (
    Address,
    Attachment,
    Channel,
    Chip,
    Datapath,
    Interface,
    Mark,
    Netns,
    Pmtu,
    Poll,
    Route,
    Wire,
    Xdp,
)
from gpiomux.plan.wanted import known_metric, wanted_state
from tests.plan.configs import transport

EXAMPLES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def link(netdev: Netdev, *children: Child, mode: Mode = Mode.NET_HDR) -> Config:
    return Config(links=(Link(name="geth0", transport=transport(mode), netdev=netdev, children=children),))


def test_everything_in_the_order_of_the_file() -> None:
    config = link(
        Netdev(netns="far", addresses=("10.0.0.1/24", "fd00::1/64"), routes=(WantedRoute(to="10.9.0.0/16"),)),
        Child(name="child1", marks=(7, 8), netdev=Netdev(mtu=1400, netns="far")),
    )
    assert wanted_state(config) == (
        Wire(name="cable0"),
        Netns(name="far"),
        Interface(name="geth0", link="geth0", kind="tun", netns="far", mtu=1500, mac=None, up=True),
        Address(interface="geth0", netns="far", address="10.0.0.1/24"),
        Address(interface="geth0", netns="far", address="fd00::1/64"),
        Route(interface="geth0", netns="far", to="10.9.0.0/16", via=None, metric=None),
        Datapath(link="geth0", transport=transport()),
        Interface(name="child1", link="geth0", kind="tun", netns="far", mtu=1400, mac=None, up=True),
        Attachment(link="geth0", child="child1"),
        Mark(link="geth0", child="child1", mark=7),
        Mark(link="geth0", child="child1", mark=8),
    )


def test_what_a_datapath_holds_comes_behind_it_and_polling_only_if_it_is_not_the_default() -> None:
    plain = link(Netdev()).links[0]
    tuned = replace(plain, pmtu=((7, 1280), (9, 600)), poll=WantedPoll(mode=PollMode.BUSY))
    assert wanted_state(Config(links=(plain,))) == (*wanted_state(Config(links=(tuned,)))[:3],)
    assert wanted_state(Config(links=(tuned,)))[3:] == (
        Poll(link="geth0", mode=PollMode.BUSY, idle_us=None, budget=None),
        Pmtu(link="geth0", mark=7, limit_bytes=1280),
        Pmtu(link="geth0", mark=9, limit_bytes=600),
    )


@pytest.mark.parametrize(("mode", "kind"), [(Mode.ETH, "tap"), (Mode.NET_HDR, "tun"), (Mode.RAW, "tun-pi")])
def test_the_mode_chooses_the_device(mode: Mode, kind: str) -> None:
    kinds = [it.kind for it in wanted_state(link(Netdev(), mode=mode)) if isinstance(it, Interface)]
    assert kinds == [kind]


def test_an_address_by_hwid_is_wanted() -> None:
    (interface,) = (it for it in wanted_state(link(Netdev(hwid=3), mode=Mode.ETH)) if isinstance(it, Interface))
    assert interface.mac == "46:45:54:48:30:33"


def test_down_no_ipv6_and_no_routes() -> None:
    netdev = Netdev(up=False, addresses=("10.0.0.1/24", "fd00::1/64"), routes=(WantedRoute(to="10.9.0.0/16"),))
    state = wanted_state(link(netdev))
    assert [it.address for it in state if isinstance(it, Address)] == ["10.0.0.1/24"]
    assert not [it for it in state if isinstance(it, Route)]


@pytest.mark.parametrize(
    ("to", "metric", "known"),
    [
        ("10.0.0.0/8", None, None),
        ("10.0.0.0/8", 0, None),
        ("10.0.0.0/8", 1024, 1024),
        ("fd00::/64", None, None),
        ("fd00::/64", 0, None),
        ("fd00::/64", 1024, None),
        ("fd00::/64", 7, 7),
    ],
)
def test_the_kernels_metric_is_none(to: str, metric: int | None, known: int | None) -> None:
    assert known_metric(to, metric) == known


def test_a_link_over_channels_wants_both_of_them() -> None:
    ids = ProtocolIds(reader=1, writer=2)
    medium = ShmMedium(out="/dev/shm/a", into="/dev/shm/b", elements=10, poll_ms=7)
    shm = Transport(mode=Mode.RAW, protocol=ids, medium=medium, lines=None)
    wanted = wanted_state(Config(links=(Link(name="ring", transport=shm, netdev=Netdev(mtu=100)),)))
    assert [it.size_bytes for it in wanted if isinstance(it, Channel)] == [1064, 1064]
    (datapath,) = (it for it in wanted if isinstance(it, Datapath))
    assert datapath.requires == (("interface", "ring"), ("channel", "/dev/shm/a"), ("channel", "/dev/shm/b"))
    # How long its file would have been makes no difference to a process that runs.
    assert datapath.transport.medium == ShmMedium(out="/dev/shm/a", into="/dev/shm/b", poll_ms=7)


PINS = Lines(
    out=Bundle(data=(0,), req=1, ack=2),
    into=Bundle(data=(3,), req=4, ack=5),
    sources=(LineSource(chip="soc", offsets=(7, 6, 5, 4)), LineSource(name="A"), LineSource(name="B")),
)


def pins(lines: Lines, medium: GpioMedium) -> Config:
    wanted = Transport(mode=Mode.RAW, protocol=ProtocolIds(reader=1, writer=2), medium=medium, lines=lines)
    return Config(links=(Link(name="pins", transport=wanted),))


def test_real_lines_are_gathered_into_a_chip() -> None:
    chip, interface, datapath = wanted_state(pins(PINS, GpioMedium(group="gpio", mode=0o660)))
    assert isinstance(chip, Chip)
    assert [(line.key, line.offset) for line in chip.lines] == [
        ("soc", 7), ("soc", 6), ("soc", 5), ("soc", 4), ("A", None), ("B", None)
    ]  # fmt: skip
    assert (chip.owner, chip.group, chip.mode, chip.device) == (None, "gpio", 0o660, None)
    assert set(datapath.requires) == {interface.key, chip.key}


def test_who_may_open_a_chip_does_not_concern_its_datapath() -> None:
    one, other = (wanted_state(pins(PINS, GpioMedium(mode=mode))) for mode in (None, 0o600))
    assert one[-1] == other[-1]
    assert one[0] != other[0]


def test_a_device_becomes_the_chip() -> None:
    chip = wanted_state(pins(replace(PINS, sources=(), device="door"), GpioMedium()))[0]
    assert isinstance(chip, Chip)
    assert (chip.device, chip.lines) == ("door", ())


def test_without_aggregator_there_is_no_chip_of_the_link() -> None:
    state = wanted_state(pins(replace(PINS, sources=PINS.sources[:1], aggregate=False), GpioMedium()))
    assert [it.key[0] for it in state] == ["interface", "datapath"]
    assert state[-1].requires == (("interface", "pins"),)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_wanted_wholly(path: Path) -> None:
    config = load_file(path)
    keys = [it.key for it in wanted_state(config)]
    assert len(keys) == len(set(keys))
    assert {("datapath", it.name) for it in config.links} <= set(keys)


def test_a_program_is_wanted_where_its_interface_can_run_it() -> None:
    text = """
links:
  - {name: geth0, mode: eth, medium: sim, wire: {name: w, external: true}, protocol: {reader: 1, writer: 2}, mtu: 9000,
     xdp: pass, children: [{name: child1, mtu: 1500, xdp: {program: /f.o, name: x}, netns: far}, {name: child2}]}
"""
    found = [it for it in wanted_state(load_text(text, "x.yaml")) if isinstance(it, Xdp)]
    assert [(it.interface, it.netns, it.program, it.name, it.mode) for it in found] == [
        ("geth0", None, "pass", None, "generic"),
        ("child1", "far", "/f.o", "x", "native"),
    ]
    assert [bool(it.why) for it in found] == [True, True]
