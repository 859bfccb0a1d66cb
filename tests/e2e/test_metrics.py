"""Metrics as a real Prometheus gets them over HTTP, and what the exporter says when there is nothing to tell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests import namespaces, traffic
from tests.e2e.host import GPIOMUX, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

FAR = "10.10.0.2"
EXPORTER, PROMETHEUS = "127.0.0.1:9690", "127.0.0.1:9090"
SCRAPING = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: gpiomux
    static_configs: [{{targets: ["{EXPORTER}"]}}]
"""


@contextmanager
def program(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A program in the background, ended by SIGINT."""
    process = subprocess.Popen(words, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(2)
        process.communicate(timeout=60)


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def asked(path: str, **parameters: str) -> Any:
    """An answer of Prometheus, None while it does not answer."""
    try:
        return json.loads(fetched(f"http://{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))["data"]
    except OSError:
        return None


@contextmanager
def exporter(host: Host) -> Iterator[subprocess.Popen[str]]:
    with program(GPIOMUX, "metrics", "--listen", EXPORTER) as process:
        assert process.stderr is not None
        assert EXPORTER in process.stderr.readline()
        yield process


def needs(name: str) -> str:
    """Path of a program that may be missing; in CI it may not."""
    found = shutil.which(name)
    if found is None:
        if "CI" in os.environ:
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def test_prometheus_scrapes_what_is_counted(host: Host, tmp_path: Path) -> None:
    prometheus = needs("prometheus")
    namespaces.loopback_up()
    host.apply((ROOT / "configs" / "two-links.yaml").read_text())
    assert traffic.echo(FAR, range(10)).wrong == []
    (tmp_path / "prometheus.yml").write_text(SCRAPING)
    options = (f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data")
    with exporter(host), program(prometheus, *options, f"--web.listen-address={PROMETHEUS}"):
        query = {"query": 'gpiomux_interface_rx_ipv4_packets_total{link="geth0", interface="geth0"}'}
        host.wait_for(lambda: (asked("query", **query) or {}).get("result"), "a value in Prometheus")
        (sample,) = asked("query", **query)["result"]
        assert int(sample["value"][1]) == 10
        (target,) = asked("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        told = asked("metadata", metric="gpiomux_link_rx_crc_errors_frames")
        assert told["gpiomux_link_rx_crc_errors_frames"][0]["help"] == "Frames with a wrong check sequence."


def test_a_reset_of_stats_is_none_of_metrics(host: Host) -> None:
    host.apply((ROOT / "configs" / "two-links.yaml").read_text())
    assert traffic.echo(FAR, range(5)).wrong == []
    host.gpiomux("stats", "--reset")
    assert 'gpiomux_interface_rx_ipv4_packets_total{interface="geth0",link="geth0"} 5.0' in host.gpiomux("metrics")


def test_nothing_else_is_served_and_nobody_else(host: Host) -> None:
    namespaces.loopback_up()
    with exporter(host):
        assert fetched(f"http://{EXPORTER}/metrics").endswith("# EOF\n"), "no links is an answer too"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetched(f"http://{EXPORTER}/etc/passwd")
        assert host.ask("metrics", "--listen", EXPORTER).exit_status == 1
    for address in ("0.0.0.0:9690", "10.10.0.1:9690", "9690x", "127.0.0.1", "::1:9690", ":0"):
        answer = host.ask("metrics", "--listen", address)
        assert answer.exit_status == 2
        assert "nothing that only this host can reach" in answer.errors
