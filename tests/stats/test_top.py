"""Links at a glance: rates in words, the past as blocks, and the worst news in the title."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.stats.report import Tone, bit_rate
from gpiomux.stats.top import ASCII_BLOCKS, BLOCKS, LEAST_SAMPLES, SAMPLES, sparkline, top_tables
from tests.cli.answers import interface_status


@pytest.mark.parametrize(
    ("bytes_per_s", "words"),
    [
        (0, "0 bit/s"),
        (124, "992 bit/s"),
        (125, "1.0 kbit/s"),
        (12_400, "99.2 kbit/s"),
        (12_500, "100 kbit/s"),
        (124_937, "999 kbit/s"),
        (124_938, "1.0 Mbit/s"),
        (10**17, "800000 Tbit/s"),
    ],
)
def test_rates_in_words(bytes_per_s: int, words: str) -> None:
    assert bit_rate(bytes_per_s) == words


@given(st.lists(st.integers(0, 2**64), max_size=40), st.sampled_from((BLOCKS, ASCII_BLOCKS)))
def test_a_line_of_blocks(values: list[int], blocks: str) -> None:
    drawn = sparkline(values, blocks)
    assert len(drawn) == len(values)
    assert [char == " " for char in drawn] == [value == 0 for value in values]
    if max(values, default=0):
        assert drawn[values.index(max(values))] == blocks[-1]
    heights = [(value, blocks.index(char)) for value, char in zip(values, drawn, strict=True) if value]
    assert [height for _, height in sorted(heights)] == sorted(height for _, height in heights)


def link(name: str, *, carrier: bool, children: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "up": True,
        "carrier": carrier,
        "reason": "" if carrier else "no hello from the peer",
        "datapath": {"state": "running", "restarts": 2, "last_exit": ""},
        "children": children or [],
        "netns": None,
        "mtu": 1500,
        "interface": interface_status(name=name, addresses=[]),
    }


STATUS: dict[str, Any] = {
    "daemon": None,
    "links": [
        link("geth0", carrier=True, children=[{"name": "child1", "marks": [7, 8]}]),
        link("geth1", carrier=False),
    ],
}
RATES: dict[str, Any] = {
    "links": [
        {
            "name": "geth0",
            "counters": {"rx_crc_errors": 2, "tx_ring_full": 3},
            "interfaces": {"geth0": {"rx_bytes": 1000, "tx_bytes": 0, "rx_dropped": 4}, "child1": {"rx_bytes": 500}},
        }
    ]
}


def test_a_link_sums_its_interfaces_and_a_child_stands_by_itself() -> None:
    links, _, children = top_tables(STATUS, [RATES], columns=100)
    assert links.rows[0] == ("geth0", "carrier", "12.0 kbit/s", "       █", "0 bit/s", " " * 8, "2", "7", "2")
    assert children.rows == (("child1", "geth0", "7, 8", "4.0 kbit/s", "       █", "0 bit/s", " " * 8),)
    assert links.note == "1 of 2 with a carrier"
    assert (links.tone, links.tones) == (Tone.BAD, (Tone.GOOD, Tone.BAD))


def test_a_reason_stands_below_the_links_and_leaves_them_short() -> None:
    links, reasons, _ = top_tables(STATUS, [RATES], columns=100)
    assert links.rows[1][1] == "no carrier"
    assert reasons.rows == (("geth1", "no hello from the peer"),)
    down = STATUS["links"][0] | {"interface": interface_status(name="geth0", addresses=[], up=False), "children": []}
    links, reasons = top_tables(STATUS | {"links": [down]}, [], columns=100)
    assert (links.rows[0][1], links.tones) == ("carrier", (Tone.WAITING,))
    assert reasons.rows == (("geth0", "but the interface is down"),)


def test_before_the_first_interval_everything_stands_still() -> None:
    links, *_ = top_tables(STATUS, [], columns=100)
    assert {row[2] for row in links.rows} == {"0 bit/s"}


@pytest.mark.parametrize(("columns", "samples"), [(10, LEAST_SAMPLES), (124, 20), (1000, SAMPLES)])
def test_the_past_takes_what_the_terminal_leaves(columns: int, samples: int) -> None:
    links, *_ = top_tables(STATUS, [RATES] * 50, columns=columns)
    assert len(links.rows[0][3]) == samples
