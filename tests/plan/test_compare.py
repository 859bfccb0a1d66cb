"""What was found held against what was to be there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpiomux.plan.compare import differences, has_happened
from gpiomux.plan.observed import Observed
from gpiomux.plan.operations import Change, Create, Operation, Remove
from gpiomux.plan.scope import scope_of
from gpiomux.plan.state import Address, Chip, Interface, Mark, Netns, Resource, Wire

GETH0 = Interface(name="geth0", link="geth0", kind="tap", netns=None, mtu=1500, mac=None, up=True)
AS_FOUND = replace(GETH0, mac="02:00:00:00:00:01")
FAR = Netns(name="far")
WIRE = Wire(name="cable0")
MARK = Mark(link="geth0", child="child1", mark=7)
CHIP = Chip(link="geth0", lines=(), device="door", owner=None, group="gpio")


def told(operations: list[Operation], observed: Observed, *kept: Resource) -> list[str]:
    scope = scope_of(operation.resource for operation in operations)
    return [difference.describe() for difference in differences(operations, kept, observed, scope)]


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        (Create(GETH0), {AS_FOUND}),
        (Create(CHIP), {replace(CHIP, owner="root", mode=0o600)}),
        (
            Create(replace(CHIP, owner="0", group="0065534")),
            {replace(CHIP, owner="root", group="nogroup", owner_id=0, group_id=65534)},
        ),
        (Change(AS_FOUND, replace(AS_FOUND, mtu=900)), {replace(AS_FOUND, mtu=900)}),
        (Remove(GETH0), set()),
        (Create(MARK), {MARK}),
    ],
)
def test_as_it_was_to_be(operation: Operation, found: set[Resource]) -> None:
    observed = Observed(state=frozenset(found))
    assert told([operation], observed) == []
    assert has_happened(operation, observed)


def test_a_second_interface_of_a_name_goes_and_the_first_stays() -> None:
    second = replace(AS_FOUND, renamed="foo")
    assert told([Remove(second)], Observed(state=frozenset({AS_FOUND})), AS_FOUND) == []
    assert told([Remove(second)], Observed(), AS_FOUND) != []


@pytest.mark.parametrize(
    ("operation", "found", "expected"),
    [
        (Create(WIRE), set(), ["presence of simulated wire cable0: wanted yes, found no"]),
        (Remove(WIRE), {WIRE}, ["presence of simulated wire cable0: wanted no, found yes"]),
        (
            Create(GETH0),
            {replace(AS_FOUND, mtu=900, up=False)},
            [
                "mtu of interface geth0 (tap), mtu 1500: wanted 1500, found 900",
                "up of interface geth0 (tap), mtu 1500: wanted True, found False",
            ],
        ),
        (
            Create(CHIP),
            {replace(CHIP, group="root")},
            ["group of chip of geth0 (device door, group gpio): wanted gpio, found root"],
        ),
        (
            Create(replace(CHIP, owner="7")),
            {replace(CHIP, owner="root", owner_id=0, group_id=7)},
            ["owner of chip of geth0 (device door, owner 7, group gpio): wanted 7, found root"],
        ),
        (
            Create(MARK),
            {replace(MARK, child="child2")},
            ["child of mark 7 to child1 of geth0: wanted child1, found child2"],
        ),
    ],
)
def test_every_field_that_differs_is_told(operation: Operation, found: set[Resource], expected: list[str]) -> None:
    assert told([operation], Observed(state=frozenset(found))) == expected


def test_what_was_to_stay_is_compared_too() -> None:
    address = Address(interface="geth0", netns=None, address="10.0.0.1/24")
    other = replace(address, address="10.0.0.2/24")
    assert told([Create(address)], Observed(state=frozenset({address})), other) == [
        "presence of address 10.0.0.2/24 on geth0: wanted yes, found no"
    ]
    assert told([Create(address)], Observed(state=frozenset({address})), replace(other, netns="far")) == []


def test_what_serves_no_more_is_a_difference() -> None:
    observed = Observed(state=frozenset({CHIP}), broken=frozenset({CHIP.key}))
    assert told([Create(CHIP)], observed) == [
        "presence of chip of geth0 (device door, group gpio): wanted yes, found one that serves no more"
    ]


def test_made_anew_is_wanted_and_removed_after_all_is_not() -> None:
    assert told([Remove(WIRE), Create(WIRE)], Observed(state=frozenset({WIRE}))) == []
    assert told([Create(WIRE), Remove(WIRE)], Observed()) == []


def test_a_namespace_of_others_serves_but_is_not_ours() -> None:
    borrowed = Observed(borrowed=frozenset({"far"}))
    assert told([Create(FAR)], borrowed) == []
    assert not has_happened(Create(FAR), borrowed)


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        (Create(GETH0), set()),
        (Remove(GETH0), {AS_FOUND}),
        (Change(AS_FOUND, replace(AS_FOUND, mtu=900)), {AS_FOUND}),
        (Change(AS_FOUND, replace(AS_FOUND, mtu=900)), set()),
    ],
)
def test_what_has_not_happened(operation: Operation, found: set[Resource]) -> None:
    assert not has_happened(operation, Observed(state=frozenset(found)))
