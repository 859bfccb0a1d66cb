"""Counters as tables: grouped by direction and interface, alone and with how fast they grow."""

from __future__ import annotations

from typing import Any

from gpiomux.stats.counted import rates, stats_tables
from gpiomux.stats.render import plain_text
from tests.cli.answers import link_stats

SHOWN = """\
geth0
  counter      rx   tx
  packets       3    4
  resent             1
  crc_errors    2
  words       300  301

geth0 events
  interrupts     7
  peer_restarts  1

geth0 interfaces
  interface  way  packets  dropped
  geth0      rx         3        0
  geth0      tx         4
  child1     rx         1        5
  child1     tx         0

geth0 protocols
  interface  way  icmp  udp
  geth0      rx      3    0
  geth0      tx      0    4
  child1     rx
  child1     tx"""


def stats(**changes: Any) -> dict[str, Any]:
    return {"links": [{**link_stats(), **changes}]}


def test_what_a_link_counts_is_grouped() -> None:
    assert plain_text(stats_tables(stats())) == SHOWN


def test_what_counted_nothing_gets_no_table() -> None:
    assert stats_tables(stats(counters={}, line={}, channel={}, interfaces={})) == ()


def test_a_channel_has_its_events_in_the_same_table() -> None:
    tables = stats_tables(stats(line={}, channel={"polls": 5, "sleeping": False}, counters={"carrier_changes": 1}))
    assert tables[0].title == "geth0 events"
    assert tables[0].rows == (("polls", "5"), ("carrier_changes", "1"))


def test_rates_are_told_beside_the_numbers() -> None:
    before, now = stats(), stats(counters={"rx_packets": 13, "tx_packets": 4, "peer_restarts": 1})
    now["links"][0]["interfaces"]["geth0"]["rx_packets"] = 103
    growth = rates(before, now, 0.5)
    ways, events, interfaces, protocols = stats_tables(now, growth)
    assert ways.columns == ("counter", "rx", "rx/s", "tx", "tx/s")
    assert ways.rows[0] == ("packets", "13", "20", "4", "0")
    assert events.columns == ("event", "count", "count/s")
    assert ("interrupts", "7", "0") in events.rows
    assert interfaces.rows[:2] == (("geth0", "rx", "103", "0"), ("geth0", "rx/s", "200", "0"))
    assert protocols.rows[1] == ("geth0", "rx/s", "0", "0")


def test_after_a_reset_everything_is_new() -> None:
    growth = rates(stats(counters={"rx_packets": 1000}), stats(counters={"rx_packets": 30}), 2.0)
    assert growth["links"][0]["counters"] == {"rx_packets": 15}


def test_a_link_that_was_not_there_before_is_all_new() -> None:
    growth = rates({"links": []}, stats(counters={"rx_packets": 30}), 1.0)
    assert growth["links"][0]["counters"] == {"rx_packets": 30}
