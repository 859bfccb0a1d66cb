"""What others have put on our interfaces is told; what the kernel puts there by itself is not."""

from __future__ import annotations

import pytest

from gpiomux.daemon.drift import foreign_notes
from gpiomux.plan.observed import Foreign, Observed
from gpiomux.plan.state import Address, Interface, Key

OURS = Interface(name="geth0", link="geth0", kind="tun", netns="far", mtu=1500, mac=None, up=True)
ADDRESS = Address(interface="geth0", netns="far", address="10.10.0.1/24")


def notes(*keys: Key) -> list[str]:
    foreign = frozenset(Foreign(netns="far", key=key) for key in keys)
    return foreign_notes(Observed(state=frozenset((OURS, ADDRESS)), foreign=foreign))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (("address", "geth0", "10.10.0.9/24"), "address 10.10.0.9/24 on geth0"),
        (("address", "geth0", "fd00::9/64"), "address fd00::9/64 on geth0"),
        (("route", "geth0", "10.99.0.0/16", "", "0"), "route 10.99.0.0/16 on geth0"),
        (("route", "geth0", "0.0.0.0/0", "10.10.0.2", "7"), "route 0.0.0.0/0 via 10.10.0.2 metric 7 on geth0"),
    ],
)
def test_guests_are_told(key: Key, words: str) -> None:
    assert notes(key) == [f"{words} stays: it was not made by gpiomux"]


@pytest.mark.parametrize(
    "key",
    [
        ("address", "geth0", "fe80::1/64"),
        ("route", "geth0", "fe80::/64", "", "256"),
        ("route", "geth0", "ff00::/8", "", "256"),
        ("route", "geth0", "10.10.0.0/24", "", "0"),
        ("address", "eth0", "192.0.2.1/24"),
        ("interface", "eth0"),
    ],
)
def test_the_kernel_s_own_and_what_is_elsewhere_is_not(key: Key) -> None:
    assert notes(key) == []


def test_the_route_that_comes_with_a_guest_s_address_is_not_told_twice() -> None:
    keys: tuple[Key, ...] = (("route", "geth0", "192.0.2.0/24", "", "0"), ("address", "geth0", "192.0.2.1/24"))
    assert notes(*keys) == ["address 192.0.2.1/24 on geth0 stays: it was not made by gpiomux"]


def test_a_program_of_others_is_told_by_all_that_is_known_of_it() -> None:
    words = "XDP program theirs (id 7, tag 00ff, native)"
    programs = [Foreign(netns="far", key=("xdp", name), words=f"{words} on {name}") for name in ("geth0", "other0")]
    observed = Observed(state=frozenset((OURS,)), foreign=frozenset(programs))
    assert foreign_notes(observed) == [f"{words} on geth0 stays: it was not made by gpiomux"]
