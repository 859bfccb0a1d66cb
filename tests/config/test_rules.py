"""Tests of the rules (names, netdevs, lines, wires, channels): what they let pass.

What they refuse is in bad-configurations.txt; here is what stands just inside their bounds.
"""

from __future__ import annotations

import pytest

from gpiomux.config.load import load_text
from gpiomux.config.rules import rule_faults
from gpiomux.config.schema import schema_faults
from gpiomux.config.source import read
from gpiomux.errors import ConfigError

END = "medium: sim, wire: w, protocol: {reader: 1, writer: 2}"
ALONE = "medium: sim, wire: {name: w, external: true}, protocol: {reader: 1, writer: 2}"
PINS = "medium: gpio, protocol: {reader: 1, writer: 2}"

GOOD = {
    "no link at all": "links: []",
    "the largest mtu of eth": f"links: [{{name: a, mode: eth, {ALONE}, mtu: 65517}}]",
    "the largest mtu of raw": f"links: [{{name: a, mode: raw, {ALONE}, mtu: 65533}}]",
    "the largest mtu of net_hdr": f"links: [{{name: a, mode: net_hdr, {ALONE}, mtu: 65535}}]",
    "the smallest mtu of IPv4": f"links: [{{name: a, mode: raw, {ALONE}, mtu: 68, addresses: [10.0.0.1/8]}}]",
    "the smallest mtu of IPv6": f"links: [{{name: a, mode: raw, {ALONE}, mtu: 1280, addresses: ['fd00::1/8']}}]",
    "a name of 15 bytes": f"links: [{{name: fifteen-letters, mode: raw, {ALONE}}}]",
    "the outermost marks": f"links: [{{name: a, mode: raw, {ALONE}, children: [{{name: b, marks: [1, 4294967295]}}]}}]",
    "one mark on two links": f"""
        links:
        - {{name: a, mode: raw, {END}, children: [{{name: b, marks: [7]}}]}}
        - {{name: c, mode: raw, {END}, children: [{{name: d, marks: [7]}}]}}""",
    "one address in two namespaces": f"""
        links:
        - {{name: a, mode: raw, {END}, addresses: [10.0.0.1/8]}}
        - {{name: c, mode: raw, {END}, addresses: [10.0.0.1/8], netns: far}}""",
    "one address on a link and, elsewhere, its child": f"""
        links: [{{name: a, mode: raw, {ALONE}, addresses: [10.0.0.1/8], netns: far,
                  children: [{{name: b, addresses: [10.0.0.1/8], netns: null}}]}}]""",
    "one link-local address on two links": f"""
        links:
        - {{name: a, mode: raw, {END}, addresses: ['fe80::1/64']}}
        - {{name: c, mode: raw, {END}, addresses: ['fe80::1/64']}}""",
    "one network on two links": f"""
        links:
        - {{name: a, mode: raw, {END}, addresses: [10.0.0.1/8]}}
        - {{name: c, mode: raw, {END}, addresses: [10.0.0.2/8]}}""",
    "two default routes of different metric": f"""
        links: [{{name: a, mode: raw, {ALONE}, routes: [{{to: default}}, {{to: default, metric: 7}}]}}]""",
    "default routes of both families": f"""
        links: [{{name: a, mode: raw, {ALONE}, routes: [{{to: default}}, {{to: '::/0'}}]}}]""",
    "a gateway behind a route": f"""
        links: [{{name: a, mode: raw, {ALONE},
                  routes: [{{to: 10.9.0.1/32}}, {{to: default, via: 10.9.0.1}}]}}]""",
    "a link-local gateway": f"links: [{{name: a, mode: raw, {ALONE}, routes: [{{to: default, via: 'fe80::1'}}]}}]",
    "hwid on a link and mac on its child": f"""
        links: [{{name: a, mode: eth, {ALONE}, hwid: 9, children: [{{name: b, mac: 02:00:00:00:00:01}}]}}]""",
    "the other end named first": f"""
        links:
        - {{name: a, mode: raw, {END.replace("wire: w", "wire: {name: w, end: b}")}}}
        - {{name: c, mode: raw, {END}}}""",
    "ends of different mode, mtu and protocol ids": f"""
        links:
        - {{name: a, mode: raw, {END}, mtu: 1400}}
        - {{name: c, mode: eth, {END}}}""",
    "widths that differ by direction": f"""
        links:
        - {{name: a, mode: raw, {END},
            lines: {{out: {{data: [0], req: 1, ack: 20}}, in: {{data: 16-19, req: 21, ack: 2}}}}}}
        - {{name: c, mode: raw, {END},
            lines: {{out: {{data: 0-3, req: 5, ack: 18}}, in: {{data: [16], req: 17, ack: 4}}}}}}""",
    "all the lines of a simulated chip that a byte needs": f"""
        links: [{{name: a, mode: raw, {ALONE},
                  lines: {{out: {{data: 0-7, req: 8, ack: 31}}, in: {{data: 16-23, req: 24, ack: 15}}}},
                  faults: {{stuck: {{16: 0, 23: 1, 24: 0, 31: 1}}}}}}]""",
    "one offset of two chips": f"""
        links: [{{name: a, mode: raw, {PINS},
                  lines: {{from: [{{chip: x, offsets: 0-2}}, {{chip: y, offsets: 0-2}}],
                           out: {{data: [0], req: 1, ack: 2}}, in: {{data: [3], req: 4, ack: 5}}}}}}]""",
    "the chip of a link as large as can be": f"""
        links: [{{name: a, mode: raw, {PINS},
                  lines: {{from: [{{chip: x, offsets: 0-511}}],
                           out: {{data: [511], req: 1, ack: 2}}, in: {{data: [3], req: 4, ack: 5}}}}}}]""",
    "a pair of channels": """
        links:
        - {name: a, mode: raw, medium: shm, channels: {out: /x, in: /y}, protocol: {reader: 1, writer: 2}}
        - {name: b, mode: raw, medium: shm, channels: {out: /y, in: /x}, protocol: {reader: 2, writer: 1}}""",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_just_inside_the_bounds(text: str) -> None:
    assert load_text(text, "x.yaml") is not None


def test_rules_are_checked_where_the_schema_finds_other_faults() -> None:
    text = f"links:\n- {{name: lo, mode: 3, {ALONE}, mtu: -1, hwid: 1, mac: 03:00:00:00:00:00}}\n- 4\n"
    source = read(text, "x.yaml")
    _, broken = schema_faults(source)
    assert [fault.path for fault in rule_faults(source, broken)] == ["links[0].name", "links[0].mac", "links[0].mac"]


@pytest.mark.parametrize("unclear", ["addresses: [10.0.0.300/8]", "addresses: 7", "routes: [{to: 10.1/8}, %s]"])
def test_no_gateway_is_judged_while_the_networks_are_not_known(unclear: str) -> None:
    route = "{to: default, via: 10.0.0.2}"
    routes = unclear % route if "%s" in unclear else f"{unclear}, routes: [{route}]"
    with pytest.raises(ConfigError) as caught:
        load_text(f"links: [{{name: a, mode: raw, {ALONE}, {routes}}}]", "x.yaml")
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("other", ["wire: 3", "wire: {nam: w}", "up: true"])
def test_no_end_is_missed_while_a_link_does_not_say_its_wire(other: str) -> None:
    text = f"""
        links:
        - {{name: a, mode: raw, {END}}}
        - {{name: b, mode: raw, {END.replace("wire: w", other)}}}"""
    with pytest.raises(ConfigError) as caught:
        load_text(text, "x.yaml")
    assert not [fault for fault in caught.value.faults if "other end" in fault.message]


def test_nothing_is_said_of_a_document_that_is_no_mapping() -> None:
    source = read("[]", "x.yaml")
    _, broken = schema_faults(source)
    assert rule_faults(source, broken) == []
