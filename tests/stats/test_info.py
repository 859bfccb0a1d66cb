"""gpiomux.stats.info: what a link is made of, a line for each key, and none for what its medium does not have."""

from __future__ import annotations

from typing import Any

import pytest

from gpiomux.stats.info import info_lines
from gpiomux.stats.report import child_words
from tests.cli.answers import link_info


def test_a_link_on_simulated_lines() -> None:
    assert info_lines(link_info()) == [
        "driver: gpiomux",
        "version: 0.1.0",
        "interface: geth0 (tun)",
        "mode: net_hdr",
        "flags: net_hdr",
        "mtu: 1500",
        "state: up, 10.10.0.1/24",
        "medium: sim",
        "wire: cable0, end a",
        "lines.out.data: 0, 1",
        "lines.out.req: 2",
        "lines.out.ack: 7",
        "lines.in.data: 4, 5",
        "lines.in.req: 6",
        "lines.in.ack: 3",
        "code: handshake",
        "poll: auto, idle_us 50",
        "protocol.reader: 0x12",
        "protocol.writer: 0x8",
        "delivery: reliable",
        "carrier: yes",
        "epoch: 0xf00d",
        "peer: net_hdr, mtu 1500, reads 0x8, writes 0x12, epoch 0xbeef",
        "ring.tx_ring: 3 of 256 packets",
        "datapath: pid 4242, up 1 min 5 s",
        "marks: bpf-tcx",
        "pmtu.7: 1280",
        f"child.child1: {child_words(link_info()['children'][0])}",
        "stats.rx_packets: 5",
    ]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"netns": "far"}, ["netns: far"]),
        ({"flags": []}, ["flags: (none)"]),
        (
            {"medium": "gpio", "chip": {"node": "/dev/gpiochip3", "label": "gpio-aggregator.0"}},
            ["medium: gpio", "chip: /dev/gpiochip3 [gpio-aggregator.0]"],
        ),
        ({"medium": "gpio"}, ["medium: gpio", "chip: (none)"]),
        (
            {"channels": {"out": "/a", "in": "/b"}, "element_bytes": {"out": 1508, "in": 1516}},
            ["channel.out: /a", "channel.in: /b", "writer.element_size: 1508", "reader.element_size: 1516"],
        ),
        ({"element_bytes": {"out": 1508, "in": None}}, ["writer.element_size: 1508"]),
        ({"code": {"name": "gpiosk", "interval_us": 64}}, ["code: gpiosk, interval_us 64"]),
        ({"carrier": False, "reason": "no peer heard"}, ["carrier: no: no peer heard"]),
        ({"carrier": False}, ["carrier: no"]),
        (
            {"xdp": {"program": "drop", "name": "", "part": "", "mode": "generic", "id": 4, "tag": "", "ours": True}},
            ["xdp: drop, generic (id 4)"],
        ),
    ],
)
def test_what_a_link_can_have(changes: dict[str, Any], lines: list[str]) -> None:
    assert [line for line in info_lines(link_info(**changes)) if line not in info_lines(link_info())] == lines


def test_what_a_link_has_not_gives_no_line() -> None:
    absent: dict[str, Any] = dict.fromkeys(("wire", "lines", "code", "poll", "protocol", "delivery", "epoch"))
    absent |= {"rings": {}, "pmtu": [], "stats": {}, "children": []}
    keys = {line.split(":")[0].split(".")[0] for line in info_lines(link_info(**absent))}
    assert not {"wire", "lines", "code", "poll", "protocol", "delivery", "epoch", "ring", "pmtu", "stats"} & keys
