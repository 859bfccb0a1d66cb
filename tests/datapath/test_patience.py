"""Looking at the lines pays off or not, and is tried accordingly."""

from __future__ import annotations

import pytest

from gpiomux.datapath.patience import BRIEF, GRACE, LONGEST_PAUSE, SLOW_PAUSE, WAYS, Courtesy, Patience


def failed(patience: Patience) -> Patience:
    """One that has used up what is forgiven, and is about to fail its next try."""
    for _ in range(GRACE):
        patience.in_vain()
        assert patience.looks == 400
    return patience


def sleeps_between_tries(patience: Patience, tries: int) -> list[int]:
    """How many sleeps lie between tries that all fail."""
    pauses: list[int] = []
    pause = 0
    while len(pauses) < tries:
        patience.in_vain()
        if patience.looks > BRIEF:
            pauses.append(pause)
            pause = 0
        else:
            pause += 1
    return pauses


def test_a_peer_that_answers_in_time_is_looked_for() -> None:
    patience = Patience(400)
    for _ in range(10):
        assert patience.looks == 400
        patience.paid_off()


def test_in_vain_it_is_tried_more_and_more_rarely() -> None:
    assert sleeps_between_tries(failed(Patience(400)), 11) == [1, 2, 4, 8, 16, 32, 64, 128, LONGEST_PAUSE, 256, 256]


def test_one_try_that_pays_off_is_enough() -> None:
    patience = failed(Patience(400))
    sleeps_between_tries(patience, 5)
    assert patience.looks == 400
    patience.paid_off()
    assert patience.looks == 400
    assert sleeps_between_tries(failed(patience), 1) == [1]


def test_what_comes_while_not_looking_proves_nothing() -> None:
    patience = failed(Patience(400))
    for _ in range(3):
        patience.in_vain()
    assert patience.looks == BRIEF
    patience.paid_off()
    assert patience.looks == BRIEF


@pytest.mark.parametrize("most", [0, 1, BRIEF])
def test_the_bound_is_kept(most: int) -> None:
    patience = Patience(most)
    for _ in range(20):
        assert patience.looks <= most
        patience.in_vain()


# Giving the CPU away.


class Silence:
    """A peer that never answers, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return False


def test_a_peer_that_uses_the_cpu_is_waited_for() -> None:
    assert Courtesy().give_way(lambda: True)


def test_without_an_answer_it_is_given_up() -> None:
    peer = Silence()
    assert not Courtesy().give_way(peer)
    assert 1 <= peer.asked <= WAYS


def test_a_stranger_who_keeps_the_cpu_is_not_given_it_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr("gpiomux.datapath.patience.time.monotonic_ns", lambda: next(now_ns))
    courtesy, peer = Courtesy(), Silence()
    for _ in range(SLOW_PAUSE + 1):
        assert not courtesy.give_way(peer)
    assert peer.asked == 1
    assert not courtesy.give_way(peer)
    assert peer.asked == 2
