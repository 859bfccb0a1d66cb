"""Tests of `gpiomux.wire.answers`: when a peer without a hello is given up."""

from __future__ import annotations

import pytest

from gpiomux.wire.answers import UNANSWERED_FRAMES, UNANSWERED_NS, Answers, asks

ARP = bytes.fromhex("ffffffffffff 464554483031 0806") + bytes(46)
UNICAST = bytes.fromhex("464554483032 464554483031 0800") + bytes(46)
BOARD = bytes.fromhex("474554483032 464554483031 0800") + bytes(46)
NEIGHBOURS = bytes.fromhex("333300000001 464554483031 86dd") + bytes(46)
BROADCAST = bytes.fromhex("ffffffffffff 464554483031 0800") + bytes(46)
SECOND_NS = 10**9


@pytest.mark.parametrize(
    ("frame", "expected"), [(ARP, True), (UNICAST, True), (BOARD, True), (NEIGHBOURS, False), (BROADCAST, False)]
)
def test_what_lets_expect_an_answer(frame: bytes, expected: bool) -> None:
    assert asks(frame) is expected


def silent_for(frame: bytes, count: int, period_ns: int) -> Answers:
    answers = Answers()
    for number in range(count):
        answers.sent(frame, 5 + number * period_ns)
    return answers


def test_a_peer_that_does_not_answer_is_given_up() -> None:
    period_ns = UNANSWERED_NS // (UNANSWERED_FRAMES - 1) + 1
    assert silent_for(UNICAST, UNANSWERED_FRAMES - 1, period_ns).up
    answers = silent_for(UNICAST, UNANSWERED_FRAMES, period_ns)
    assert not answers.up
    assert answers.reason == "peer has not answered 8 frames in 60 s: it is no longer sent to"


def test_many_frames_in_a_short_time_say_nothing() -> None:
    assert silent_for(UNICAST, 1000, UNANSWERED_NS // 1001).up


def test_what_asks_nobody_says_nothing() -> None:
    assert silent_for(NEIGHBOURS, 100, UNANSWERED_NS).up


def test_a_frame_that_is_heard_brings_it_back() -> None:
    answers = silent_for(UNICAST, 10, UNANSWERED_NS)
    assert (answers.up, answers.heard_ns) == (False, None)
    answers.heard(7)
    assert (answers.up, answers.reason, answers.heard_ns) == (True, "", 7)
    answers.sent(UNICAST, 8)
    assert answers.up
