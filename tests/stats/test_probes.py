"""Answers to `probe`, turn by turn, and what is told of them at the end."""

from __future__ import annotations

from typing import Any

import pytest

from gpiomux.stats.probes import Probes

MS = 1_000_000


def answer(number: int = 0, *replies: list[int], **more: Any) -> dict[str, Any]:
    """An answer of the daemon on a link with a carrier."""
    known = {"waiting": 0, "here": [0, 0, 0, 0], "carrier": True, "reason": "", "heard": True, "hears_us": True}
    return {"number": number, "replies": list(replies), **known, **more}


def reply(number: int, ms: int, *figures: int) -> list[int]:
    return [number, ms * MS, *(figures or (0, 0, 0, 0))]


def test_replies_are_found_and_counted() -> None:
    probes = Probes("geth0", 64)
    assert probes.take(answer(11)) == []
    assert (probes.open, probes.after) == (True, 10)
    found = probes.take(answer(12, reply(11, 3)))
    assert [(each.sequence, each.round_trip_ns) for each in found] == [(1, 3 * MS)]
    assert probes.line(found[0]) == "64 bytes from the peer of geth0: seq=1 time=3.000 ms"
    assert probes.after == 11
    probes.take(answer(0, reply(11, 3), reply(12, 5)))
    assert not probes.open
    assert probes.summary(1.5)[:3] == [
        "--- geth0 probe statistics ---",
        "2 probes transmitted, 2 received, 0% loss, time 1500 ms",
        "rtt min/avg/max/mdev = 3.000/4.000/5.000/1.000 ms",
    ]


def test_a_reply_ends_the_waiting_for_those_before_it() -> None:
    probes = Probes("geth0", 64)
    for number in (1, 2, 3):
        probes.take(answer(number))
    probes.take(answer(0, reply(2, 1)))
    assert (probes.open, probes.after) == (True, 2)
    probes.take(answer(0, reply(1, 9), reply(3, 1)))
    assert not probes.open
    assert probes.lost_percent == pytest.approx(33.333)
    plain = probes.plain(1.0)
    assert plain["probes"] == [{"seq": 1, "time_ms": None}, {"seq": 2, "time_ms": 1.0}, {"seq": 3, "time_ms": 1.0}]
    assert (plain["transmitted"], plain["received"]) == (3, 2)


def test_replies_to_somebody_else_are_left_to_them() -> None:
    probes = Probes("geth0", 64)
    probes.take(answer(5))
    assert probes.take(answer(0, reply(4, 1), reply(6, 1))) == []
    assert probes.open


def test_figures_are_those_since_the_beginning() -> None:
    probes = Probes("geth0", 64)
    probes.take(answer(1, here=[100, 10, 5000, 1]))
    assert probes.counted() == {"there": None, "here": {name: 0 for name in probes.counted()["here"] or {}}}
    probes.take(answer(2, reply(1, 1, 1000, 50, 700, 7), here=[101, 10, 5520, 1]))
    probes.take(answer(0, reply(2, 1, 1003, 52, 1740, 10), here=[103, 11, 6560, 3]))
    assert probes.counted() == {
        "there": {"received": 3, "damaged": 2, "pattern_bits": 1040, "wrong_bits": 3},
        "here": {"received": 3, "damaged": 1, "pattern_bits": 1560, "wrong_bits": 2},
    }
    assert probes.summary(1.0)[3:] == [
        "to the peer: 3 frames received, 2 damaged, 3 of 1040 bits of patterns wrong (2.9e-03)",
        "from the peer: 3 frames received, 1 damaged, 2 of 1560 bits of patterns wrong (1.3e-03)",
    ]


def test_figures_may_pass_two_to_the_32() -> None:
    probes = Probes("geth0", 64)
    probes.take(answer(1, here=[(1 << 32) - 1, 0, 0, 0]))
    probes.take(answer(0, here=[4, 0, 0, 0]))
    here = probes.counted()["here"]
    assert here is not None
    assert here["received"] == 5


def test_a_datapath_that_was_started_again_begins_at_one() -> None:
    probes = Probes("geth0", 64)
    probes.take(answer(8, here=[500, 0, 0, 0]))
    probes.take(answer(1, here=[2, 0, 0, 0]))
    assert probes.after == 0
    assert [each.sequence for each in probes.take(answer(0, reply(1, 1), here=[3, 0, 0, 0]))] == [2]
    here = probes.counted()["here"]
    assert here is not None
    assert here["received"] == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "of a version that knows none"),
        ({"waiting": 1}, "nobody takes the words"),
        ({"hears_us": False, "reason": "peer writes 0x8, this link reads 0x1"}, "answers no probe: peer writes 0x8"),
        ({"hears_us": False, "heard": False, "reason": "peer silent"}, "there is no peer: peer silent"),
    ],
)
def test_why_there_was_no_reply(more: dict[str, Any], words: str) -> None:
    probes = Probes("geth0", 64)
    assert probes.explanation() == ""
    probes.take(answer(1, **more))
    assert words in probes.explanation()
    assert "100% loss" in probes.summary(1.0)[1]
    assert not any(line.startswith("rtt") for line in probes.summary(1.0))
    probes.take(answer(0, reply(1, 1), **more))
    assert probes.explanation() == ""


@pytest.mark.parametrize(("waiting", "ours"), [(3, True), (0, False), (4, False)])
def test_a_probe_that_has_not_gone_out(waiting: int, ours: bool) -> None:
    probes = Probes("geth0", 64)
    probes.take(answer(3, waiting=waiting))
    assert probes.waiting == ours


def test_replies_without_a_carrier() -> None:
    probes = Probes("geth0", 64)
    probes.take(answer(1, reply(1, 1), carrier=False, reason="this link hears itself"))
    assert probes.explanation() == "there are replies, but no carrier: this link hears itself"


def test_nothing_at_all() -> None:
    assert Probes("geth0", 64).summary(0.0)[1] == "0 probes transmitted, 0 received, 0% loss, time 0 ms"
