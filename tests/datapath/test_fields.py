"""Fields of a request: what is right passes unchanged, anything else is refused in one short line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config.defaults import SIM_LINES, SIM_PULSE_LINES
from gpiomux.config.model import (
    Bundle,
    Faults,
    GpioskCode,
    Lines,
    Mode,
    Poll,
    PollMode,
    ProtocolIds,
    SimMedium,
    Transport,
)
from gpiomux.config.plain import transport_to_plain
from gpiomux.config.tuning import poll_to_plain
from gpiomux.datapath import fields
from gpiomux.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD: dict[str, Any] = {
    "mode": "net_hdr",
    "medium": "sim",
    "wire": {"name": "cable0", "end": "a"},
    "protocol": {"reader": 1, "writer": 2},
}
TRANSPORTS = [
    Transport(
        mode=Mode.RAW,
        protocol=ProtocolIds(reader=1, writer=2**64 - 1),
        medium=SimMedium(wire="w", end="b", faults=Faults(flip_rate=0.1, stuck=((16, 1),))),
        lines=Lines(out=Bundle(data=(0,), req=1, ack=17), into=Bundle(data=(16, 20, 21, 22), req=18, ack=2)),
    ),
    Transport(
        mode=Mode.ETH, protocol=ProtocolIds(reader=3, writer=3), medium=SimMedium(wire="w", end="a"), lines=SIM_LINES
    ),
    Transport(
        mode=Mode.ETH,
        protocol=None,
        medium=SimMedium(wire="w", end="a"),
        lines=SIM_PULSE_LINES,
        code=GpioskCode(interval_us=1000),
    ),
]


def refusal(check: Callable[..., object], message: dict[str, Any], *arguments: Any) -> str:
    with pytest.raises(ProtocolError) as caught:
        check(message, *arguments)
    assert len(caught.value.message) < 300
    return caught.value.message


@pytest.mark.parametrize("name", ["geth0", "a", "x.y-z_9", "a" * 15])
def test_names(name: str) -> None:
    assert fields.name({"child": name}, "child") == name


@pytest.mark.parametrize("name", ["", "a" * 16, "a b", "a/b", ".", "a\n", "%d", "é", None, 7, [], True])
def test_what_is_no_name(name: Any) -> None:
    assert refusal(fields.name, {"child": name}, "child").endswith("not the name of an interface")


@pytest.mark.parametrize("mark", [1, 7, 2**32 - 1])
def test_marks(mark: int) -> None:
    assert fields.mark({"mark": mark}) == mark


@pytest.mark.parametrize("mark", [0, -1, 2**32, True, 7.0, "7", None, [], float("nan"), 10**4000])
def test_what_is_no_mark(mark: Any) -> None:
    assert refusal(fields.mark, {"mark": mark}).endswith("not a number in 1..4294967295")
    assert refusal(fields.mark, {}) == "datapath: mark is None, not a number in 1..4294967295"


@pytest.mark.parametrize(
    ("transport", "highest"),
    [
        (TRANSPORTS[1], 65517),
        (replace(TRANSPORTS[0], mode=Mode.NET_HDR), 65535),
        (TRANSPORTS[0], 65533),
        (TRANSPORTS[2], 1486),
    ],
)
def test_the_mtu_has_bounds_by_mode_and_code(transport: Transport, highest: int) -> None:
    for mtu in (68, 1400, highest):
        assert fields.mtu({"mtu": mtu}, transport) == mtu
    for mtu in (67, highest + 1):
        refusal(fields.mtu, {"mtu": mtu}, transport)


@pytest.mark.parametrize("limit", [67, 65536, True, "1280", None])
def test_what_is_no_pmtu(limit: Any) -> None:
    assert refusal(fields.pmtu, {"bytes": limit}).endswith("not a number in 68..65535")
    assert fields.pmtu({"bytes": 68}) == 68


@pytest.mark.parametrize(
    "plain",
    [None, 7, [], "never", {"mode": []}, {"idle_us": 0}, {"idle_us": 1_000_001}, {"budget": 0}, {"budget": "many"}],
)
def test_what_is_no_way_of_polling(plain: Any) -> None:
    assert refusal(fields.poll, {"poll": plain}).endswith("not a mode with its options")


@pytest.mark.parametrize("poll", [Poll(), Poll(mode=PollMode.BUSY), Poll(idle_us=1, budget=65536)])
def test_polling_passes_unchanged(poll: Poll) -> None:
    assert fields.poll({"poll": json.loads(json.dumps(poll_to_plain(poll)))}) == poll


def test_a_port_has_a_method_and_a_kind() -> None:
    good = {"method": "packet-socket", "kind": "tun", "fds": 2}
    assert fields.port({"port": good}) == good
    wrong: list[Any] = [None, [], "x", {}, {"method": "x"}, {"kind": "x"}, {"method": 1, "kind": "x"}]
    for bad in wrong:
        refusal(fields.port, {"port": bad})


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_transport_passes_unchanged(transport: Transport) -> None:
    assert fields.transport({"transport": json.loads(json.dumps(transport_to_plain(transport)))}) == transport


def bundles(**changes: Any) -> dict[str, Any]:
    out = {"data": [0, 1], "req": 2, "ack": 18, **changes}
    return {"lines": {"out": out, "in": {"data": [16, 17], "req": 19, "ack": 3}}}


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "token-ring"},
        {"medium": "pigeon"},
        {"wire": "cable0"},
        {"wire": {"name": "cable0", "end": "c"}},
        {"wire": {"name": "cable0"}},
        {"protocol": {"reader": 1}},
        {"protocol": {"reader": 0, "writer": 1}},
        {"protocol": {"reader": 1, "writer": 2**64}},
        {"protocol": {"reader": "1", "writer": 1}},
        {"protocol": {"reader": True, "writer": 1}},
        {"code": {"name": "handshake", "interval_us": 64}},
        {"code": {"speed": 1}},
        {"tx_ring": 0},
        {"tx_ring": None},
        {"rx_ring": 4097},
        {"rx_ring": "many"},
        {"faults": {"flip_rate": "often"}},
        {"faults": {"stuck": [1]}},
        bundles(data=[0]) | {"lines": {"out": {}}},
        bundles(data=[0, 1, 4]),
        bundles(data=[]),
        bundles(data=[0, 32]),
        bundles(data=[0, -1]),
        bundles(data=["0", "1"]),
        bundles(data="0-x"),
        bundles(data=[0, 0]),
        bundles(req=16),
        bundles(req=None),
        {"code": "gpiosk"},
        {"mode": "eth", "code": {"name": "gpiosk", "interval_us": 0}},
        {"mode": "eth", "code": {"name": "gpiosk", "interval_us": "short"}},
        {"mode": "eth", "code": {"name": "gpiosk", "interval_us": "many"}},
        bundles() | {"mode": "eth", "code": "gpiosk"},
        {"mode": "eth", "code": "gpiosk", "lines": {"out": {"ctl": 0, "data": 0}, "in": {"ctl": 16, "data": 17}}},
        {"mode": "eth", "code": "gpiosk", "lines": {"out": {"ctl": 0, "data": [1]}, "in": {"ctl": 16, "data": 17}}},
        {"mode": "eth", "code": "gpiosk", "medium": "shm", "channels": {"out": "/a", "in": "/b"}},
        {"lines": {"out": {"ctl": 0, "data": 1}, "in": {"ctl": 16, "data": 17}}},
    ],
)
def test_what_is_no_transport(changes: dict[str, Any]) -> None:
    assert fields.transport({"transport": GOOD}).mode is Mode.NET_HDR
    assert refusal(fields.transport, {"transport": GOOD | changes}).startswith("datapath: transport cannot be ")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(("name", "end", "reader", "data", "req", "out", "in", "code")), children)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from((*GOOD, "code", "lines", "faults")), JSON), st.booleans())
def test_any_json_is_a_transport_or_refused(changes: dict[str, Any], complete: bool) -> None:
    try:
        found = fields.transport({"transport": {**(GOOD if complete else {}), **changes}})
    except ProtocolError:
        return
    assert found.protocol is None or isinstance(found.protocol.reader, int)
