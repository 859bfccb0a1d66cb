"""What `status`, `stats` and `show` say, of links that run and of links that do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.config.load import load_text
from gpiomux.config.plain import config_from_plain
from gpiomux.control.messages import Request
from gpiomux.daemon.reading import Attempt, Reading
from gpiomux.daemon.record import Record
from gpiomux.errors import MachineError
from gpiomux.rundir import RunDir
from gpiomux.stats.counted import stats_tables
from gpiomux.stats.render import plain_text
from gpiomux.stats.report import status_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = load_text(
    """
links:
  - name: geth0
    mode: net_hdr
    medium: sim
    wire: cable0
    protocol: {reader: 1, writer: 2}
    mtu: 1400
    addresses: [10.10.0.1/24]
    children: [{name: child1, marks: [7, 8], netns: near}]
  - {name: geth1, mode: net_hdr, medium: sim, wire: cable0, protocol: {reader: 2, writer: 1}, netns: far, up: false}
""",
    "test.yaml",
)

RECORD = Record(
    serial=1,
    base=CONFIG,
    config=CONFIG,
    cause="apply",
    file="test.yaml",
    path="/test.yaml",
    applied_at_s=1.5,
    applied_by="me",
)
LINE = {"words_in": 10, "words_out": 20, "interrupts": 3, "polls": 40, "sleeps": 5, "sleeping": True}
REPORT: dict[str, Any] = {
    "link": "geth0",
    "children": [{"name": "child1", "marks": [7, 8]}],
    "gone": ["child1"],
    "pid": 4711,
    "uptime_s": 12.5,
    "carrier": True,
    "reason": "",
    "epoch": 2**64 - 1,
    "peer": {"epoch": 5, "reader": 2, "writer": 1, "mode": "net_hdr", "mtu": 1400},
    "marks_method": "packet-socket",
    "marks_limits": "received packets have mark 0",
    "counters": {"rx_bytes": 1000, "tx_bytes": 100, "rx_crc_errors": 2, "tx_dropped": 1},
    "line": LINE,
    "since_reset": {
        "counters": {"tx_packets": 3},
        "interfaces": {"geth0": {"rx_packets": 1, "tx_packets": 3}},
        "line": LINE,
    },
    "total": {"counters": {"tx_packets": 9}},
}


class FakeDatapaths:
    """Datapaths that tell what the test says."""

    def __init__(self, reports: Mapping[str, dict[str, Any] | MachineError | None]) -> None:
        self._reports = reports

    def reports(self) -> Mapping[str, dict[str, Any] | MachineError | None]:
        return self._reports

    def counted(self, *, total: bool) -> Mapping[str, dict[str, Any] | MachineError | None]:
        return {
            link: told["total" if total else "since_reset"] if isinstance(told, dict) else told
            for link, told in self._reports.items()
        }


def ask(
    verb: str,
    reports: Mapping[str, dict[str, Any] | MachineError | None],
    attempts: Mapping[str, Attempt] | None = None,
    *,
    daemon: bool = True,
    monkeypatch: pytest.MonkeyPatch,
    **args: Any,
) -> dict[str, Any]:
    reading = Reading(RunDir(Path("/nowhere")), daemon_since_s=0.0 if daemon else None)
    monkeypatch.setattr(reading, "_datapaths", FakeDatapaths(reports))
    return reading.answer(Request(verb, args), RECORD, attempts or {})


def test_status_of_a_link_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = {
        name: Attempt(state="running", restarts=2, last_exit="killed by SIGKILL") for name in ("geth0", "geth1")
    }
    answer = ask("status", {"geth0": REPORT, "geth1": REPORT}, attempts, monkeypatch=monkeypatch)
    assert answer["daemon"]["pid"] > 0
    assert answer["links"][0] == {
        "name": "geth0",
        "mode": "net_hdr",
        "medium": "sim",
        "wire": "cable0",
        "netns": None,
        "up": True,
        "mtu": 1400,
        "addresses": ["10.10.0.1/24"],
        "xdp": None,
        "carrier": True,
        "reason": "",
        "peer": REPORT["peer"],
        "epoch": 2**64 - 1,
        "marks": {"method": "packet-socket", "limits": "received packets have mark 0"},
        "datapath": {
            "pid": 4711,
            "state": "running",
            "restarts": 2,
            "uptime_s": 12.5,
            "last_exit": "killed by SIGKILL",
        },
        "interface": {"state": "out-of-sight"},
        "children": [
            {
                "name": "child1",
                "netns": "near",
                "up": True,
                "mtu": 1400,
                "addresses": [],
                "marks": [7, 8],
                "interface": {"state": "missing"},
                "xdp": None,
            }
        ],
        "line": LINE,
        "channel": {},
        "traffic": {"rx_bytes_per_s": 80, "tx_bytes_per_s": 8, "over_s": 12.5, "errors": 2, "dropped": 1},
    }
    assert (answer["links"][1]["netns"], answer["links"][1]["up"]) == ("far", False)
    assert len(status_tables(answer)) == 2


@pytest.mark.parametrize(
    ("attempt", "state", "last_exit"),
    [
        (Attempt(state="running"), "starting", ""),  # it has ended, and that has not been noticed yet
        (Attempt(state="starting", last_exit="exit status 1"), "starting", "exit status 1"),
        (Attempt(state="failed", last_exit="no such interface"), "failed", "no such interface"),
        (None, "failed", "not running, and no gpiomuxd to start it"),
    ],
)
def test_status_of_a_link_that_does_not_run(
    attempt: Attempt | None, state: str, last_exit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = {} if attempt is None else {"geth0": attempt}
    answer = ask("status", {"geth0": None, "geth1": REPORT}, attempts, daemon=False, monkeypatch=monkeypatch)
    assert answer["daemon"] is None
    link = answer["links"][0]
    assert link["datapath"] == {"pid": None, "state": state, "restarts": 0, "uptime_s": 0.0, "last_exit": last_exit}
    assert (link["carrier"], link["peer"], link["epoch"], link["line"]) == (False, None, None, {})
    assert answer["links"][1]["datapath"]["state"] == "running"
    assert len(status_tables(answer)) == 2


def test_status_of_one_that_does_not_answer_shows_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = MachineError("datapath of geth0 does not answer", errno=110)
    answer = ask("status", {"geth0": silent, "geth1": REPORT}, monkeypatch=monkeypatch)
    states = [(link["datapath"]["state"], link["datapath"]["last_exit"]) for link in answer["links"]]
    assert states == [("failed", "datapath of geth0 does not answer"), ("running", "")]


def test_stats(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {"geth0": REPORT, "geth1": None}
    assert ask("stats", links, total=True, monkeypatch=monkeypatch)["links"][0]["counters"] == {"tx_packets": 9}
    answer = ask("stats", links, total=False, monkeypatch=monkeypatch)
    assert answer["links"] == [
        {
            "name": "geth0",
            "error": "",
            "counters": {"tx_packets": 3},
            "line": LINE,
            "channel": {},
            "interfaces": {"geth0": {"rx_packets": 1, "tx_packets": 3}},
        },
        {
            "name": "geth1",
            "error": "datapath of geth1 is not running",
            "counters": {},
            "line": {},
            "channel": {},
            "interfaces": {},
        },
    ]
    assert len(stats_tables(answer)) == 4


def test_stats_say_which_datapath_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = MachineError("datapath of geth0 does not answer", errno=110)
    answer = ask("stats", {"geth0": silent, "geth1": REPORT}, total=False, monkeypatch=monkeypatch)
    rows = plain_text(stats_tables(answer)).splitlines()
    assert rows[0] == "geth0: datapath of geth0 does not answer"
    assert "geth1" in rows


def test_show_is_what_apply_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_from_plain(ask("show", {}, monkeypatch=monkeypatch)["config"]) == CONFIG
