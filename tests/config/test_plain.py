"""Tests of `gpiomux.config.plain`: nothing of a model is lost on the way to plain data and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings

from gpiomux.config.load import load_file, load_text
from gpiomux.config.plain import config_from_plain, config_to_plain, transport_from_plain, transport_to_plain
from tests.config.strategies import configs

if TYPE_CHECKING:
    from gpiomux.config.model import Config

RICH = Path(__file__).parent / "rich.yaml"


@given(configs())
@settings(max_examples=150)
def test_a_model_comes_back_through_the_front_door(config: Config) -> None:
    """JSON is YAML: what `show` prints passes every check of `apply`, and means the same."""
    plain = config_to_plain(config)
    assert config_from_plain(plain) == config
    assert load_text(json.dumps(plain, ensure_ascii=False), "shown.yaml") == config


@given(configs())
def test_a_transport_comes_back(config: Config) -> None:
    for link in config.links:
        plain = transport_to_plain(link.transport)
        assert transport_from_plain(json.loads(json.dumps(plain))) == link.transport


def test_what_is_default_is_left_out() -> None:
    config = load_text(
        "links:\n"
        "- {name: a, mode: raw, medium: sim, wire: {name: w, end: a, external: false},\n"
        "   protocol: {reader: 1, writer: 2}, code: {name: handshake}, poll: auto, pmtu: {}, faults: {},\n"
        "   mtu: 1500, up: true, netns: null, addresses: [], routes: [],\n"
        "   lines: {out: {data: 0-7, req: 8, ack: 25}, in: {data: 16-23, req: 24, ack: 9}},\n"
        "   children: [{name: c, marks: [], mtu: 1500, up: true, netns: null}]}\n"
        "- {name: b, mode: raw, medium: sim, wire: w, protocol: {reader: 2, writer: 1}, children: []}\n",
        "x.yaml",
    )
    assert config_to_plain(config) == {
        "links": [
            {
                "name": "a",
                "mode": "raw",
                "medium": "sim",
                "wire": "w",
                "protocol": {"reader": 1, "writer": 2},
                "children": [{"name": "c"}],
            },
            {"name": "b", "mode": "raw", "medium": "sim", "wire": "w", "protocol": {"reader": 2, "writer": 1}},
        ]
    }


def test_what_is_not_default_is_canonical() -> None:
    near, far, alone, pins, door, shared = config_to_plain(load_file(RICH))["links"]
    assert near["wire"] == {"name": "cable", "end": "b"}
    assert far["wire"] == {"name": "cable", "end": "a"}
    assert alone["wire"] == {"name": "other", "external": True}
    assert near["faults"] == {
        "flip_rate": 0.001,
        "stuck": {"16": 1, "20": 0},
        "cut": True,
        "delay_us": 5,
        "loss_rate": 1.0,
        "double_rate": 0.25,
        "reorder_rate": 0.5,
        "seed": 42,
    }
    assert near["lines"] == {
        "out": {"data": "0-3", "req": 4, "ack": 20},
        "in": {"data": [16, 17], "req": 18, "ack": 5},
    }
    assert near["routes"] == [
        {"to": "10.1.0.0/16", "via": "10.0.0.2", "metric": 5},
        {"to": "::/0", "via": "fd00::2"},
        {"to": "0.0.0.0/0"},
    ]
    assert near["pmtu"] == {"7": 1280, "9": 65535, "61440": 68}
    assert near["poll"] == {"mode": "auto", "idle_us": 500, "budget": 16}
    assert far["poll"] == "busy"
    assert near["children"][0] == {
        "name": "child.1",
        "marks": [7, 9],
        "mtu": 1500,
        "mac": "02:00:00:00:00:0a",
        "addresses": ["10.0.7.1/24", "fe80::1/64"],
        "routes": [{"to": "10.7.0.0/16"}],
        "xdp": "drop",
        "netns": None,
        "up": False,
    }
    assert near["children"][1] == {"name": "child2"}
    assert pins["lines"]["from"] == [
        {"chip": "pinctrl-bcm2711", "offsets": "17-19"},
        {"chip": "pinctrl-bcm2711", "offsets": [27, 5]},
        "GPIO16",
    ]
    assert pins["access"] == {"owner": "root", "group": "gpio", "mode": "0660"}
    assert door["lines"] == {
        "device": "door",
        "bias": "pull-up",
        "drive": "open-drain",
        "active_low": [1, 2, 4],
        "idle": "keep",
        "out": {"data": [0], "req": 1, "ack": 2},
        "in": {"data": [3], "req": 4, "ack": 5},
    }
    assert shared["channels"] == {"out": "/dev/shm/a", "in": "/dev/shm/b"}


def test_a_child_inherits_mtu_and_namespace() -> None:
    link = load_file(RICH).links[0]
    own, inherited = (child.netdev for child in link.children)
    assert (inherited.mtu, inherited.netns, inherited.up) == (1600, "here", True)
    assert (own.mtu, own.netns, own.up) == (1500, None, False)


def test_numbers_have_the_types_of_the_model() -> None:
    text = RICH.read_text(encoding="utf-8").replace("flip_rate: 0.001", "flip_rate: 1")
    medium = load_text(text, "x.yaml").links[0].transport.medium
    rate = getattr(medium, "faults").flip_rate  # noqa: B009  # the medium is one of three; this text makes it sim
    assert isinstance(rate, float)
