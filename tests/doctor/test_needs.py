"""What configurations need of a machine."""

from __future__ import annotations

from gpiomux.config.load import load_file, load_text
from gpiomux.doctor.needs import Needs, channel_paths, needs_of
from tests.plan.test_diff import EXAMPLES

NOTHING = Needs(gpio=False, aggregator=False, access=False, namespaces=False, ipv6=False)


def test_without_a_file_everything_is_needed() -> None:
    assert needs_of(None) == Needs() == Needs(gpio=True, aggregator=True, access=True, namespaces=True, ipv6=True)


def test_only_what_is_used() -> None:
    assert needs_of(load_text("links: []", "x")) == NOTHING
    simulated = needs_of(load_file(EXAMPLES["two-links.yaml"]))
    assert simulated == Needs(gpio=False, aggregator=False, access=False)
    real = needs_of(load_file(EXAMPLES["raspberry-pi-a.yaml"]))
    assert real == Needs(namespaces=False, ipv6=False)


def test_routes_count_as_addresses_do_and_children_as_links() -> None:
    text = """
links:
  - name: geth0
    mode: net_hdr
    medium: shm
    channels: {out: /dev/shm/a, in: /dev/shm/b}
    protocol: {reader: 1, writer: 2}
    children: [{name: child1, netns: near, routes: [{to: "fd00::/64"}]}]
"""
    config = load_text(text, "x")
    assert needs_of(config) == Needs(gpio=False, aggregator=False, access=False)
    assert channel_paths(config.links[0]) == ("/dev/shm/a", "/dev/shm/b")
    assert [(name, netdev.netns) for name, netdev in config.links[0].netdevs.items()] == [
        ("geth0", None),
        ("child1", "near"),
    ]


def test_a_link_on_its_source_chip_needs_no_aggregator() -> None:
    text = EXAMPLES["raspberry-pi-a.yaml"].read_text().replace("      # aggregate", "      aggregate")
    bare = text.replace('    access: {group: gpio, mode: "0660"}', "    #")
    assert needs_of(load_text(bare, "x")) == Needs(aggregator=False, access=False, namespaces=False, ipv6=False)
