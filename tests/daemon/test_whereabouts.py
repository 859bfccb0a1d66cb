"""What is told of interfaces that are where they shall be, elsewhere, or nowhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gpiomux.apply.datapaths import Datapaths
from gpiomux.config.load import load_text
from gpiomux.config.model import Config, Netdev
from gpiomux.daemon.whereabouts import interface_to_plain, present, strayed
from gpiomux.errors import MachineError
from gpiomux.netdev import netns
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tags import tag
from gpiomux.netdev.tuntap import keep_tun, open_tun
from gpiomux.plan.observed import Observed
from gpiomux.plan.state import Address, Interface
from gpiomux.rundir import RunDir

NETDEV = Netdev(addresses=("10.10.0.2/24", "10.10.0.1/24", "fd00::1/64"))
CONFIG = load_text(
    """
links:
  - name: geth0
    mode: net_hdr
    medium: sim
    wire: {name: cable0, external: true}
    protocol: {reader: 1, writer: 2}
    netns: far
""",
    "test.yaml",
)
FOUND = Observed(
    state=frozenset(
        (
            Interface(name="geth0", link="geth0", kind="tun", netns="x", mtu=900, mac=None, up=True, renamed="foo"),
            Interface(name="child1", link="geth0", kind="tun", netns=None, mtu=900, mac=None, up=True),
            Address(interface="geth0", netns="x", address="fd00::1/64"),
            Address(interface="geth0", netns="x", address="10.10.0.2/24"),
            Address(interface="child1", netns=None, address="10.10.0.1/24"),
        )
    )
)


def test_what_was_found() -> None:
    assert interface_to_plain("geth0", NETDEV, FOUND, None) == {
        "state": "found",
        "name": "foo",
        "netns": "x",
        "up": True,
        "mtu": 900,
        "mac": None,
        "rps": None,
        "addresses": ["10.10.0.2/24", "fd00::1/64"],
    }


@pytest.mark.parametrize(
    ("holder", "state"),
    [
        (None, "missing"),
        (MachineError("does not answer", errno=110), "missing"),
        ({"link": "geth0", "children": [], "gone": ["geth0"]}, "missing"),
        ({"link": "geth0", "children": [], "gone": []}, "out-of-sight"),
        ({"link": "geth1", "children": [{"name": "geth0"}], "gone": []}, "out-of-sight"),
        ({"link": "geth1", "children": [], "gone": []}, "missing"),
    ],
)
def test_what_was_not_found(holder: Any, state: str) -> None:
    assert interface_to_plain("geth0", NETDEV, Observed(), holder) == {"state": state}


def test_what_cannot_be_looked_at() -> None:
    told = interface_to_plain("geth0", NETDEV, MachineError("not permitted", errno=1), None)
    assert told == {"state": "unknown", "why": "not permitted"}


@pytest.mark.netns
def test_only_what_is_missing_is_looked_for_everywhere() -> None:
    rundir = RunDir(Path("/run/whereabouts-test"))
    datapaths = Datapaths(rundir)
    places = ("far", "other")
    for place in places:
        netns.create(place)
        with Rtnl(place) as rtnl:
            for name in ("geth0", "geth9"):
                keep(name, place)
                rtnl.set_alias(name, tag(name, rundir.owner))
    try:
        there = present(rundir, datapaths, CONFIG)
        assert {it.netns for it in there.state if isinstance(it, Interface) and it.name == "geth0"} == {"far"}
        assert strayed(rundir, datapaths, CONFIG, there) == Observed()
        with Rtnl("far") as far:
            far.delete_link("geth0")
        (stray,) = strayed(rundir, datapaths, CONFIG, present(rundir, datapaths, Config())).state
        assert isinstance(stray, Interface)
        assert (stray.name, stray.netns) == ("geth0", "other")
    finally:
        for place in places:
            netns.remove(place)


def keep(name: str, place: str) -> None:
    fd = open_tun(name, "tun", place)
    keep_tun(fd)
    os.close(fd)
