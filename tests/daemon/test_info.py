"""What `info` says of a link beyond its status, on each medium."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gpiomux.config.load import load_text
from gpiomux.daemon import info
from gpiomux.daemon.info import link_info
from gpiomux.errors import MachineError
from gpiomux.rundir import RunDir
from gpiomux.version import VERSION

CONFIG = """
links:
  - {name: sim0, mode: net_hdr, medium: sim, wire: w, protocol: {reader: 1, writer: 2}}
  - {name: sim1, mode: net_hdr, medium: sim, wire: w, protocol: {reader: 2, writer: 1}}
  - {name: sk0, mode: eth, medium: sim, wire: {name: x, external: true}, code: gpiosk}
  - {name: shm0, mode: raw, medium: shm, channels: {out: /a, in: /b}, protocol: {reader: 1, writer: 2}}
  - name: real0
    mode: eth
    medium: gpio
    protocol: {reader: 1, writer: 2}
    lines:
      from: [{chip: soc, offsets: 0-7}]
      out: {data: [0, 1], req: 2, ack: 3}
      in: {data: [4, 5], req: 6, ack: 7}
"""
LINKS = {link.name: link for link in load_text(CONFIG, "test.yaml").links}
RUNDIR = RunDir(Path("/nowhere"))
REPORT = {
    "poll": {"mode": "busy", "idle_us": None, "budget": None},
    "pmtu": [[7, 1280]],
    "rings": {"tx_ring": {"filled": 1, "size": 256, "unit": "packets"}},
}
COUNTED = {"interfaces": {"sim0": {"rx_packets": 3, "protocols": {"rx_udp": 3}}}}


def test_a_link_on_simulated_lines() -> None:
    told = link_info(RUNDIR, LINKS["sim0"], REPORT, COUNTED)
    assert told.pop("lines")["out"]["req"] == [8]
    assert told == {
        "driver": "gpiomux",
        "version": VERSION,
        "kind": "tun",
        "flags": ["net_hdr"],
        "end": "a",
        "chip": None,
        "channels": None,
        "code": {"name": "handshake"},
        "delivery": "reliable",
        "protocol": {"reader": 1, "writer": 2},
        **REPORT,
        "element_bytes": None,
        "stats": {"rx_packets": 3},
    }


@pytest.mark.parametrize("told", [None, MachineError("datapath of sim0 does not answer", errno=110)])
def test_a_link_whose_datapath_tells_nothing(told: MachineError | None) -> None:
    found = link_info(RUNDIR, LINKS["sim0"], told, told)
    assert (found["poll"], found["pmtu"], found["rings"], found["stats"]) == (None, [], {}, {})
    assert found["end"] == "a"


def test_gpiosk_has_neither_protocol_ids_nor_delivery() -> None:
    told = link_info(RUNDIR, LINKS["sk0"], None, None)
    assert (told["protocol"], told["delivery"], told["kind"]) == (None, None, "tap")
    assert told["code"] == {"name": "gpiosk", "interval_us": 64}
    assert set(told["lines"]["in"]) == {"ctl", "data"}


def test_channels_have_no_lines() -> None:
    told = link_info(RUNDIR, LINKS["shm0"], {"element_bytes": {"out": 1500, "in": None}}, None)
    assert (told["lines"], told["code"], told["delivery"], told["flags"]) == (None, None, None, [])
    assert (told["channels"], told["element_bytes"]) == ({"out": "/a", "in": "/b"}, {"out": 1500, "in": None})


def test_real_lines_name_their_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of the source belong to the link as well, but what it drives are those of its own chip."""
    source = {"node": "/dev/gpiochip0", "label": "soc", "link": None, "lines": [{"link": None}, {"link": "real0"}]}
    own = {"node": "/dev/gpiochip1", "label": "gpio-aggregator.0", "link": "real0", "lines": []}
    chips = [source, own]
    monkeypatch.setattr(info, "report_chips", lambda _rundir, links: {"chips": chips if links == ["real0"] else []})
    real = LINKS["real0"]
    assert link_info(RUNDIR, real, None, None)["chip"] == {"node": "/dev/gpiochip1", "label": "gpio-aggregator.0"}
    chips.remove(own)
    assert link_info(RUNDIR, real, None, None)["chip"] is None
    assert real.transport.lines is not None
    lines = replace(real.transport.lines, aggregate=False)
    direct = replace(real, transport=replace(real.transport, lines=lines))
    assert link_info(RUNDIR, direct, None, None)["chip"] == {"node": "/dev/gpiochip0", "label": "soc"}
