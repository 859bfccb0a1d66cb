"""Metrics against what their readers demand: the parser of OpenMetrics, the table of counters, the dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gpiomux.stats.counters import COUNTER, COUNTERS
from gpiomux.stats.metrics import metrics_text

DASHBOARD = Path(__file__).parents[2] / "configs" / "grafana" / "gpiomux.json"

STATUS: dict[str, Any] = {
    "links": [
        {
            "name": name,
            "mode": "net_hdr",
            "medium": "sim",
            "netns": netns,
            "carrier": carrier,
            "datapath": {"state": "running" if carrier else "failed", "uptime_s": 12.5, "restarts": 3},
        }
        for name, netns, carrier in (("geth0", None, True), ('a"\\\n', "far", False))
    ]
}


def stats(value: int = 1) -> dict[str, Any]:
    """Every counter of the table, each with another value."""
    parts: dict[str, dict[str, Any]] = {part: {} for part in ("counters", "line", "channel", "rings")}
    interface: dict[str, Any] = {"protocols": {}}
    for number, counter in enumerate(COUNTERS, value):
        match counter.part:
            case "interfaces":
                interface[counter.name] = number
            case "protocols":
                interface["protocols"][counter.name] = number
            case part:
                parts[part][counter.name] = number
    empty = {"name": 'a"\\\n', "counters": {}, "line": {}, "channel": {}, "interfaces": {}}
    return {"links": [{"name": "geth0", **parts, "interfaces": {"geth0": interface, "child1": interface}}, empty]}


def families() -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(metrics_text(STATUS, stats()))}  # type: ignore[no-untyped-call]


def test_every_counter_is_there_with_its_words_unit_and_value() -> None:
    found = families()
    values = sorted(
        (sample.value for name, family in found.items() for sample in family.samples if is_counted(name)), key=float
    )
    per_interface = [it for it in COUNTERS if it.part in ("interfaces", "protocols")]
    assert len(values) == len(COUNTERS) + len(per_interface)
    assert set(values) == set(range(1, len(COUNTERS) + 1))
    documented = {family.documentation for family in found.values()}
    for counter in COUNTERS:
        assert counter.help in documented
    for family in found.values():
        assert family.documentation
        assert family.unit == "" or family.name.endswith(family.unit)
    assert {family.unit for family in found.values()} >= {it.unit for it in COUNTERS} - {"times"}


def is_counted(family: str) -> bool:
    """Whether a family comes from the table, and not from `status`."""
    return not re.fullmatch(r"gpiomux_(link|link_carrier|datapath_.*)", family)


def test_counters_are_counters_and_states_gauges() -> None:
    found = families()
    for name, family in found.items():
        if is_counted(name):
            wanted = {it.kind for it in COUNTERS if it.help == family.documentation}
            assert wanted == {"counter" if family.type == COUNTER else "gauge"}


def test_hostile_names_stay_labels() -> None:
    labels = {sample.labels["link"] for sample in families()["gpiomux_link_carrier"].samples}
    assert labels == {"geth0", 'a"\\\n'}


def test_the_dashboard_asks_for_nothing_that_is_not_there() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    known = {sample.name for family in families().values() for sample in family.samples}
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [it["query"]["query"] for it in dashboard["templating"]["list"] if it["type"] == "query"]
    names = {name for expression in asked for name in re.findall(r"gpiomux_\w+", expression)}
    assert len(names) > 20
    assert names <= known
