"""Looking at the machine: what is ours, what is not, and what cannot be looked at."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.apply.observe import INBORN, observe
from gpiomux.config.model import PollMode
from gpiomux.config.plain import transport_to_plain
from gpiomux.errors import MachineError
from gpiomux.netdev import netns
from gpiomux.netdev.inside import DIRECTORY
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tags import tag
from gpiomux.plan.observed import Foreign, Observed
from gpiomux.plan.state import Address, Attachment, Datapath, Interface, Mark, Netns, Pmtu, Poll, Route, Wire
from gpiomux.rundir import RunDir
from tests.plan.configs import transport

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns


class FakeDatapaths:
    """Datapaths that tell what the test says."""

    def __init__(self, **reports: dict[str, Any] | MachineError | None) -> None:
        self._reports = reports

    def reports(self) -> dict[str, dict[str, Any] | MachineError | None]:
        return self._reports


def look(*namespaces: str, rundir: RunDir | None = None, **reports: dict[str, Any] | MachineError | None) -> Observed:
    datapaths: Any = FakeDatapaths(**reports)
    return observe(rundir or RunDir(Path("/run/gpiomux")), datapaths, namespaces)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def geth0() -> Iterator[Rtnl]:
    """An interface with our tag, which is up; the socket to do more with."""
    ip("tuntap", "add", "geth0", "mode", "tap")
    with Rtnl(None) as rtnl:
        rtnl.set_alias("geth0", tag("geth0"))
        rtnl.set_mac("geth0", "02:00:00:00:00:01")
        rtnl.set_up("geth0", True)
        yield rtnl
        rtnl.delete_link("geth0")


def test_an_empty_machine() -> None:
    assert look() == Observed()


def test_tagged_and_foreign(geth0: Rtnl) -> None:
    geth0.add_address("geth0", "10.0.0.1/24")
    geth0.add_route("geth0", "10.9.0.0/16", None, 7)
    geth0.add_route("geth0", "fd09::/64", None, None)
    ip("addr", "add", "10.1.0.1/24", "dev", "geth0")
    ip("route", "add", "10.8.0.0/16", "dev", "geth0")
    ip("tuntap", "add", "theirs", "mode", "tun")
    found = look()
    ip("link", "del", "theirs")
    assert found.state == {
        Interface(name="geth0", link="geth0", kind="tap", netns=None, mtu=1500, mac="02:00:00:00:00:01", up=True),
        Address(interface="geth0", netns=None, address="10.0.0.1/24"),
        Route(interface="geth0", netns=None, to="10.9.0.0/16", via=None, metric=7),
        Route(interface="geth0", netns=None, to="fd09::/64", via=None, metric=None),
    }
    assert found.foreign >= {
        Foreign(netns=None, key=("interface", "theirs")),
        Foreign(netns=None, key=("address", "geth0", "10.1.0.1/24")),
        Foreign(netns=None, key=("route", "geth0", "10.8.0.0/16", "", "0")),
    }
    assert not {it.key[1] for it in found.foreign} & INBORN


def test_what_somebody_has_renamed_and_moved_is_known_by_its_tag(geth0: Rtnl) -> None:
    geth0.set_alias("geth0", tag("geth1", name="child1"))
    geth0.add_address("geth0", "10.0.0.1/24")
    ip("addr", "add", "10.1.0.1/24", "dev", "geth0")
    geth0.move("geth0", None, "foo")
    child = Interface(
        name="child1", link="geth1", kind="tap", netns=None, mtu=1500, mac="02:00:00:00:00:01", up=True, renamed="foo"
    )
    found = look()
    assert found.state == {child, Address(interface="child1", netns=None, address="10.0.0.1/24")}
    assert Foreign(netns=None, key=("address", "child1", "10.1.0.1/24")) in found.foreign
    ip("netns", "add", "near")
    try:
        geth0.move("foo", "near", "foo")
        assert look("near").state == {replace(child, netns="near", up=False)}
        assert look().state == frozenset()
        with Rtnl("near") as near:
            near.move("foo", None, "geth0")
    finally:
        ip("netns", "del", "near")


def test_addresses_of_others_on_interfaces_of_others_are_none_of_our_business() -> None:
    ip("tuntap", "add", "theirs", "mode", "tun")
    ip("addr", "add", "10.1.0.1/24", "dev", "theirs")
    found = look()
    ip("link", "del", "theirs")
    assert found.foreign == {Foreign(netns=None, key=("interface", "theirs"))}


def test_namespaces() -> None:
    netns.create("far")
    ip("netns", "add", "near")
    (DIRECTORY / "broken").touch()
    try:
        found = look("far", "near", "nowhere", "broken")
        unasked = look()
    finally:
        netns.remove("far")
        ip("netns", "del", "near")
        (DIRECTORY / "broken").unlink()
    assert found == Observed(state=frozenset({Netns(name="far")}), borrowed=frozenset({"near"}))
    assert unasked == Observed()


def test_wires(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    rundir.wire("cable0").mkdir(parents=True)
    rundir.wire(".cable1.draft").mkdir()
    assert look(rundir=rundir).state == {Wire(name="cable0")}


def test_a_run_directory_that_is_none(tmp_path: Path) -> None:
    RunDir(tmp_path).wires.touch()
    with pytest.raises(MachineError, match=r"cannot read .*wires: Not a directory"):
        look(rundir=RunDir(tmp_path))


def test_datapaths() -> None:
    report = {
        "transport": transport_to_plain(transport(end="b")),
        "pmtu": [[7, 1280]],
        "poll": {"mode": "auto", "idle_us": None, "budget": 64},
        "children": [{"name": "child1", "marks": [7, 8]}, {"name": "child2", "marks": []}],
        "gone": ["child2"],
        "marks_method": "bpf-tcx",
    }
    plain = {**report, "pmtu": [], "poll": {"mode": "auto", "idle_us": None, "budget": None}, "children": []}
    found = look(geth0=report, geth1={**plain, "gone": ["geth1"]}, geth2=None, geth3={**plain, "poll": None})
    assert found.state == {
        Datapath(link="geth0", transport=transport(end="b")),
        Poll(link="geth0", mode=PollMode.AUTO, idle_us=None, budget=64),
        Pmtu(link="geth0", mark=7, limit_bytes=1280),
        Attachment(link="geth0", child="child1"),
        Attachment(link="geth0", child="child2"),
        Mark(link="geth0", child="child1", mark=7),
        Mark(link="geth0", child="child1", mark=8),
        Datapath(link="geth1", transport=transport(end="b")),
        Datapath(link="geth3", transport=transport(end="b")),
    }
    assert found.broken == {("child", "child2"), ("datapath", "geth1")}
    assert found.rooted == frozenset()
    assert found.held == {"geth0", "child1", "geth3"}
    assert look(geth0={**report, "marks_method": "packet-socket"}).rooted == {"geth0", "child1", "child2"}
