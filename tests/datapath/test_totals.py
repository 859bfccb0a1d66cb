"""gpiomux.datapath.totals: however many interfaces a link has, an answer with what they have counted is no too long."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from gpiomux.control.packets import MAX_MESSAGE_BYTES
from gpiomux.datapath.interfaces import InterfaceCounters
from gpiomux.datapath.since_reset import SinceReset
from gpiomux.datapath.totals import INTERFACES_PER_ANSWER, totals
from gpiomux.stats.counters import COUNTERS
from gpiomux.wire import protocols

MOST = 2**64 - 1
NAMES = ["geth0", *(f"child{number:010}" for number in range(1024))]


def busy() -> InterfaceCounters:
    counters = InterfaceCounters(rx_kinds=[MOST] * protocols.KINDS, tx_kinds=[MOST] * protocols.KINDS)
    for name in counters.as_dict().keys() - {"protocols"}:
        setattr(counters, name, MOST)
    return counters


def pump() -> Any:
    members = [SimpleNamespace(name=name, counted=busy) for name in NAMES]
    link = {it.name: MOST for it in COUNTERS if it.part == "counters"}
    line = {it.name: MOST for it in COUNTERS if it.part == "line"}
    return cast("Any", SimpleNamespace(interfaces=members, report=lambda: {"counters": link, "line": line, "more": 1}))


def pages() -> list[dict[str, Any]]:
    found, first = [], 0
    while True:
        counted, following = totals(pump(), first)
        found.append({**counted, "next": following})
        if following is None:
            return found
        first = following


def test_every_answer_fits_into_a_message() -> None:
    assert max(len(json.dumps({"ok": {"name": "x" * 15, **page}})) for page in pages()) < MAX_MESSAGE_BYTES * 7 // 8


def test_all_interfaces_are_told_of_once_and_the_link_too() -> None:
    first, *rest = pages()
    assert [name for page in (first, *rest) for name in page["interfaces"]] == NAMES
    assert first["counters"]["rx_packets"] == first["line"]["words_in"] == MOST
    assert first["channel"] == {}
    assert all(set(page) == {"interfaces", "next"} for page in rest)
    assert len(first["interfaces"]) == INTERFACES_PER_ANSWER


def test_a_place_behind_all_interfaces_has_none() -> None:
    assert totals(pump(), 5000) == ({"interfaces": {}}, None)


def test_what_is_reset_in_turns_is_reset_once() -> None:
    since = SinceReset()
    for _ in range(2):
        first = 0
        while True:
            counted, following = totals(pump(), first)
            counted_now = since.counted(counted)
            since.reset(counted)
            if following is None:
                break
            first = following
    assert counted_now["interfaces"][NAMES[-1]]["rx_packets"] == 0
    everything = {"interfaces": {name: busy().as_dict() for name in NAMES}, "counters": pump().report()["counters"]}
    left = since.counted(everything)
    assert {number for counted in left["interfaces"].values() for number in counted["protocols"].values()} == {0}
    assert set(left["counters"].values()) == {0}
