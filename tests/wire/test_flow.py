"""Which packets must not overtake each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.flow import flow_of

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = {"net_hdr": b"", "raw": b"\x08\x00", "eth": bytes(12) + b"\x08\x00"}
PREFIX_6 = {"net_hdr": b"", "raw": b"\x86\xdd", "eth": bytes(12) + b"\x86\xdd"}
MODES = list(PREFIX)


def ipv4(*, source: int = 1, protocol: int = 6, ports: int = 0, fragment: int = 0, options: int = 0) -> bytes:
    head = bytes([0x45 + options]) + bytes(5) + fragment.to_bytes(2, "big") + bytes([64, protocol]) + bytes(2)
    return head + source.to_bytes(4, "big") + bytes(4) + b"\xee" * 4 * options + ports.to_bytes(4, "big") + b"data"


def ipv6(*, source: int = 1, protocol: int = 6, ports: int = 0) -> bytes:
    head = b"\x60" + bytes(5) + bytes([protocol, 64])
    return head + source.to_bytes(16, "big") + bytes(16) + ports.to_bytes(4, "big") + b"data"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("make", "prefix"), [(ipv4, PREFIX), (ipv6, PREFIX_6)])
def test_addresses_protocol_ports_and_mark_make_a_flow(
    mode: str, make: Callable[..., bytes], prefix: dict[str, bytes]
) -> None:
    def flow(mark: int = 0, **fields: int) -> bytes:
        return flow_of(mode, mark, prefix[mode] + make(**fields))

    assert flow() == flow()
    flows = {flow(), flow(mark=1), flow(source=2), flow(protocol=17), flow(ports=1), flow(ports=1 << 16)}
    assert len(flows) == 6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("make", "prefix"), [(ipv4, PREFIX), (ipv6, PREFIX_6)])
def test_only_some_protocols_have_ports(mode: str, make: Callable[..., bytes], prefix: dict[str, bytes]) -> None:
    def flow(protocol: int, ports: int) -> bytes:
        return flow_of(mode, 0, prefix[mode] + make(protocol=protocol, ports=ports))

    for protocol in (6, 17, 33, 132):
        assert flow(protocol, 1) != flow(protocol, 2)
    for protocol in (1, 47, 50, 58):
        assert flow(protocol, 1) == flow(protocol, 2)


def test_fragments_have_no_ports() -> None:
    """What stands behind the header of a later fragment is data."""
    first, last = ipv4(ports=1, fragment=0x2000), ipv4(ports=2, fragment=0x00B9)
    assert flow_of("net_hdr", 0, first) == flow_of("net_hdr", 0, last)
    assert flow_of("net_hdr", 0, ipv4(ports=1, fragment=0x4000)) == flow_of("net_hdr", 0, ipv4(ports=1))


def test_ports_stand_behind_the_options() -> None:
    one, two = (flow_of("net_hdr", 0, ipv4(options=2, ports=ports)) for ports in (1, 2))
    assert one != two


def test_other_frames_go_by_their_addresses() -> None:
    arp = bytes.fromhex("020000000001 020000000002 0806")
    assert flow_of("eth", 0, arp + b"one") == flow_of("eth", 0, arp + b"two")
    assert flow_of("eth", 0, arp) != flow_of("eth", 0, b"\x02" * 6 + arp[6:])
    assert flow_of("raw", 0, b"\x88\xb5one") == flow_of("raw", 0, b"\x88\xb5two")
    assert flow_of("raw", 0, b"\x88\xb5one") != flow_of("raw", 0, b"\x88\xb6one")


@given(
    st.sampled_from(MODES),
    st.integers(0, (1 << 32) - 1),
    st.one_of(st.binary(max_size=80), st.sampled_from([ipv4(), ipv6(), ipv4(options=10)])),
    st.integers(0, 80),
)
def test_any_bytes_belong_to_a_flow(mode: str, mark: int, payload: bytes, length: int) -> None:
    for prefix in (b"", PREFIX[mode], PREFIX_6[mode]):
        flow = flow_of(mode, mark, (prefix + payload)[:length])
        assert flow.startswith(mark.to_bytes(4, "big"))
        assert len(flow) <= 4 + 32 + 1 + 4
