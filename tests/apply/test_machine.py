"""Plans on the real kernel: what was applied is what is then observed, and what fails leaves no trace."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply.datapaths import Datapaths
from gpiomux.apply.machine import KernelMachine
from gpiomux.apply.observe import observe
from gpiomux.apply.run import run
from gpiomux.config.load import load_text
from gpiomux.config.model import Config
from gpiomux.errors import ConflictError, MachineError
from gpiomux.netdev import netns
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tags import tag
from gpiomux.plan.diff import Plan, make_plan
from gpiomux.plan.operations import Change, Create, Remove
from gpiomux.plan.state import Address, Datapath, Interface, Netns, Wire
from gpiomux.plan.wanted import wanted_state
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.plan.observed import Observed
    from gpiomux.plan.scope import Scope
    from gpiomux.plan.state import Resource, State

pytestmark = pytest.mark.netns

NAMESPACES = ("far", "near")


def config(near: str = "", *, mode: str = "net_hdr", far: str = "netns: far") -> Config:
    """Two links on one wire; `near` and `far` are what else they say."""
    ends = [
        f"  - {{name: {name}, mode: {mode}, medium: sim, wire: cable0, protocol: {{reader: {ids[0]}, writer: {ids[1]}}}"
        f"{', ' + more if more else ''}}}\n"
        for name, ids, more in (("geth0", (1, 2), near), ("geth1", (2, 1), far))
    ]
    return load_text("links:\n" + "".join(ends), "test.yaml")


RICH = config(
    "mtu: 1400, hwid: 3, addresses: [10.10.0.1/24, 10.10.0.3/24, 'fd00::1/64'], "
    "routes: [{to: 10.20.0.0/16, via: 10.10.0.2, metric: 50}, {to: 'fd20::/64', via: 'fd00::2'}, {to: 10.30.0.0/16}], "
    "children: [{name: child1, marks: [7, 4294967295], mac: '02:00:00:00:00:07', addresses: [10.11.0.1/24]}, "
    "{name: child2, netns: near, up: false, addresses: [10.12.0.1/24, 'fd12::1/64'], routes: [{to: 10.40.0.0/16}]}]",
    mode="eth",
)


class Real:
    """The test's machine, with a manager's verbs."""

    def __init__(self, rundir: RunDir) -> None:
        self.rundir = rundir
        self.datapaths = Datapaths(rundir)

    def observe(self) -> Observed:
        return observe(self.rundir, self.datapaths, NAMESPACES)

    def plan(self, wanted: Config) -> Plan:
        return make_plan(wanted_state(wanted), self.observe())

    def perform(self, plan: Plan) -> None:
        with KernelMachine(self.rundir, self.datapaths, self.observe()) as machine:
            run(plan, machine)

    def lead(self, wanted: Config) -> list[str]:
        """Apply; the operations in words."""
        plan = self.plan(wanted)
        self.perform(plan)
        return [operation.describe() for operation in plan.operations]

    def pid(self, link: str) -> int:
        process = self.datapaths.find(link)
        assert process is not None
        os.close(process.pidfd)
        return process.pid


@pytest.fixture
def real() -> Iterator[Real]:
    real = Real(RunDir(Path("/run/machine-test")))
    yield real
    real.lead(Config())
    for directory in (real.rundir.links, real.rundir.wires, real.rundir.root):
        if directory.exists():
            directory.rmdir()  # fails if anything is left


def tuns() -> set[str]:
    with Rtnl(None) as rtnl:
        return {link.name for link in rtnl.links()} - {"lo"}


def without_macs(state: State) -> State:
    """Hardware addresses that the kernel draws differ from one device to the next."""
    return frozenset(replace(it, mac=None) if isinstance(it, Interface) else it for it in state)


@pytest.mark.parametrize(
    "wanted",
    [RICH, config(), config("up: false, mtu: 68"), config("addresses: [10.10.0.1/24]", mode="raw", far="netns: near")],
    ids=["rich", "plain", "down", "raw"],
)
def test_what_was_applied_is_observed(real: Real, wanted: Config) -> None:
    assert real.lead(wanted)
    chosen = {it.key: it for it in wanted_state(wanted)}
    found = {it.key: it for it in real.observe().state}
    assert found.keys() == chosen.keys()
    for key, resource in found.items():
        want = chosen[key]
        if isinstance(resource, Interface) and isinstance(want, Interface) and want.mac is None:
            resource = replace(resource, mac=None)
        assert resource == want
    assert real.lead(wanted) == []
    assert real.lead(Config())
    assert real.observe().state == frozenset()
    assert tuns() == set()
    assert netns.names() == []


@pytest.mark.parametrize("direction", ["up", "down"])
def test_whichever_step_fails_all_is_as_before(real: Real, direction: str) -> None:
    small = config("addresses: [10.10.0.1/24], children: [{name: child1, marks: [7]}]")
    old, new = (Config(), small) if direction == "up" else (small, Config())
    real.lead(old)
    before = without_macs(real.observe().state)
    plan = real.plan(new)
    for number in range(len(plan.operations)):
        with (
            KernelMachine(real.rundir, real.datapaths, real.observe()) as machine,
            pytest.raises(MachineError, match=r"what was done before is undone|nothing was changed"),
        ):
            run(plan, Failing(machine, number))
        assert without_macs(real.observe().state) == before
    assert real.lead(new)


class Failing:
    """A machine that refuses one verb, counted from 0."""

    def __init__(self, machine: KernelMachine, number: int) -> None:
        self._machine = machine
        self._left = number

    def _count(self) -> None:
        self._left -= 1
        if self._left == -1:
            raise MachineError("refused for the test", errno=errno.EIO)

    def look(self, scope: Scope) -> Observed:
        return self._machine.look(scope)

    def create(self, resource: Resource) -> None:
        self._count()
        self._machine.create(resource)

    def remove(self, resource: Resource) -> None:
        self._count()
        self._machine.remove(resource)

    def change(self, old: Resource, new: Resource) -> None:
        self._count()
        self._machine.change(old, new)


def test_what_needs_no_new_process_gets_none(real: Real) -> None:
    real.lead(config("addresses: [10.10.0.1/24]"))
    pids = real.pid("geth0"), real.pid("geth1")
    more = "mtu: 1300, addresses: [10.10.0.9/24, 'fd00::1/64'], children: [{name: child1, marks: [7]}]"
    assert real.lead(config(more)) == [
        "- address 10.10.0.1/24 on geth0",
        "~ interface geth0 (tun): mtu 1500 -> 1300",
        "+ interface child1 (tun), mtu 1300",
        "+ address 10.10.0.9/24 on geth0",
        "+ address fd00::1/64 on geth0",
        "+ child child1 of geth0",
        "+ mark 7 to child1 of geth0",
    ]
    report = real.datapaths.report("geth0")
    assert report is not None
    assert report["mtu"] == 1300
    assert (real.pid("geth0"), real.pid("geth1")) == pids
    assert real.lead(config(more)) == []


def test_another_transport_gets_a_new_process_for_this_link_only(real: Real) -> None:
    real.lead(config("children: [{name: child1, marks: [7]}]"))
    pids = real.pid("geth0"), real.pid("geth1")
    done = real.lead(config("tx_ring: 7, children: [{name: child1, marks: [7]}]"))
    assert [line[0] + line.split()[1] for line in done] == [
        "-mark",
        "-child",
        "-datapath",
        "+datapath",
        "+child",
        "+mark",
    ]
    assert real.pid("geth0") != pids[0]
    assert real.pid("geth1") == pids[1]


def test_down_and_up_again_is_as_before(real: Real) -> None:
    text = "addresses: [10.10.0.1/24, 'fd00::1/64'], routes: [{to: 10.20.0.0/16}, {to: 'fd20::/64'}]"
    real.lead(config(text))
    before = real.observe().state
    assert real.lead(config(text + ", up: false"))
    assert real.lead(config(text + ", up: false")) == []
    assert real.lead(config(text))
    assert real.observe().state == before


def test_across_the_least_mtu_of_ipv6_and_back(real: Real) -> None:
    text = "addresses: [10.10.0.1/24, 'fd00::1/64']"
    real.lead(config(text))
    assert real.lead(config("mtu: 1000, addresses: [10.10.0.1/24]"))
    assert real.lead(config("mtu: 1000, addresses: [10.10.0.1/24]")) == []
    assert real.lead(config(text))
    assert real.lead(config(text)) == []


def test_an_address_goes_alone(real: Real) -> None:
    """The kernel would take the second address of the network, and somebody's third, along with the first."""
    real.lead(config("addresses: [10.10.0.1/24, 10.10.0.3/24]"))
    with Rtnl(None) as rtnl:
        rtnl.add_address("geth0", "10.10.0.77/24", tagged=False)
        assert real.lead(config("addresses: [10.10.0.3/24]")) == ["- address 10.10.0.1/24 on geth0"]
        left = {(it.address, it.ours) for it in rtnl.addresses() if it.interface == "geth0" and "." in it.address}
    assert left == {("10.10.0.3/24", True), ("10.10.0.77/24", False)}


def test_an_interface_that_cannot_be_made_is_not_left_half_made(real: Real) -> None:
    broken = Interface(
        name="geth9", link="geth9", kind="tap", netns=None, mtu=1500, mac="01:00:00:00:00:01", up=True
    )  # a multicast address, which the kernel refuses after the device has been made
    with pytest.raises(MachineError, match=r"\+ interface geth9 .* cannot set its address"):
        real.perform(Plan(operations=(Create(broken),)))
    assert tuns() == set()


def test_a_change_that_fails_is_taken_back(real: Real) -> None:
    real.lead(config(mode="eth"))
    before = real.observe().state
    (geth0,) = (it for it in before if isinstance(it, Interface) and it.name == "geth0")
    impossible = replace(geth0, mac="02:00:00:00:00:02", mtu=70000)
    with pytest.raises(MachineError, match="cannot set its mtu to 70000"):
        real.perform(Plan(operations=(Change(geth0, impossible),)))
    assert real.observe().state == before


def test_a_datapath_without_its_interface_is_refused(real: Real) -> None:
    (datapath, *_) = (it for it in wanted_state(config()) if isinstance(it, Datapath))
    with pytest.raises(MachineError, match="interface geth0 does not exist") as caught:
        real.perform(Plan(operations=(Create(Wire(name="cable0")), Create(datapath))))
    assert caught.value.errno == errno.ENODEV
    assert tuns() == set()


def test_what_is_gone_already_counts_as_removed(real: Real) -> None:
    address = Address(interface="geth0", netns=None, address="10.10.0.1/24")
    interface = Interface(name="geth0", link="geth0", kind="tun", netns="far", mtu=1500, mac=None, up=True)
    real.perform(
        Plan(
            operations=(
                Create(Wire(name="cable0")),
                Remove(address),
                Remove(interface),
                Remove(Netns(name="far")),
                Remove(Wire(name="cable1")),
            )
        )
    )
    assert real.observe().state == {Wire(name="cable0")}


def test_somebody_deletes_an_interface(real: Real) -> None:
    wanted = config("addresses: [10.10.0.1/24], children: [{name: child1, marks: [7]}]")
    real.lead(wanted)
    pid = real.pid("geth1")
    with Rtnl(None) as rtnl:
        rtnl.delete_link("geth0")
        rtnl.delete_link("child1")
    assert "+ interface geth0 (tun), mtu 1500" in real.lead(wanted)
    assert real.lead(wanted) == []
    assert real.pid("geth1") == pid


def test_somebody_deletes_the_namespace(real: Real) -> None:
    wanted = config()
    real.lead(wanted)
    netns.remove("far", real.rundir.owner)
    done = real.lead(wanted)
    assert "+ network namespace far" in done
    assert real.lead(wanted) == []


def test_a_datapath_dies_and_only_it_is_made_again(real: Real) -> None:
    wanted = config("children: [{name: child1, marks: [7]}]")
    real.lead(wanted)
    process = real.datapaths.find("geth0")
    assert process is not None
    signal.pidfd_send_signal(process.pidfd, signal.SIGKILL)
    select.select([process.pidfd], [], [])
    os.close(process.pidfd)
    assert real.lead(wanted) == [
        "+ datapath of geth0 (net_hdr over end a of simulated wire cable0)",
        "+ child child1 of geth0",
        "+ mark 7 to child1 of geth0",
    ]
    assert real.datapaths.exit_words(process.pid) == "killed by SIGKILL"


def test_down_after_everything_was_torn_away(real: Real) -> None:
    real.lead(config("children: [{name: child1, marks: [7]}]"))
    netns.remove("far", real.rundir.owner)
    with Rtnl(None) as rtnl:
        for name in ("geth0", "child1"):
            rtnl.delete_link(name)
    real.lead(Config())
    assert real.observe().state == frozenset()


class TestForeign:
    """What others have made."""

    @pytest.fixture
    def veth(self) -> Iterator[None]:
        """A pair of interfaces that are not ours: geth0 here, and geth9 in the namespace `near`, which is not ours."""
        with ExitStack() as undo:
            for words in (
                ("netns", "add", "near"),
                ("link", "add", "geth0", "type", "veth", "peer", "name", "geth9", "netns", "near"),
            ):
                subprocess.run(["ip", *words], check=True)
            undo.callback(subprocess.run, ["ip", "netns", "del", "near"], check=True)
            undo.callback(subprocess.run, ["ip", "link", "del", "geth0"], check=True)
            yield

    @pytest.mark.usefixtures("veth")
    def test_an_interface_in_the_way_is_a_conflict_before_anything_is_done(self, real: Real) -> None:
        before = real.observe()
        with pytest.raises(ConflictError, match="interface geth0 exists and is not ours"):
            real.lead(config())
        assert real.observe() == before
        assert not real.rundir.root.exists()

    @pytest.mark.usefixtures("veth")
    def test_the_same_name_elsewhere_and_a_borrowed_namespace_are_no_conflict(self, real: Real) -> None:
        wanted = config("netns: near")
        assert "+ network namespace near" not in real.lead(wanted)
        assert real.lead(wanted) == []
        assert "- network namespace near" not in real.lead(Config())
        assert netns.names() == ["near"]

    def test_a_namespace_of_ours_with_a_guest_stays(self, real: Real) -> None:
        real.lead(config())
        subprocess.run(["ip", "-n", "far", "tuntap", "add", "guest", "mode", "tun"], check=True)
        plan = real.plan(Config())
        real.perform(plan)
        assert plan.notes == ("network namespace far stays: it holds guest, not made by gpiomux",)
        assert netns.names() == ["far"]
        assert real.observe().state == {Netns(name="far")}
        subprocess.run(["ip", "-n", "far", "link", "del", "guest"], check=True)

    def test_addresses_and_routes_of_others_on_our_interface_stay(self, real: Real) -> None:
        wanted = config("addresses: [10.10.0.1/24]")
        real.lead(wanted)
        for words in (("addr", "add", "10.66.0.1/24"), ("route", "add", "10.67.0.0/16")):
            subprocess.run(["ip", *words, "dev", "geth0"], check=True)
        assert real.lead(wanted) == []
        real.lead(config("addresses: [10.10.0.2/24], children: [{name: child1}]"))
        with Rtnl(None) as rtnl:
            assert "10.66.0.1/24" in {it.address for it in rtnl.addresses()}
            assert "10.67.0.0/16" in {it.to for it in rtnl.routes()}

    def test_an_interface_with_a_link_of_our_name_but_no_tag_is_not_ours(self, real: Real) -> None:
        subprocess.run(["ip", "tuntap", "add", "geth0", "mode", "tun"], check=True)
        with pytest.raises(ConflictError):
            real.lead(config())
        with Rtnl(None) as rtnl:
            rtnl.set_alias("geth0", tag("geth0", real.rundir.owner))
        assert "- interface geth0 (tun), mtu 1500, down" not in real.lead(config())
