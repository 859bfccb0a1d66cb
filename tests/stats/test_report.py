"""gpiomux.stats.report: what a reader of `status` and `stats` is told, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from gpiomux.stats import report
from gpiomux.stats.report import Tone
from tests.cli.answers import child_status, link_status


def table_of(**changes: Any) -> report.Table:
    return report.status_tables({"daemon": None, "links": [link_status(**changes)]})[0]


def properties_of(table: report.Table) -> dict[str, str]:
    return {row[0]: row[1] for row in table.rows}


def row_of(name: str, **changes: Any) -> str:
    return properties_of(table_of(**changes))[name]


def test_a_link_with_carrier_is_good_news() -> None:
    table = table_of()
    assert (table.title, table.note, table.tone) == ("geth0", "carrier", Tone.GOOD)
    assert properties_of(table) == {
        "mode": "net_hdr, mtu 1500",
        "medium": "sim, wire cable0",
        "interface": "up, 10.10.0.1/24",
        "peer": "net_hdr, mtu 1500, reads 0x8, writes 0x12, epoch 0xbeef",
        "traffic": "in 1.0 kbit/s, out 0 bit/s, in the last 4 s; 1 errors, 0 dropped",
        "lines": "asleep, 2 interrupts, 900 polls, words in 300, out 301",
        "marks": "bpf-tcx",
        "datapath": "pid 4242, up 1 min 5 s",
        "child child1": "mark 7, up",
    }


@pytest.mark.parametrize(
    ("changes", "note", "tone"),
    [
        (
            {"carrier": False, "reason": "peer writes 0x8, this link reads 0xc"},
            "no carrier: peer writes 0x8, this link reads 0xc",
            Tone.BAD,
        ),
        ({"carrier": False, "reason": ""}, "no carrier", Tone.BAD),
        ({"interface": {"up": False}}, "carrier, but the interface is down", Tone.WAITING),
        (
            {"interface": {"up": False, "netns": "other", "name": "foo", "mtu": 1400}},
            "carrier, but the interface is down in netns other named foo with mtu 1400",
            Tone.WAITING,
        ),
        ({"netns": "far"}, "carrier, but the interface is in the netns of gpiomuxd", Tone.WAITING),
        (
            {"interface": {"state": "missing"}},
            "carrier, but the interface is removed; 'gpiomux apply' makes it again",
            Tone.WAITING,
        ),
        (
            {"interface": {"state": "out-of-sight"}},
            "carrier, but the interface is in a network namespace without a name",
            Tone.WAITING,
        ),
        (
            {"interface": {"rps": "3"}},
            "carrier, but the interface is under RPS, which loses marks",
            Tone.WAITING,
        ),
        ({"interface": {"state": "unknown", "why": "not permitted"}}, "carrier", Tone.GOOD),
        ({"datapath": {"state": "starting"}}, "datapath starting", Tone.WAITING),
        ({"datapath": {"state": "failed", "last_exit": "status 3"}}, "datapath failed: status 3", Tone.BAD),
        ({"datapath": {"state": "failed", "last_exit": ""}}, "datapath failed", Tone.BAD),
    ],
)
def test_the_note_names_the_first_obstacle(changes: dict[str, Any], note: str, tone: Tone) -> None:
    table = table_of(**changes)
    assert (table.note, table.tone) == (note, tone)


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("medium", {"medium": "gpio", "wire": None}, "gpio"),
        ("interface", {"interface": {"up": False, "netns": "far", "addresses": []}}, "down in netns far"),
        ("interface", {"interface": {"name": "foo", "mtu": 900}}, "up named foo with mtu 900, 10.10.0.1/24"),
        ("interface", {"interface": {"state": "unknown", "why": "not permitted"}}, "unknown: not permitted"),
        ("peer", {"peer": None}, "not heard"),
        ("peer", {"peer": {"heard_s": 62.5}}, "heard 1 min 2 s ago"),
        (
            "lines",
            {"line": {"edges_in": 3, "edges_out": 4, "interrupts": 5, "polls": 6, "sleeps": 7, "sleeping": True}},
            "asleep, 5 interrupts, 6 polls, edges in 3, out 4",
        ),
        (
            "channels",
            {"channel": {"interrupts": 5, "polls": 6, "sleeps": 7, "sleeping": False}},
            "polling, 5 interrupts, 6 polls, 7 sleeps",
        ),
        (
            "lines",
            {"line": {"words_in": 3, "words_out": 4, "interrupts": 0, "polls": 9, "sleeps": 0, "sleeping": False}},
            "polling, 0 interrupts, 9 polls, words in 3, out 4",
        ),
        (
            "marks",
            {"marks": {"method": "packet-socket", "limits": "mark is not set"}},
            "packet-socket: mark is not set",
        ),
        (
            "datapath",
            {"datapath": {"restarts": 1, "last_exit": "killed by SIGKILL"}},
            "pid 4242, up 1 min 5 s, 1 restart (last exit: killed by SIGKILL)",
        ),
        ("datapath", {"datapath": {"restarts": 2, "last_exit": ""}}, "pid 4242, up 1 min 5 s, 2 restarts"),
        ("datapath", {"datapath": {"pid": None, "state": "starting"}}, "starting"),
        ("child child1", {"children": [child_status(marks=[])]}, "no marks, up"),
        (
            "child child1",
            {"children": [child_status(marks=[7, 9], interface={"netns": "far", "addresses": ["10.1.0.1/24"]})]},
            "marks 7, 9, up in netns far, 10.1.0.1/24",
        ),
    ],
)
def test_a_property_of_a_link(name: str, changes: dict[str, Any], text: str) -> None:
    assert row_of(name, **changes) == text


def test_a_datapath_that_tells_nothing_gives_no_line_about_marks_and_lines() -> None:
    told = properties_of(table_of(marks={"method": "", "limits": ""}, line={}))
    assert not {"marks", "lines"} & told.keys()


@pytest.mark.parametrize(
    ("daemon", "text"),
    [
        (None, "gpiomuxd is not running; the links run without it"),
        ({"pid": 7, "version": "0.1.0", "uptime_s": 3700.5}, "gpiomuxd 0.1.0, pid 7, up 1 h 1 min"),
    ],
)
def test_the_daemon_is_named_in_one_line(daemon: dict[str, Any] | None, text: str) -> None:
    assert report.daemon_line({"daemon": daemon, "links": []}) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.99, "0 s"), (59, "59 s"), (60, "1 min"), (62, "1 min 2 s"), (3600, "1 h"), (90061, "1 d 1 h")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


@pytest.mark.parametrize(("over_s", "words"), [(0.384, "0.4 s"), (1.9, "1 s"), (75.0, "1 min 15 s")])
def test_the_time_that_a_rate_is_of(over_s: float, words: str) -> None:
    traffic = {"rx_bytes_per_s": 0, "tx_bytes_per_s": 0, "over_s": over_s, "errors": 0, "dropped": 0}
    assert f"in the last {words};" in row_of("traffic", traffic=traffic)
