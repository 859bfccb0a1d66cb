"""The limits of a link by mark, and what is left alone by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.pmtu import HIGHEST, LOWEST, PathMtus, TooBig, fitted
from tests.wire.ip_packets import DF, HEADS, MACS, ipv4


@given(st.sampled_from(sorted(HEADS)), st.binary(max_size=300), st.integers(LOWEST, 400))
def test_whatever_comes_is_sent_or_answered_and_raises_nothing(mode: str, payload: bytes, limit: int) -> None:
    for data in (payload, HEADS[mode][0] + b"\x45" + payload, HEADS[mode][1] + b"\x60" + payload):
        found = fitted(mode, data, limit)
        assert isinstance(found, TooBig) or found == (data,) or len(found) > 1


@pytest.mark.parametrize("kind", [b"\x08\x06", b"\x88\xb5", b"\x86\xdd"])
def test_other_protocols_are_not_looked_at(kind: bytes) -> None:
    """Nor IPv4 that says of itself that it is something else."""
    for mode, head in (("eth", MACS), ("raw", b"")):
        payload = head + kind + ipv4(bytes(500))
        assert fitted(mode, payload, 100) == (payload,)


# The limits of a link.


def test_the_limit_of_a_mark_holds_for_that_mark() -> None:
    limits = PathMtus("net_hdr")
    packet = ipv4(bytes(1000))
    assert limits.unchecked_bytes == HIGHEST
    limits.set_mtu(1500)
    limits.put(7, 576)
    assert limits.unchecked_bytes == 576
    assert [limits.fitted(mark, packet) for mark in (0, 8)] == [(packet,)] * 2
    assert len(limits.fitted(7, packet)) == 2
    limits.put(7, 600)
    limits.put(9, 580)
    assert limits.unchecked_bytes == 580
    limits.remove(9)
    limits.remove(7)
    assert limits.unchecked_bytes == 1500
    assert limits.fitted(7, packet) == (packet,)
    with pytest.raises(KeyError):
        limits.remove(7)


def test_the_mtu_of_the_link_holds_for_all_marks() -> None:
    limits = PathMtus("eth")
    limits.put(7, 9000)
    limits.set_mtu(1500)
    assert limits.unchecked_bytes == 1514
    frame = MACS + b"\x08\0" + ipv4(bytes(3000), flags=DF)
    for mark in (0, 7):
        found = limits.fitted(mark, frame)
        assert isinstance(found, TooBig)
        assert found.answer is not None
        assert int.from_bytes(found.answer[14 + 26 : 14 + 28], "big") == 1500
