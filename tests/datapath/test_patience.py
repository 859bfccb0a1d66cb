"""Looking at the lines pays off or not, and is tried accordingly."""

from __future__ import annotations

import pytest

from gpiomux.datapath.patience import BRIEF, LONGEST_PAUSE, Patience


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
    assert sleeps_between_tries(Patience(400), 11) == [1, 2, 4, 8, 16, 32, 64, 128, LONGEST_PAUSE, 256, 256]


def test_one_try_that_pays_off_is_enough() -> None:
    patience = Patience(400)
    sleeps_between_tries(patience, 5)
    assert patience.looks == 400
    patience.paid_off()
    assert patience.looks == 400
    assert sleeps_between_tries(patience, 1) == [1]


def test_what_comes_while_not_looking_proves_nothing() -> None:
    patience = Patience(400)
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
