"""Tests of `gpiomux.config.addresses`; its refusals are in bad-configurations.txt."""

from __future__ import annotations

from ipaddress import ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config import addresses
from gpiomux.config.text import Refusal

ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.10.0.1/24", "10.10.0.1/24"),
        ("10.10.0.1/0", "10.10.0.1/0"),
        ("10.10.0.1/032", "10.10.0.1/32"),
        ("FD00:0:0::0001/64", "fd00::1/64"),
        ("fe80::1/128", "fe80::1/128"),
    ],
)
def test_an_address_becomes_canonical(text: str, canonical: str) -> None:
    assert addresses.check_address(text) == ip_interface(canonical)
    assert addresses.canonical_address(text) == canonical


@pytest.mark.parametrize(
    ("to", "via", "canonical"),
    [
        ("default", None, "0.0.0.0/0"),
        ("default", "10.0.0.1", "0.0.0.0/0"),
        ("default", "fd00::1", "::/0"),
        ("::/0", None, "::/0"),
        ("224.0.0.0/4", None, "224.0.0.0/4"),
        ("FD01::/32", "fd00::1", "fd01::/32"),
        ("10.0.0.1/32", None, "10.0.0.1/32"),
    ],
)
def test_a_destination_becomes_canonical(to: str, via: str | None, canonical: str) -> None:
    assert addresses.check_destination(to) is None
    assert addresses.canonical_destination(to, via) == canonical


def test_a_gateway_becomes_canonical() -> None:
    assert addresses.check_gateway("FD00::0:1") is None
    assert addresses.canonical_gateway("FD00::0:1") == "fd00::1"


@pytest.mark.parametrize("text", ["02:00:00:00:00:01", "46:45:54:48:30:31", "00:00:00:00:00:01", "FE:FF:FF:FF:FF:FF"])
def test_a_unicast_mac(text: str) -> None:
    assert addresses.check_mac(text) is None


@given(ADDRESSES, st.integers(0, 128))
def test_every_host_address_is_taken(address: object, prefix: int) -> None:
    host = ip_interface(str(address))
    unusable = host.ip.is_multicast or host.ip.is_unspecified or str(host.ip) == "255.255.255.255"
    wanted = not unusable and prefix <= host.max_prefixlen
    found = addresses.check_address(f"{address}/{prefix}")
    assert isinstance(found, Refusal) != wanted


@given(st.text() | st.text(alphabet="0123456789abcdef:./% -", max_size=40))
def test_no_text_raises(text: str) -> None:
    for check, canonical in (
        (addresses.check_address, addresses.canonical_address),
        (addresses.check_gateway, addresses.canonical_gateway),
        (addresses.check_destination, lambda to: addresses.canonical_destination(to, None)),
    ):
        if not isinstance(check(text), Refusal):
            assert canonical(text)
