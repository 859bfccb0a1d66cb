"""gpiomux.cli.document: what `show` prints is what `apply` reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpiomux.cli.document import to_yaml
from gpiomux.config.load import load_file, load_text
from gpiomux.config.plain import config_to_plain

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_example_survives_the_round_trip(path: Path) -> None:
    config = load_file(str(path))
    assert load_text(to_yaml(config_to_plain(config)), "shown") == config


AWKWARD = """\
links:
  - name: "1e5"
    mode: eth
    medium: sim
    wire: {name: "0x10", end: b, external: true}
    faults: {flip_rate: 0.00001, stuck: {16: 1, 17: 0}, delay_us: 3}
    protocol: {reader: 0xFFFFFFFFFFFFFFFF, writer: 1}
    mac: "02:00:00:00:00:01"
    addresses: ["fd00::1/64", 10.10.0.1/24]
    routes: [{to: default, via: 10.10.0.2, metric: 5}, {to: "::/0"}]
    netns: "null"
    up: false
    children:
      - {name: "0o17", marks: [1, 4294967295], netns: null}
      - {name: "12", netns: "no", mtu: 1400}
"""


def test_text_that_looks_like_something_else_stays_text() -> None:
    config = load_text(AWKWARD, "awkward")
    shown = to_yaml(config_to_plain(config))
    assert load_text(shown, "shown") == config
    assert "protocol: {reader: 0xffffffffffffffff, writer: 0x1}\n" in shown


GPIO = """\
links:
  - name: geth0
    mode: net_hdr
    medium: gpio
    lines:
      from: [{chip: pinctrl-bcm2711, offsets: "17-22"}, {chip: X, offsets: [27, 5]}, GPIO16]
      out: {data: [0, 1, 2, 3], req: 4, ack: 5}
      in: {data: [6], req: 7, ack: 8}
    access: {group: gpio, mode: "0660"}
    protocol: {reader: 1, writer: 2}
  - name: shm0
    mode: raw
    medium: shm
    channels: {out: /dev/shm/a, in: /dev/shm/b}
    protocol: {reader: 1, writer: 2}
"""


def test_other_media_survive_the_round_trip_too() -> None:
    config = load_text(GPIO, "gpio")
    assert load_text(to_yaml(config_to_plain(config)), "shown") == config
