"""Where a resource is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given

from gpiomux.plan.scope import Scope, scope_of
from gpiomux.plan.state import Address, Interface, Mark, Netns, Wire
from gpiomux.plan.wanted import wanted_state
from tests.plan.configs import configs

if TYPE_CHECKING:
    from gpiomux.config.model import Config
    from gpiomux.plan.state import Resource

HERE = Interface(name="geth0", link="geth0", kind="tun", netns=None, mtu=1500, mac=None, up=True)


@given(configs())
def test_each_resource_is_where_it_is_looked_for(config: Config) -> None:
    wanted = wanted_state(config)
    everywhere = scope_of(wanted)
    for resource in wanted:
        assert everywhere.holds(resource)
        assert scope_of([resource]).holds(resource)
        assert not scope_of(()).holds(resource)


def test_the_places_of_some_resources() -> None:
    resources: list[Resource] = [HERE, Address(interface="x", netns="far", address="10.0.0.1/8"), Netns(name="more")]
    assert scope_of([*resources, Wire(name="cable0")]) == Scope(
        networks=frozenset({None, "far", "more"}), datapaths=frozenset(), wires=True, chips=False, channels=False
    )
    assert scope_of([Mark(link="geth0", child="child1", mark=7)]) == Scope(
        networks=frozenset(), datapaths=frozenset({"geth0"}), wires=False, chips=False, channels=False
    )
