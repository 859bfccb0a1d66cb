"""Answers of a daemon as the contract of the control socket has them; tests change what they are about."""

from __future__ import annotations

from typing import Any


def link_status(**changes: Any) -> dict[str, Any]:
    """One link of an answer to `status`; `datapath=` changes single fields of it."""
    datapath = {"pid": 4242, "state": "running", "restarts": 0, "uptime_s": 65.2, "last_exit": ""}
    link: dict[str, Any] = {
        "name": "geth0",
        "mode": "net_hdr",
        "medium": "sim",
        "wire": "cable0",
        "netns": None,
        "up": True,
        "mtu": 1500,
        "carrier": True,
        "reason": "",
        "peer": {"epoch": 0xBEEF, "reader": 0x8, "writer": 0x12, "mode": "net_hdr", "mtu": 1500},
        "epoch": 0xF00D,
        "traffic": {"rx_bytes_per_s": 125, "tx_bytes_per_s": 0, "over_s": 4.0, "errors": 1, "dropped": 0},
        "marks": {"method": "bpf-tcx", "limits": ""},
        "datapath": {**datapath, **changes.pop("datapath", {})},
        "children": [child_status()],
        "line": {"words_in": 300, "words_out": 301, "interrupts": 2, "polls": 900, "sleeping": True},
        "channel": {},
        "addresses": ["10.10.0.1/24"],
        "interface": interface_status(**changes.pop("interface", {})),
        "xdp": None,
    }
    return {**link, **changes}


def child_status(**changes: Any) -> dict[str, Any]:
    """One child of a link; `interface=` changes single fields of that."""
    interface = interface_status(**{"name": "child1", "addresses": [], **changes.pop("interface", {})})
    child = {"name": "child1", "netns": None, "up": True, "mtu": 1500, "addresses": [], "marks": [7], "xdp": None}
    return {**child, "interface": interface, **changes}


def interface_status(**changes: Any) -> dict[str, Any]:
    """An interface that was found as it was applied."""
    found = {"state": "found", "name": "geth0", "netns": None, "up": True, "mtu": 1500, "mac": None, "rps": None}
    return {**found, "addresses": ["10.10.0.1/24"], **changes}


def origin(**changes: Any) -> dict[str, Any]:
    """How a configuration was applied, as `status` and `history` have it."""
    came = {"cause": "apply", "file": "l.yaml", "path": "/etc/l.yaml", "applied_at_s": 1e9, "applied_by": "root"}
    return {**came, **changes}


def status(*links: dict[str, Any], **applied: Any) -> dict[str, Any]:
    """An answer to `status`; the names change fields of what is applied."""
    return {
        "daemon": {"pid": 4120, "version": "0.1.0", "uptime_s": 120.0},
        "applied": {**origin(), "overlay": [], "pending": None, "half_done": False, **applied},
        "links": list(links),
    }


def link_stats() -> dict[str, Any]:
    """One link of an answer to `stats`."""
    return {
        "name": "geth0",
        "counters": {"rx_packets": 3, "tx_packets": 4, "tx_resent": 1, "rx_crc_errors": 2, "peer_restarts": 1},
        "line": {"words_in": 300, "words_out": 301, "interrupts": 7, "sleeping": True},
        "channel": {},
        "interfaces": {
            "geth0": {
                "rx_packets": 3,
                "rx_dropped": 0,
                "tx_packets": 4,
                "protocols": {"rx_icmp": 3, "rx_udp": 0, "tx_icmp": 0, "tx_udp": 4},
            },
            "child1": {"rx_packets": 1, "rx_dropped": 5, "tx_packets": 0},
        },
    }


def link_info(**changes: Any) -> dict[str, Any]:
    """An answer to `info`, of a link on simulated lines."""
    status = {key: changes.pop(key) for key in list(changes) if key in link_status()}
    return {
        **link_status(**status),
        "driver": "gpiomux",
        "version": "0.1.0",
        "kind": "tun",
        "flags": ["net_hdr"],
        "end": "a",
        "chip": None,
        "channels": None,
        "lines": {"out": {"data": [0, 1], "req": [2], "ack": [7]}, "in": {"data": [4, 5], "req": [6], "ack": [3]}},
        "code": {"name": "handshake"},
        "delivery": "reliable",
        "protocol": {"reader": 0x12, "writer": 0x8},
        "poll": {"mode": "auto", "idle_us": 50, "budget": None},
        "pmtu": [[7, 1280]],
        "rings": {"tx_ring": {"filled": 3, "size": 256, "unit": "packets"}},
        "element_bytes": None,
        "stats": {"rx_packets": 5},
        **changes,
    }
