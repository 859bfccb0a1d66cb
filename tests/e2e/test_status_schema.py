"""What `status --json` prints, on all media and in good and bad days, is what its schema says, and no more."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests import traffic
from tests.e2e.host import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.host import Host

SCHEMA = json.loads((ROOT / "schemas" / "status.schema.json").read_text())
CHECKER = Draft202012Validator(SCHEMA)
GPIOSK = """
links:
  - {name: geth0, mode: eth, medium: sim, wire: w, code: gpiosk, addresses: [10.10.0.1/24]}
  - {name: geth1, mode: eth, medium: sim, wire: w, code: gpiosk, addresses: [10.10.0.2/24], netns: far}
"""


def checked(host: Host) -> dict[str, Any]:
    """The status, held against the schema."""
    answer = host.status()
    faults = [f"{fault.json_path}: {fault.message}" for fault in CHECKER.iter_errors(answer)]
    assert faults == []
    return answer


def objects(place: Any) -> Iterator[dict[str, Any]]:
    """Every part of the schema that describes an object with members."""
    if isinstance(place, dict):
        if "properties" in place:
            yield place
        for value in place.values():
            yield from objects(value)


def test_the_schema_is_one_and_describes_every_member() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for each in objects(SCHEMA):
        assert each["additionalProperties"] is False
        for name, member in each["properties"].items():
            described = member if "$ref" not in member else SCHEMA["$defs"][member["$ref"].rpartition("/")[2]]
            assert "description" in described or name in ("items", "links"), name


@pytest.mark.netns
def test_without_anything(host: Host) -> None:
    assert checked(host)["links"] == []


@pytest.mark.netns
def test_simulated_lines_children_and_trouble(host: Host) -> None:
    host.apply((ROOT / "configs" / "three-modes.yaml").read_text())
    first = host.status()["links"][0]["name"]
    host.gpiomux("add-child", first, "child1")
    host.gpiomux("add-mark", "child1", "7")
    host.ask("xdp", "attach", "child1", "pass")  # an ordinary user may not, and status then has no program
    answer = checked(host)
    assert answer["applied"]["overlay"]
    assert {link["mode"] for link in answer["links"]} == {"eth", "net_hdr", "raw"}
    host.run("ip", "link", "delete", "child1")
    host.run("ip", "link", "set", first, "down")
    datapath = host.datapaths()[first]
    os.kill(datapath, signal.SIGSTOP)
    try:
        silent = checked(host)["links"][0]
        assert (silent["datapath"]["state"], silent["traffic"]) == ("failed", None)
    finally:
        os.kill(datapath, signal.SIGCONT)
    assert checked(host)["links"][0]["children"][0]["interface"] == {"state": "missing"}


@pytest.mark.netns
def test_channels_and_pulses(host: Host, tmp_path: Path) -> None:
    host.apply((ROOT / "configs" / "shm-pair.yaml").read_text().replace("/dev/shm/", f"{tmp_path}/"))
    assert "element_bytes" in checked(host)["links"][0]["peer"]
    host.gpiomux("apply", host.file(GPIOSK))
    assert traffic.echo("10.10.0.2", (56,)).wrong == []
    assert "heard_s" in checked(host)["links"][0]["peer"]
