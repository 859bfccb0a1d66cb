"""What is recorded of a link, for whom and for how long; a ring that stays small, and answers that fit."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from gpiomux.datapath.recorder import (
    ANSWER_BYTES,
    FRAME,
    FROM_NOW,
    LEASE_NS,
    PACKET,
    PACKET_BYTES,
    RING_BYTES,
    Recorder,
)
from gpiomux.errors import UsageError
from gpiomux.wire.tap import Damage

FRAME_BYTES = 500


class Clock:
    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def __call__(self) -> int:
        return self.now_ns


class Link:
    """A recorder, and the taps that it has switched on."""

    def __init__(self) -> None:
        self.tapped: set[str] = set()
        self.clock = Clock()
        self.recorder = Recorder(self._set_tap, self.clock, lambda: 77)

    def _set_tap(self, kind: str, recorder: Recorder | None) -> None:
        if kind not in (PACKET, FRAME):
            raise UsageError(f"no {kind} here")
        (self.tapped.discard if recorder is None else self.tapped.add)(kind)

    def say(self, number: int) -> None:
        self.recorder.frame(True, number.to_bytes(4, "big") + bytes(FRAME_BYTES - 4), Damage.NONE)

    def ask(self, after: int, *kinds: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(json.dumps(self.recorder.ask(kinds or (FRAME,), after)))
        return answer

    def ask_all(self, after: int) -> tuple[list[int], int]:
        """All that is kept from there on, by the numbers said, and what was lost."""
        said: list[int] = []
        lost = 0
        while True:
            answer = self.ask(after)
            assert len(json.dumps(answer)) <= ANSWER_BYTES + 200
            said += [int.from_bytes(b64decode(record[-1])[:4], "big") for record in answer["records"]]
            lost += answer["lost"]
            after = answer["next"]
            if not answer["more"]:
                return said, lost


@pytest.fixture
def link() -> Link:
    return Link()


def test_nothing_is_kept_that_nobody_asked_for(link: Link) -> None:
    assert link.tapped == set()
    after = link.ask(FROM_NOW)["next"]
    assert link.tapped == {FRAME}
    assert link.ask(after) == {"records": [], "next": after, "more": False, "lost": 0}


def test_what_a_record_holds(link: Link) -> None:
    after = link.ask(FROM_NOW, FRAME, PACKET)["next"]
    link.recorder.packet(False, "geth0", 7, b"\x45" * 1500)
    link.recorder.frame(False, b"\x30\0\0", Damage.CRC)
    answer = link.ask(after, PACKET, FRAME)
    packet, frame = answer["records"]
    assert packet[:-1] == [after + 1, 77, "packet", "in", "geth0", 7, 1500]
    assert b64decode(packet[-1]) == b"\x45" * PACKET_BYTES
    assert frame == [after + 2, 77, "frame", "in", "crc", "MAAA"]
    assert answer["next"] == after + 2


def test_many_askings_hand_out_everything_once_and_in_order(link: Link) -> None:
    after = link.ask(FROM_NOW)["next"]
    for number in range(1000):
        link.say(number)
    assert link.ask(after)["more"]
    assert link.ask_all(after) == (list(range(1000)), 0)


def test_a_full_ring_loses_the_oldest_and_says_how_many(link: Link) -> None:
    after = link.ask(FROM_NOW)["next"]
    said = 2 * RING_BYTES // FRAME_BYTES
    for number in range(said):
        link.say(number)
    numbers, lost = link.ask_all(after)
    assert numbers == list(range(said))[lost:]
    assert 0 < len(numbers) * FRAME_BYTES <= RING_BYTES


def test_two_who_ask_for_the_same_see_the_same(link: Link) -> None:
    first = link.ask(FROM_NOW)["next"]
    link.say(1)
    second = link.ask(FROM_NOW)["next"]
    link.say(2)
    assert (link.ask_all(first), link.ask_all(second)) == (([1, 2], 0), ([2], 0))


def test_a_flood_of_one_kind_takes_no_room_from_another(link: Link) -> None:
    packets, frames = (link.ask(FROM_NOW, kind)["next"] for kind in (PACKET, FRAME))
    link.recorder.packet(True, "geth0", 0, b"\x45")
    for number in range(2 * RING_BYTES // FRAME_BYTES):
        link.say(number)
    assert link.ask(packets, PACKET)["lost"] == 0
    assert len(link.ask(packets, PACKET)["records"]) == 1
    assert link.ask(frames)["lost"] > 0


def test_what_nobody_asks_for_any_more_ends_with_the_next_that_comes(link: Link) -> None:
    link.ask(FROM_NOW)
    link.clock.now_ns += LEASE_NS
    link.say(1)
    assert link.tapped == {FRAME}
    link.clock.now_ns += 1
    link.say(2)
    assert link.tapped == set()


def test_each_asking_renews_the_lease(link: Link) -> None:
    after = link.ask(FROM_NOW)["next"]
    for number in range(3):
        link.clock.now_ns += LEASE_NS
        link.say(number)
        assert link.ask(after)["lost"] == 0
    assert link.ask_all(after) == ([0, 1, 2], 0)


def test_a_recording_that_had_ended_goes_on_from_now_and_says_so(link: Link) -> None:
    after = link.ask(FROM_NOW)["next"]
    link.say(1)
    link.clock.now_ns += LEASE_NS + 1
    answer = link.ask(after)
    assert (answer["records"], answer["lost"]) == ([], None)
    link.say(2)
    assert link.ask_all(answer["next"]) == ([2], 0)


@pytest.mark.parametrize("after", [0, 5, 2**62])
def test_a_number_that_was_never_told(link: Link, after: int) -> None:
    assert link.ask(after)["lost"] is None


def test_a_kind_that_the_link_does_not_have(link: Link) -> None:
    with pytest.raises(UsageError, match="no levels here"):
        link.recorder.ask((FRAME, "levels"), FROM_NOW)
    assert link.tapped == set()
    link.ask(FROM_NOW, PACKET)
    with pytest.raises(UsageError):
        link.recorder.watch((FRAME, "levels"), print)
    assert link.tapped == {PACKET}


def test_a_watcher_sees_each_record_until_another_takes_its_place(link: Link) -> None:
    seen: list[tuple[Any, ...]] = []
    link.recorder.watch((FRAME,), seen.append)
    assert link.tapped == {FRAME}
    link.clock.now_ns += 100 * LEASE_NS
    link.recorder.frame(True, b"\x30", Damage.NONE)
    assert seen == [(77, "frame", "out", "", b"\x30")]
    link.recorder.watch((), seen.append)
    assert link.tapped == set()
