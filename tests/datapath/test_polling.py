"""The three ways of waiting, each with a handshake that does what a test says, in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config.model import Poll, PollMode
from gpiomux.datapath.patience import BRIEF
from gpiomux.datapath.polling import LOOKS, ROUND, STUCK_NS, WORDS_PER_TURN, Polling


class Lines:
    """A handshake in whose place a test says what was found."""

    def __init__(self, *, mid_frame: bool = True, idle: bool = True) -> None:
        self.mid_frame = mid_frame
        self.idle = idle
        self.words_in = self.words_out = self.repeated = 0

    def pending(self) -> bool:
        return False

    def repeat(self) -> None:
        self.repeated += 1


def rounds(polling: Polling, lines: Lines, *, step_ns: int = 10_000, most: int = 100_000) -> tuple[int, int]:
    """Look in vain until it is time to sleep: how many looks that takes, and how long; `most` of them at most."""
    looks, now_ns = 0, 0
    while looks < most:
        looks += polling.looks
        now_ns += step_ns
        if not polling.goes_on(lines, now_ns):  # type: ignore[arg-type]
            break
    return looks, now_ns


def test_auto_looks_on_for_so_many_looks() -> None:
    polling = Polling(Poll(), 0)
    assert (polling.looks, polling.budget, polling.keeps_edges) == (LOOKS, WORDS_PER_TURN, False)
    assert rounds(polling, Lines())[0] == LOOKS


def test_auto_looks_on_for_a_time() -> None:
    polling = Polling(Poll(idle_us=500), 0)
    assert polling.looks == ROUND
    assert rounds(polling, Lines())[1] == 500_000


def test_a_word_begins_the_time_anew_even_if_looking_ended_in_vain() -> None:
    polling, lines = Polling(Poll(idle_us=500), 0), Lines()
    lines.words_in += 1
    assert polling.goes_on(lines, 400_000)  # type: ignore[arg-type]
    assert polling.goes_on(lines, 800_000)  # type: ignore[arg-type]
    assert not polling.goes_on(lines, 900_000)  # type: ignore[arg-type]


@pytest.mark.parametrize("poll", [Poll(), Poll(idle_us=10_000)])
def test_auto_gives_up_early_where_looking_has_not_paid_off(poll: Poll) -> None:
    polling = Polling(poll, 0)
    tried = [rounds(polling, Lines())[0] for _ in range(20)]
    assert min(tried) == BRIEF
    assert tried.count(BRIEF) > 10


@pytest.mark.parametrize("poll", [Poll(), Poll(idle_us=10_000)])
def test_that_nothing_follows_a_frame_teaches_nothing(poll: Poll) -> None:
    polling = Polling(poll, 0)
    assert len({rounds(polling, Lines(mid_frame=False)) for _ in range(20)}) == 1


def test_irq_looks_once_and_leaves_edges_on() -> None:
    polling = Polling(Poll(mode=PollMode.IRQ), 0)
    assert (polling.looks, polling.keeps_edges) == (1, True)
    assert rounds(polling, Lines())[0] == 1


def test_busy_never_sleeps_and_comes_back_to_the_others_often() -> None:
    polling = Polling(Poll(mode=PollMode.BUSY), 0)
    assert (polling.looks, polling.keeps_edges) == (ROUND, False)
    assert rounds(polling, Lines(), most=5000)[0] >= 5000


def test_busy_drives_a_word_again_that_nobody_takes() -> None:
    polling, stuck = Polling(Poll(mode=PollMode.BUSY), 0), Lines(idle=False)
    for turn in range(10):
        assert polling.goes_on(stuck, turn * STUCK_NS // 4)  # type: ignore[arg-type]
    assert stuck.repeated == 1
    idle = Lines(idle=True)
    assert polling.goes_on(idle, 100 * STUCK_NS)  # type: ignore[arg-type]
    assert idle.repeated == 0


@given(st.integers(1, 3 * LOOKS), st.sampled_from(PollMode))
def test_the_budget_bounds_a_turn_and_not_the_patience(budget: int, mode: PollMode) -> None:
    polling = Polling(Poll(mode=mode, budget=budget), 0)
    assert 1 <= polling.looks <= polling.budget == budget, "or a turn in vain would look like one that found words"
    looks, _ = rounds(polling, Lines(), most=2000)
    if mode is PollMode.AUTO:
        assert LOOKS <= looks < LOOKS + budget


def test_another_way_takes_hold_at_once() -> None:
    polling = Polling(Poll(mode=PollMode.BUSY, budget=5), 0)
    polling.set(Poll(mode=PollMode.IRQ))
    assert (polling.looks, polling.budget, rounds(polling, Lines())[0]) == (1, WORDS_PER_TURN, 1)
    polling.set(Poll())
    assert rounds(polling, Lines())[0] == LOOKS
