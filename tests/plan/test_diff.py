"""Plans lead from any state to any other, hold their order, and spare what is not ours."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from gpiomux.config.load import load_file
from gpiomux.config.model import Child, Config, Link, Mode, Netdev, Poll, PollMode, Route
from gpiomux.errors import ConflictError
from gpiomux.plan.diff import Plan, make_plan
from gpiomux.plan.observed import Foreign, Observed
from gpiomux.plan.operations import Change, Create, Remove
from gpiomux.plan.state import FLOORS, Datapath, Interface
from gpiomux.plan.wanted import wanted_state
from tests.plan.configs import configs, transport
from tests.plan.model_machine import ModelMachine, without_kernel_choice

if TYPE_CHECKING:
    from gpiomux.plan.operations import Operation
    from gpiomux.plan.state import State

EXAMPLES = {path.name: path for path in sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))}


def perform(plan: Plan, machine: ModelMachine) -> None:
    for operation in plan.operations:
        operation.perform(machine)


def lead(machine: ModelMachine, config: Config) -> Plan:
    """Plan for `config` and perform it."""
    plan = make_plan(wanted_state(config), machine.observe())
    perform(plan, machine)
    return plan


def applied(config: Config) -> ModelMachine:
    machine = ModelMachine()
    lead(machine, config)
    return machine


def geth0(netdev: Netdev | None = None, *children: Child, mode: Mode = Mode.NET_HDR, reader: int = 1) -> Config:
    link = Link(
        name="geth0", transport=transport(mode, reader=reader), netdev=netdev or Netdev(), children=tuple(children)
    )
    return Config(links=(link,))


def lines(plan: Plan) -> list[str]:
    return [operation.describe() for operation in plan.operations]


def check_road(old: Config, new: Config) -> None:
    """From the state of `old` to that of `new`, and back by undoing."""
    machine = applied(old)
    before = machine.state
    plan = lead(machine, new)
    wanted = wanted_state(new)
    assert without_kernel_choice(machine.state, wanted) == frozenset(wanted)
    assert make_plan(wanted, machine.observe()).operations == ()
    check_order(plan)
    for operation in reversed(plan.operations):
        operation.inverse().perform(machine)
    assert machine.state == before


def check_order(plan: Plan) -> None:
    """Removals with floors falling, then changes, then creations with floors rising."""
    phases = {Remove: 0, Change: 1, Create: 2}

    def rank(operation: Operation) -> tuple[int, int]:
        floor = FLOORS.index(type(operation.resource))
        return phases[type(operation)], -floor if isinstance(operation, Remove) else floor

    ranks = [rank(operation) for operation in plan.operations]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(("old", "new"), list(product((None, *EXAMPLES), repeat=2)))
def test_between_all_examples(old: str | None, new: str | None) -> None:
    def config(name: str | None) -> Config:
        return Config() if name is None else load_file(EXAMPLES[name])

    check_road(config(old), config(new))


@given(configs(), configs())
def test_between_any_two(old: Config, new: Config) -> None:
    check_road(old, new)


@given(configs(), configs())
def test_only_what_differs_is_touched(old: Config, new: Config) -> None:
    """What stands as wanted and on the same footing is neither removed nor made."""
    machine = applied(old)
    plan = make_plan(wanted_state(new), machine.observe())
    processes: dict[str, State] = {}
    for name, config in (("old", old), ("new", new)):
        processes[name] = frozenset(it for it in wanted_state(config) if isinstance(it, Datapath | Interface))
    same = {it.key for it in processes["old"] & processes["new"]}
    both = {key for key in same if key[0] == "interface" or ("interface", key[1]) in same}
    touched = {operation.resource.key for operation in plan.operations if not isinstance(operation, Change)}
    footing = {("netns", name) for name in ("far", "near")} | {("wire", "cable0"), ("wire", "cable1")}
    assert not touched & footing & {it.key for it in wanted_state(old)} & {it.key for it in wanted_state(new)}
    assert not touched & both


def test_order_of_the_file_within_a_floor() -> None:
    links = tuple(
        Link(name=name, transport=transport(wire=f"w{name}"), netdev=Netdev(netns=netns))
        for name, netns in (("zeta", "z"), ("alpha", "a"), ("mid", None))
    )
    plan = make_plan(wanted_state(Config(links=links)), Observed())
    made = [operation.resource.key for operation in plan.operations]
    assert made == [
        *(("netns", name) for name in "za"),
        *(("wire", name) for name in ("wzeta", "walpha", "wmid")),
        *(("interface", name) for name in ("zeta", "alpha", "mid")),
        *(("datapath", name) for name in ("zeta", "alpha", "mid")),
    ]


def test_a_mark_touches_nothing_else() -> None:
    machine = applied(geth0(Netdev(), Child(name="child1")))
    assert lines(lead(machine, geth0(Netdev(), Child(name="child1", marks=(7,))))) == ["+ mark 7 to child1 of geth0"]


def test_a_mark_that_moves_is_made_anew() -> None:
    machine = applied(geth0(Netdev(), Child(name="child1", marks=(7,)), Child(name="child2")))
    plan = lead(machine, geth0(Netdev(), Child(name="child1"), Child(name="child2", marks=(7,))))
    assert lines(plan) == ["- mark 7 to child1 of geth0", "+ mark 7 to child2 of geth0"]


def test_mtu_mac_and_state_change_in_place() -> None:
    machine = applied(geth0(Netdev(mac="02:00:00:00:00:01"), mode=Mode.ETH))
    plan = lead(machine, geth0(Netdev(mtu=900, mac="02:00:00:00:00:02", up=False), mode=Mode.ETH))
    assert lines(plan) == [
        "~ interface geth0 (tap): mtu 1500 -> 900, mac 02:00:00:00:00:01 -> 02:00:00:00:00:02, up -> down"
    ]


def test_what_a_datapath_holds_changes_in_place() -> None:
    link = geth0().links[0]
    tuned = replace(link, pmtu=((7, 1280), (9, 600)), poll=Poll(mode=PollMode.BUSY))
    machine = applied(Config(links=(tuned,)))
    assert lines(lead(machine, Config(links=(replace(tuned, pmtu=((7, 600),), poll=Poll(idle_us=50)),)))) == [
        "- pmtu 600 of mark 9 on geth0",
        "~ polling of geth0: busy -> auto, idle_us 50",
        "~ pmtu of mark 7 on geth0: 1280 -> 600",
    ]
    assert lines(lead(machine, geth0())) == [
        "- pmtu 600 of mark 7 on geth0",
        "- polling of geth0: auto, idle_us 50",
    ]


def test_a_mac_that_is_no_longer_wanted_stays() -> None:
    machine = applied(geth0(Netdev(mac="02:00:00:00:00:01"), mode=Mode.ETH))
    assert lines(lead(machine, geth0(mode=Mode.ETH))) == []


def test_the_kernels_mac_survives_a_change_and_its_undoing() -> None:
    machine = applied(geth0(mode=Mode.ETH))
    before = machine.state
    plan = lead(machine, geth0(Netdev(mtu=900), mode=Mode.ETH))
    (interface,) = (it for it in machine.state if isinstance(it, Interface))
    assert interface.mac is not None
    plan.operations[0].inverse().perform(machine)
    assert machine.state == before


def test_going_down_takes_routes_and_ipv6_down_in_order() -> None:
    netdev = Netdev(addresses=("10.0.0.1/24", "fd00::1/64"), routes=(Route(to="10.9.0.0/16"),))
    machine = applied(geth0(netdev))
    down = lead(machine, geth0(replace(netdev, up=False)))
    assert lines(down) == [
        "- route 10.9.0.0/16 on geth0",
        "- address fd00::1/64 on geth0",
        "~ interface geth0 (tun): up -> down",
    ]
    up = lead(machine, geth0(netdev))
    assert lines(up) == [
        "~ interface geth0 (tun): down -> up",
        "+ address fd00::1/64 on geth0",
        "+ route 10.9.0.0/16 on geth0",
    ]


def test_new_transport_restarts_the_datapath_and_what_hangs_on_it() -> None:
    child = Child(name="child1", marks=(7,))
    machine = applied(geth0(Netdev(), child))
    assert lines(lead(machine, geth0(Netdev(), child, reader=3))) == [
        "- mark 7 to child1 of geth0",
        "- child child1 of geth0",
        "- datapath of geth0 (net_hdr over end a of simulated wire cable0)",
        "+ datapath of geth0 (net_hdr over end a of simulated wire cable0)",
        "+ child child1 of geth0",
        "+ mark 7 to child1 of geth0",
    ]


MADE_ANEW = [
    "-mark",
    "-child",
    "-datapath",
    "-address",
    "-interface",
    "+interface",
    "+address",
    "+datapath",
    "+child",
    "+mark",
]
CHILD_ELSEWHERE = Child(name="child1", marks=(7,), netdev=Netdev(netns="far"))


def signs(plan: Plan) -> list[str]:
    return [operation.sign + operation.resource.key[0] for operation in plan.operations]


def test_a_move_to_a_namespace_that_stands_is_made_in_place() -> None:
    netdev = Netdev(addresses=("10.0.0.1/24",))
    machine = applied(geth0(netdev, CHILD_ELSEWHERE))
    assert lines(lead(machine, geth0(replace(netdev, netns="far"), CHILD_ELSEWHERE))) == [
        "- address 10.0.0.1/24 on geth0",
        "~ interface geth0 (tun) in netns far: moved from the netns of gpiomuxd",
        "+ address 10.0.0.1/24 on geth0",
    ]


def test_a_move_makes_all_anew_where_marks_would_be_lost_or_the_namespace_is_made_first() -> None:
    netdev = Netdev(addresses=("10.0.0.1/24",))
    elsewhere = wanted_state(geth0(replace(netdev, netns="far"), CHILD_ELSEWHERE))
    observed = replace(applied(geth0(netdev, CHILD_ELSEWHERE)).observe(), rooted=frozenset({"geth0"}))
    assert signs(make_plan(elsewhere, observed)) == MADE_ANEW
    child = replace(CHILD_ELSEWHERE, netdev=Netdev())
    plan = make_plan(wanted_state(geth0(replace(netdev, netns="far"), child)), applied(geth0(netdev, child)).observe())
    assert signs(plan) == [*MADE_ANEW[:5], "+netns", *MADE_ANEW[5:]]


def wandered(config: Config, **changes: Any) -> Observed:
    """What is found after somebody has moved or renamed geth0; addresses and routes stay if the namespace does."""
    found = applied(config).observe()
    netns = changes.get("netns")
    left = {it for it in found.state if netns is None or it.key[0] not in ("address", "route")}
    state = {replace(it, **changes) if isinstance(it, Interface) and it.name == "geth0" else it for it in left}
    return replace(found, state=frozenset(state), borrowed=frozenset({"other"}))


def test_an_interface_that_somebody_moved_or_renamed_is_brought_back() -> None:
    config = geth0(Netdev(addresses=("10.0.0.1/24",)), Child(name="child1", marks=(7,)))
    plan = make_plan(wanted_state(config), wandered(config, netns="other", renamed="foo", mtu=1400, up=False))
    assert lines(plan) == [
        "~ interface geth0 (tun): name foo -> geth0, moved from netns other, mtu 1400 -> 1500, down -> up",
        "+ address 10.0.0.1/24 on geth0",
    ]
    assert lines(make_plan(wanted_state(config), wandered(config, renamed="foo"))) == [
        "~ interface geth0 (tun): name foo -> geth0"
    ]
    assert "- interface geth0 (tun) in netns other, renamed to foo, mtu 1500" in lines(
        make_plan((), wandered(config, netns="other", renamed="foo"))
    )


def test_what_nobody_can_look_at_stays_and_the_plan_says_so() -> None:
    config = geth0()
    found = applied(config).observe()
    left = frozenset(it for it in found.state if it.key != ("interface", "geth0"))
    plan = make_plan(wanted_state(config), replace(found, state=left, held=frozenset({"geth0"})))
    assert plan.notes == ("interface geth0 is in a network namespace without a name: it stays there",)
    assert signs(plan) == ["-datapath", "+interface", "+datapath"]
    assert make_plan(wanted_state(config), replace(found, held=frozenset({"geth0"}))).notes == ()


def test_two_that_have_changed_names_are_made_anew() -> None:
    config = geth0(Netdev(), Child(name="child1"))
    found = wandered(config, renamed="child1")
    swapped = {
        replace(it, renamed="geth0") if isinstance(it, Interface) and it.name == "child1" else it for it in found.state
    }
    assert signs(make_plan(wanted_state(config), replace(found, state=frozenset(swapped)))) == [
        "-child",
        "-datapath",
        "-interface",
        "-interface",
        "+interface",
        "+interface",
        "+datapath",
        "+child",
    ]


def test_a_place_that_somebody_else_has_taken_is_a_conflict() -> None:
    config = geth0()
    foreign = frozenset({Foreign(netns=None, key=("interface", "geth0"))})
    with pytest.raises(ConflictError, match="interface geth0 exists and is not ours"):
        make_plan(wanted_state(config), replace(wandered(config, renamed="foo"), foreign=foreign))


@pytest.mark.parametrize(
    ("before", "after", "remade"),
    [
        (("10.0.0.1/24",), ("10.0.0.2/24",), True),
        (("10.0.0.1/24", "10.0.0.2/24"), ("10.0.0.2/24",), True),  # the second goes with the first, for a moment
        ((), ("10.0.0.1/24",), True),  # undoing it would bare the interface
        (("10.0.0.1/24", "10.1.0.1/16"), ("10.1.0.1/16",), False),
        (("10.0.0.1/24",), ("10.0.0.1/24", "10.0.0.2/24"), False),
        (("10.0.0.1/24", "fd00::1/64"), ("10.0.0.1/24",), False),
    ],
)
def test_ipv4_routes_are_made_anew_where_the_interface_is_bared(
    before: tuple[str, ...], after: tuple[str, ...], remade: bool
) -> None:
    routes = (Route(to="10.9.0.0/16"), Route(to="fd09::/64"))
    machine = applied(geth0(Netdev(addresses=before, routes=routes)))
    plan = lead(machine, geth0(Netdev(addresses=after, routes=routes)))
    assert ("- route 10.9.0.0/16 on geth0" in lines(plan)) == remade
    assert ("+ route 10.9.0.0/16 on geth0" in lines(plan)) == remade
    assert "- route fd09::/64 on geth0" not in lines(plan)


def test_what_is_broken_is_made_anew() -> None:
    config = geth0(Netdev(), Child(name="child1", marks=(7,)))
    observed = replace(applied(config).observe(), broken=frozenset([("child", "child1")]))
    assert lines(make_plan(wanted_state(config), observed)) == [
        "- mark 7 to child1 of geth0",
        "- child child1 of geth0",
        "+ child child1 of geth0",
        "+ mark 7 to child1 of geth0",
    ]


def test_an_interface_that_somebody_deleted_brings_its_datapath_along() -> None:
    config = geth0(Netdev(addresses=("10.0.0.1/24",)), Child(name="child1"))
    found = applied(config).observe()
    left = frozenset(it for it in found.state if it.key != ("interface", "geth0") and it.key[0] != "address")
    assert lines(make_plan(wanted_state(config), replace(found, state=left))) == [
        "- child child1 of geth0",
        "- datapath of geth0 (net_hdr over end a of simulated wire cable0)",
        "+ interface geth0 (tun), mtu 1500",
        "+ address 10.0.0.1/24 on geth0",
        "+ datapath of geth0 (net_hdr over end a of simulated wire cable0)",
        "+ child child1 of geth0",
    ]


def test_the_same_name_in_two_namespaces_leaves_the_wanted_one() -> None:
    config = geth0(Netdev(netns="far"))
    found = applied(config).observe()
    stray = Interface(name="geth0", link="geth0", kind="tun", netns=None, mtu=1500, mac=None, up=False)
    plan = make_plan(wanted_state(config), replace(found, state=found.state | {stray}))
    assert plan.operations == (Remove(stray),)
    elsewhere = replace(stray, netns="near", renamed="foo")
    plan = make_plan(wanted_state(geth0()), replace(found, state=frozenset({stray, elsewhere})))
    assert Remove(elsewhere) in plan.operations
    assert Remove(stray) not in plan.operations


def test_the_part_of_a_datapath() -> None:
    config = geth0(Netdev(), Child(name="child1", marks=(7,)))
    plan = make_plan(wanted_state(config), Observed())
    assert lines(plan.of_datapath("geth0")) == [
        "+ datapath of geth0 (net_hdr over end a of simulated wire cable0)",
        "+ child child1 of geth0",
        "+ mark 7 to child1 of geth0",
    ]
    assert plan.of_datapath("geth1").operations == ()


class TestForeign:
    def test_a_borrowed_namespace_is_used_and_stays(self) -> None:
        config = geth0(Netdev(netns="far"))
        machine = ModelMachine(borrowed=("far",))
        assert "+ network namespace far" not in lines(lead(machine, config))
        assert make_plan(wanted_state(config), machine.observe()).operations == ()
        assert "- network namespace far" not in lines(lead(machine, Config()))
        assert machine.state == frozenset()

    def test_every_conflict_is_named_at_once(self) -> None:
        config = geth0(Netdev(netns="far"), Child(name="child1"), Child(name="child2"))
        foreign = frozenset(
            (
                Foreign(netns="far", key=("interface", "geth0")),
                Foreign(netns=None, key=("interface", "child1")),
                Foreign(netns="far", key=("interface", "child2")),  # another namespace than the wanted one
            )
        )
        with pytest.raises(ConflictError) as caught:
            make_plan(wanted_state(config), Observed(foreign=foreign, borrowed=frozenset({"far"})))
        assert caught.value.message == (
            "interface geth0 in netns far exists and is not ours; interface child1 exists and is not ours"
        )
        assert caught.value.hint

    def test_an_address_and_a_route_in_the_way(self) -> None:
        netdev = Netdev(addresses=("10.0.0.1/24",), routes=(Route(to="10.9.0.0/16"),))
        foreign = frozenset(
            (
                Foreign(netns=None, key=("address", "geth0", "10.0.0.1/24")),
                Foreign(netns=None, key=("route", "geth0", "10.9.0.0/16", "", "0")),
            )
        )
        observed = replace(applied(geth0()).observe(), foreign=foreign)
        with pytest.raises(ConflictError) as caught:
            make_plan(wanted_state(geth0(netdev)), observed)
        assert caught.value.message == (
            "address 10.0.0.1/24 on geth0 exists and is not ours; route 10.9.0.0/16 on geth0 exists and is not ours"
        )

    def test_what_goes_with_an_interface_is_no_conflict(self) -> None:
        netdev = Netdev(addresses=("10.0.0.1/24",))
        foreign = frozenset({Foreign(netns=None, key=("address", "geth0", "10.0.0.1/24"))})
        observed = replace(applied(geth0()).observe(), foreign=foreign)
        plan = make_plan(wanted_state(geth0(netdev, mode=Mode.ETH)), observed)
        assert "+ address 10.0.0.1/24 on geth0" in lines(plan)

    def test_an_occupied_namespace_stays_and_the_plan_says_so(self) -> None:
        machine = applied(geth0(Netdev(netns="far")))
        guests = frozenset(Foreign(netns="far", key=("interface", name)) for name in ("eth7", "eth5"))
        plan = make_plan(wanted_state(Config()), replace(machine.observe(), foreign=guests))
        assert "- network namespace far" not in lines(plan)
        assert "- interface geth0 (tun) in netns far, mtu 1500" in lines(plan)
        assert plan.notes == ("network namespace far stays: it holds eth5, eth7, not made by gpiomux",)

    def test_a_foreign_address_does_not_occupy_a_namespace(self) -> None:
        machine = applied(geth0(Netdev(netns="far")))
        foreign = frozenset({Foreign(netns="far", key=("address", "geth0", "fe80::1/64"))})
        plan = make_plan(wanted_state(Config()), replace(machine.observe(), foreign=foreign))
        assert "- network namespace far" in lines(plan)
        assert plan.notes == ()
