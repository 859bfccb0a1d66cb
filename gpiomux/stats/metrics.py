"""What is counted, as OpenMetrics text for Prometheus and whoever else reads that. Pure.

The numbers are those since each datapath began: a reset by `stats --reset` does not touch them, so rates stay right.
Every counter of `gpiomux.stats.counters` is one metric family, with the words and the unit from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest

from gpiomux.stats.counters import COUNTER, COUNTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from gpiomux.stats.counters import Counter
    from gpiomux.stats.report import Answer

PREFIX = "gpiomux"
_ROOMS = {
    "counters": "link",
    "line": "line",
    "channel": "channel",
    "interfaces": "interface",
    "protocols": "interface",
    "rings": "ring",
}
"""What stands in the names of the metrics for each part of the counters."""
_NO_UNIT = "times"
"""What happens is counted without one: `gpiomux_line_sleeps_total` says it all."""


def metrics_text(status: Answer, stats: Answer) -> str:
    """All metrics, as an HTTP exporter sends them (OpenMetrics 1.0).

    Args:
        status: an answer to `status`.
        stats: an answer to `stats` with `total`.
    """
    text: str = generate_latest(_Families(status, stats)).decode()  # type: ignore[no-untyped-call]
    return text


class _Families:
    """What a registry is to prometheus_client."""

    def __init__(self, status: Answer, stats: Answer) -> None:
        self._status = status
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """Every family, those without a sample too: that a counter exists is worth knowing."""
        yield from _state(self._status)
        for counter in COUNTERS:
            yield _counted(counter, self._stats)


def _state(status: Answer) -> Iterator[Metric]:
    """What `status` tells as words, as numbers."""
    links = status["links"]
    about = InfoMetricFamily(f"{PREFIX}_link", "What a link is.", labels=["link"])
    carrier = GaugeMetricFamily(f"{PREFIX}_link_carrier", "Whether the peer is heard and fits.", labels=["link"])
    running = GaugeMetricFamily(f"{PREFIX}_datapath_running", "Whether the process of a link runs.", labels=["link"])
    uptime = GaugeMetricFamily(
        f"{PREFIX}_datapath_uptime", "How long it has been running.", labels=["link"], unit="seconds"
    )
    restarts = CounterMetricFamily(
        f"{PREFIX}_datapath_restarts", "Times that it was started anew by this gpiomuxd.", labels=["link"]
    )
    for link in links:
        name, datapath = link["name"], link["datapath"]
        about.add_metric([name], {"mode": link["mode"], "medium": link["medium"], "netns": link["netns"] or ""})
        carrier.add_metric([name], link["carrier"])
        running.add_metric([name], datapath["state"] == "running")
        uptime.add_metric([name], datapath["uptime_s"])
        restarts.add_metric([name], datapath["restarts"])
    yield from (about, carrier, running, uptime, restarts)


def _counted(counter: Counter, stats: Answer) -> Metric:
    name = f"{PREFIX}_{_ROOMS[counter.part]}_{counter.name}"
    unit = "" if counter.unit == _NO_UNIT else counter.unit
    labels = ["link", "interface"] if _ROOMS[counter.part] == "interface" else ["link"]
    kind = CounterMetricFamily if counter.kind == COUNTER else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(name, counter.help, labels=labels, unit=unit)
    for values, value in _samples(counter, stats):
        family.add_metric(values, value)
    return family


def _samples(counter: Counter, stats: Answer) -> Iterator[tuple[list[str], int]]:
    """Labels and value, of each link or interface that counts it."""
    for link in stats["links"]:
        if counter.part in ("interfaces", "protocols"):
            for interface, counted in link["interfaces"].items():
                within = counted.get("protocols", {}) if counter.part == "protocols" else counted
                if counter.name in within:
                    yield [link["name"], interface], within[counter.name]
        elif counter.name in link.get(counter.part, {}):
            yield [link["name"]], link[counter.part][counter.name]
