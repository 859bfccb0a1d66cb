"""Counters since a reset: their sums over any resets are what was counted in all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpiomux.datapath.since_reset import SinceReset


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=30))
def test_the_sum_over_all_resets_is_the_total(steps: list[tuple[int, bool]]) -> None:
    since, total, summed = SinceReset(), 0, 0
    for more, reset in steps:
        total += more
        if reset:
            totals = {"interfaces": {"geth0": {"rx_packets": total}}}
            summed += since.counted(totals)["interfaces"]["geth0"]["rx_packets"]
            since.reset(totals)
    left = since.counted({"interfaces": {"geth0": {"rx_packets": total}}})
    assert summed + left["interfaces"]["geth0"]["rx_packets"] == total


def test_states_are_told_as_they_are() -> None:
    since = SinceReset()
    since.reset({"line": {"polls": 5, "sleeping": True, "kind": "x"}})
    assert since.counted({"line": {"polls": 7, "sleeping": True, "kind": "x"}}) == {
        "line": {"polls": 2, "sleeping": True, "kind": "x"}
    }


def test_an_interface_that_comes_again_counts_from_zero() -> None:
    since = SinceReset()
    since.reset({"interfaces": {"child1": {"rx_packets": 9}}})
    since.forget("child1")
    assert since.counted({"interfaces": {"child1": {"rx_packets": 2}}}) == {"interfaces": {"child1": {"rx_packets": 2}}}
