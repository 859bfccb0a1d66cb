"""Configurations of boards to be wired."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.config.load import load_file, load_text
from gpiomux.wiring.joining import wiring_of_one, wiring_of_two

if TYPE_CHECKING:
    from gpiomux.config.model import Config
    from gpiomux.wiring.joining import Wiring

CONFIGS = Path(__file__).parents[2] / "configs"
PI = ("raspberry-pi-a.yaml", "raspberry-pi-b.yaml")

MIXED = """\
links:
  - name: geth0
    mode: eth
    medium: gpio
    lines:
      from: [{chip: pinctrl-rp1, offsets: "17-19"}, GPIO16, {chip: pinctrl-rp1, offsets: [40, 5, 6]}]
      out: {data: [0], req: 1, ack: 2}
      in: {data: [3, 4], req: 5, ack: 6}
    protocol: {reader: 0x12, writer: 0x8}
  - name: uplink
    mode: net_hdr
    medium: gpio
    lines:
      from: [{chip: 5000000.gpio, offsets: [3, 7, 9, 11, 12]}, PMOD-A7]
      out: {data: [0], req: 1, ack: 2}
      in: {data: [3], req: 4, ack: 5}
      active_low: [1]
    protocol: {reader: 0x13, writer: 0x9}
"""
"""A header with a line by name and one beside it, and a second link on another chip, with a line by name."""

OTHER = """\
links:
  - name: far0
    mode: eth
    medium: gpio
    lines:
      from: [{chip: 1c20800.pinctrl, offsets: "64-70"}]
      out: {data: "0-1", req: 2, ack: 3}
      in: {data: [4], req: 5, ack: 6}
    protocol: {reader: 0x8, writer: 0x12}
  - name: down
    mode: net_hdr
    medium: gpio
    lines:
      from: [{chip: pinctrl-bcm2835, offsets: "20-25"}]
      out: {data: [0], req: 1, ack: 2}
      in: {data: [3], req: 4, ack: 5}
    protocol: {reader: 0x9, writer: 0x13}
"""
"""The peer of `MIXED`."""


def config(text: str) -> Config:
    return load_text(text, "text")


def of_the_pis() -> Wiring:
    first, second = (load_file(CONFIGS / name) for name in PI)
    return wiring_of_two(first, PI[0], second, PI[1])


def of_all_kinds() -> Wiring:
    return wiring_of_two(config(MIXED), "mixed.yaml", config(OTHER), "other.yaml")


def of_one(name: str) -> Wiring:
    return wiring_of_one(load_file(CONFIGS / name), name)
