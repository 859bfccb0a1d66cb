"""The carrier: who is heard, what does not fit, restarts, silence, and hellos that get lost."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from gpiomux.wire.frame import VERSION, Hello, WireMode
from gpiomux.wire.peering import (
    DEAF,
    HANDSHAKE_NS,
    HEARS_ANOTHER,
    HELLO_INTERVAL_NS,
    LOOP,
    MEETING,
    NO_PEER,
    SILENCE_NS,
    SILENT,
    Peering,
    mismatches,
    mode_name,
)

OWN = Hello(mode=WireMode.net_hdr, mtu=1500, reader=12, writer=8, epoch=1000)
FITTING = Hello(mode=WireMode.net_hdr, mtu=1500, reader=8, writer=12, epoch=2000, peer_epoch=1000)


def peering(own: Hello = OWN, *, first_epoch: int = 1001) -> Peering:
    """One end; each new epoch is one more than the last."""
    return Peering(own, count(first_epoch).__next__, 0)


def up() -> Peering:
    one = peering()
    one.hears(FITTING, 0)
    assert one.up
    one.say_hello(0)
    return one


# What fits.


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"writer": 8}, "peer writes 0x8, this link reads 0xc"),
        ({"writer": 8, "reader": 12}, "peer reads 0xc and writes 0x8, as this link does: they must be crosswise"),
        ({"writer": 9, "reader": 12}, "peer writes 0x9, this link reads 0xc; peer reads 0xc, this link writes 0x8"),
        ({"reader": 12}, "peer reads 0xc, this link writes 0x8"),
        ({"writer": 0x10000}, "peer writes 0x10000, this link reads 0xc"),
        ({"mode": WireMode.eth}, "peer's mode is eth, this link's net_hdr"),
        ({"mode": 77}, "peer's mode is unknown (77), this link's net_hdr"),
        ({"mtu": 1400}, "peer's mtu is 1400, this link's 1500"),
        ({"version": 2, "mtu": 1}, f"peer speaks version 2 of the wire protocol, this link {VERSION}"),
        ({"datagram": True}, "peer's delivery is datagram, this link's reliable"),
        (
            {"writer": 8, "reader": 12, "mode": WireMode.raw, "mtu": 9000},
            "peer reads 0xc and writes 0x8, as this link does: they must be crosswise; "
            "peer's mode is raw, this link's net_hdr; peer's mtu is 9000, this link's 1500",
        ),
        ({"epoch": OWN.epoch, "peer_epoch": 0}, LOOP),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], text: str) -> None:
    one = peering()
    one.hears(replace(FITTING, **changes), 0)
    assert not one.up
    assert one.reason == text


def test_what_fits_has_no_reason() -> None:
    assert mismatches(OWN, FITTING) == []
    assert up().reason == ""


def test_modes_are_shown_by_name() -> None:
    assert [mode_name(mode) for mode in range(5)] == ["unknown (0)", "eth", "net_hdr", "raw", "unknown (4)"]


# The carrier.


def test_there_is_no_carrier_at_first() -> None:
    one = peering()
    assert (one.up, one.reason, one.peer) == (False, NO_PEER, None)
    assert one.hello_due(0)


def test_a_peer_that_does_not_hear_us_gives_no_carrier() -> None:
    one = peering()
    one.hears(replace(FITTING, peer_epoch=0), 0)
    assert (one.up, one.reason) == (False, DEAF)
    assert one.own.peer_epoch == FITTING.epoch


def test_a_peer_that_goes_on_naming_another_epoch_hears_another_link() -> None:
    """At first it may be the one that we had before."""
    one = peering()
    for now_ns in range(0, HANDSHAKE_NS, HELLO_INTERVAL_NS):
        one.hears(replace(FITTING, peer_epoch=4), now_ns)
        assert (one.up, one.reason) == (False, MEETING)
    one.hears(replace(FITTING, peer_epoch=4), HANDSHAKE_NS)
    assert (one.up, one.reason) == (False, HEARS_ANOTHER)
    one.hears(replace(FITTING, peer_epoch=0), HANDSHAKE_NS)
    assert one.reason == DEAF
    one.hears(FITTING, HANDSHAKE_NS)
    assert (one.up, one.reason) == (True, "")
    one.hears(replace(FITTING, peer_epoch=4), 2 * HANDSHAKE_NS)
    assert one.reason == MEETING, "another handshake"


def test_another_link_is_named_beside_what_does_not_fit() -> None:
    one = peering()
    for now_ns in (0, HANDSHAKE_NS):
        one.hears(replace(FITTING, mtu=1400, peer_epoch=4), now_ns)
    assert one.reason == f"peer's mtu is 1400, this link's 1500; {HEARS_ANOTHER}"
    one.silent_since(HANDSHAKE_NS + SILENCE_NS)
    one.hears(replace(FITTING, mtu=1400, peer_epoch=4), 2 * HANDSHAKE_NS)
    assert one.reason == "peer's mtu is 1400, this link's 1500"


def test_hellos_repeat() -> None:
    one = up()
    assert not one.hello_due(HELLO_INTERVAL_NS - 1)
    assert one.hello_due(HELLO_INTERVAL_NS)
    assert one.say_hello(HELLO_INTERVAL_NS) == replace(OWN, peer_epoch=FITTING.epoch)
    assert not one.hello_due(2 * HELLO_INTERVAL_NS - 1)


def test_a_hello_that_takes_long_is_followed_by_a_whole_interval() -> None:
    """Else a slow line would carry nothing but hellos."""
    one = up()
    one.hello_gone_out(3 * HELLO_INTERVAL_NS)
    assert not one.hello_due(4 * HELLO_INTERVAL_NS - 1)
    assert one.hello_due(4 * HELLO_INTERVAL_NS)


def test_a_hello_that_is_due_at_once_does_not_wait_for_the_one_before() -> None:
    one = up()
    one.set_mtu(1400)
    one.hello_gone_out(1)
    assert one.hello_due(1)


def test_a_peer_without_a_word_is_gone() -> None:
    one = up()
    assert not one.silent_since(SILENCE_NS - 1)
    one.hears_frame(1000)
    assert not one.silent_since(SILENCE_NS)
    assert one.silent_since(SILENCE_NS + 1000)
    assert (one.up, one.reason, one.peer) == (False, SILENT, None)
    assert one.own == replace(OWN, epoch=1001), "the peer shall begin anew as well"
    assert one.hello_due(SILENCE_NS + 1000)
    assert not one.silent_since(10 * SILENCE_NS), "it is noticed once"


def test_a_peer_that_no_longer_fits_ends_the_epoch() -> None:
    one = up()
    assert not one.hears(replace(FITTING, mtu=1400), 1)
    assert (one.up, one.own.epoch) == (False, 1001)
    assert one.hello_due(1)


def test_a_peer_that_no_longer_hears_us_ends_the_epoch() -> None:
    one = up()
    assert not one.hears(replace(FITTING, peer_epoch=0), 1)
    assert (one.up, one.reason, one.own.epoch) == (False, DEAF, 1001)


def test_a_restarted_peer_is_noticed() -> None:
    one = up()
    assert one.hears(replace(FITTING, epoch=2001, peer_epoch=0), 1)
    assert (one.up, one.reason) == (False, DEAF)
    assert one.own == replace(OWN, peer_epoch=2001), "our own epoch goes on"
    assert one.hello_due(1)
    assert not one.hears(replace(FITTING, epoch=2001), 2)
    assert one.up


def test_another_mtu_ends_the_carrier_until_the_peer_has_it() -> None:
    one = up()
    one.set_mtu(1400)
    assert (one.up, one.reason) == (False, "peer's mtu is 1500, this link's 1400")
    assert one.hello_due(0)
    assert one.say_hello(0) == replace(OWN, epoch=1001, mtu=1400, peer_epoch=2000)
    one.hears(replace(FITTING, peer_epoch=1001), 1)
    assert not one.up
    one.hears(replace(FITTING, epoch=2001, peer_epoch=1001, mtu=1400), 2)
    assert one.up


def test_another_mtu_before_any_peer() -> None:
    one = peering()
    one.set_mtu(1400)
    assert (one.up, one.reason, one.own.mtu) == (False, NO_PEER, 1400)


def test_deadlines() -> None:
    one = peering()
    assert one.deadline_ns(can_say=True) == 0
    assert one.deadline_ns(can_say=False) is None
    one.say_hello(5)
    assert one.deadline_ns(can_say=True) == 5 + HELLO_INTERVAL_NS
    one.hears(FITTING, 10)
    one.say_hello(10)
    assert one.deadline_ns(can_say=True) == 10 + HELLO_INTERVAL_NS
    assert one.deadline_ns(can_say=False) == 10 + SILENCE_NS


# Two ends, and more.


class Ends:
    """Ends in a row, each heard by the next; a hello arrives at once, or is lost if `losses` says so."""

    def __init__(self, owns: list[Hello], *, losses: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.ends = [peering(own, first_epoch=own.epoch + 1) for own in owns]
        self.said = 0
        self._losses = losses

    def run(self, until_ns: int, step_ns: int = HELLO_INTERVAL_NS // 8) -> None:
        for now_ns in range(0, until_ns, step_ns):
            for index, end in enumerate(self.ends):
                end.silent_since(now_ns)
                if end.hello_due(now_ns):
                    hello = end.say_hello(now_ns)
                    if self.said not in self._losses:
                        self.ends[(index + 1) % len(self.ends)].hears(hello, now_ns)
                    self.said += 1


SERVER = replace(OWN, reader=8, writer=12, epoch=5000)


@pytest.mark.parametrize("lost", [set(), {0}, {1}, {2}, {3}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}, {1, 3}])
def test_any_hello_may_be_lost(lost: set[int]) -> None:
    pair = Ends([OWN, SERVER], losses=lost)
    pair.run((2 + len(lost)) * HELLO_INTERVAL_NS)
    assert [end.up for end in pair.ends] == [True, True]
    assert [end.own.epoch for end in pair.ends] == [1000, 5000], "nobody has begun anew"


def test_hellos_lost_at_random() -> None:
    for seed in range(100):
        draws = random.Random(seed)
        pair = Ends([OWN, SERVER], losses={number for number in range(30) if draws.random() < 0.7})
        pair.run(60 * HELLO_INTERVAL_NS)
        assert [end.up for end in pair.ends] == [True, True], f"seed {seed}"


def test_two_ends_that_do_not_fit_do_not_chatter() -> None:
    pair = Ends([OWN, replace(SERVER, mtu=1400)])
    pair.run(10 * HELLO_INTERVAL_NS)
    assert [end.up for end in pair.ends] == [False, False]
    assert pair.said <= 2 * 10 + 4


def test_a_link_that_hears_itself_says_so_and_does_not_chatter() -> None:
    loop = Ends([OWN])
    loop.run(10 * HELLO_INTERVAL_NS)
    assert (loop.ends[0].up, loop.ends[0].reason) == (False, LOOP)
    assert loop.said <= 10 + 2


@pytest.mark.parametrize("length", [3, 4])
def test_links_wired_in_a_ring_do_not_chatter(length: int) -> None:
    """Cables that are mixed up: each end hears one that does not hear it. No answer helps, so none is hurried."""
    ring = Ends([replace((OWN, SERVER)[index % 2], epoch=1000 * (index + 1)) for index in range(length)])
    ring.run(10 * HELLO_INTERVAL_NS, step_ns=HELLO_INTERVAL_NS // 100)
    # Those that have the same ids are told that as well.
    assert all(end.reason.endswith(HEARS_ANOTHER) and not end.up for end in ring.ends)
    assert ring.said <= length * (10 + 4)
