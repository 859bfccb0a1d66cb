"""Tests of `gpiomux.config.edit`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpiomux.config import edit, schema
from gpiomux.config.load import load_file, load_text
from gpiomux.config.model import Child, Config, Link, Netdev, Poll, PollMode, SimMedium
from gpiomux.config.plain import config_to_plain
from gpiomux.config.tuning import MOST_PMTUS
from gpiomux.errors import ConfigError, UsageError
from tests.config.strategies import configs, names

if TYPE_CHECKING:
    from collections.abc import Callable

TWO_LINKS = Path(__file__).parent.parent.parent / "configs" / "two-links.yaml"


@pytest.fixture
def config() -> Config:
    """The two links, the far one with two children: a (mark 7) and b (marks 1 and 9)."""
    near, far = load_file(TWO_LINKS).links
    children = (Child(name="a", marks=(7,)), Child(name="b", marks=(1, 9)))
    return Config(links=(near, replace(far, netdev=replace(far.netdev, mtu=1400), children=children)))


def children_of(config: Config, link: str) -> dict[str, tuple[int, ...]]:
    """Marks by child."""
    (found,) = (each for each in config.links if each.name == link)
    return {child.name: child.marks for child in found.children}


def test_a_child_is_added_as_its_link_is(config: Config) -> None:
    changed = edit.add_child(config, "geth1", "child1")
    assert changed.links[1].children[-1] == Child(name="child1", netdev=Netdev(mtu=1400, netns="far"))
    assert replace(changed.links[1], children=config.links[1].children) == config.links[1]
    assert changed.links[0] == config.links[0]


def test_a_child_is_removed(config: Config) -> None:
    changed = edit.del_child(config, "a")
    assert children_of(changed, "geth1") == {"b": (1, 9)}
    assert changed.links[0] == config.links[0]


def test_marks_are_bound_in_ascending_order_and_once(config: Config) -> None:
    changed = edit.add_mark(config, "b", 4)
    assert children_of(changed, "geth1") == {"a": (7,), "b": (1, 4, 9)}
    assert edit.add_mark(changed, "b", 4) == changed


def test_a_mark_is_taken_off(config: Config) -> None:
    assert children_of(edit.del_mark(config, "b", 1), "geth1") == {"a": (7,), "b": (9,)}


def test_the_same_mark_on_another_link(config: Config) -> None:
    changed = edit.add_mark(edit.add_child(config, "geth0", "c"), "c", 7)
    assert children_of(changed, "geth0") == {"c": (7,)}


@pytest.mark.parametrize("mode", ["eth", "raw"])
def test_a_channel_without_marks_has_no_children(mode: str) -> None:
    text = "links: [{name: g, mode: %s, medium: shm, channels: {out: /x, in: /y}, protocol: {reader: 1, writer: 2}}]"
    with pytest.raises(UsageError, match="g carries no marks"):
        edit.add_child(load_text(text % mode, "x.yaml"), "g", "child1")
    assert children_of(edit.add_child(load_text(text % "net_hdr", "x.yaml"), "g", "child1"), "g") == {"child1": ()}


def test_links_are_left_out(config: Config) -> None:
    changed = edit.without_links(config, ("geth0",))
    (left,) = changed.links
    medium = config.links[1].transport.medium
    assert isinstance(medium, SimMedium)
    external = replace(config.links[1].transport, medium=replace(medium, external=True))
    assert left == replace(config.links[1], transport=external)
    assert edit.without_links(config, ("geth1", "geth0")) == Config()
    assert edit.without_links(config, ()) == config


ERRORS: list[tuple[Callable[[Config], Config], str, str]] = [
    (lambda c: edit.add_child(c, "geth9", "x"), "there is no link 'geth9'", "did you mean 'geth1'?"),
    (lambda c: edit.add_child(c, "eno1", "x"), "there is no link 'eno1'", "have: geth0, geth1"),
    (lambda c: edit.add_child(Config(), "geth0", "x"), "there is no link 'geth0'", "'gpiomux apply' makes links"),
    (lambda c: edit.add_child(c, "a", "x"), "a is a child of geth1, not a link", "name the link: geth1"),
    (lambda c: edit.add_child(c, "geth0", "geth1"), "the name geth1 is taken by a link", "choose another name"),
    (lambda c: edit.add_child(c, "geth0", "a"), "the name a is taken by a child of geth1", "choose another name"),
    (lambda c: edit.del_child(c, "c"), "there is no child 'c'", "have: a, b"),
    (lambda c: edit.del_child(Config(), "c"), "there is no child 'c'", "'gpiomux add-child' makes one"),
    (lambda c: edit.del_child(c, "geth1"), "geth1 is a link, not a child", "children of geth1: a, b"),
    (lambda c: edit.add_mark(c, "geth0", 7), "geth0 is a link, not a child", "children of geth0: none"),
    (
        lambda c: edit.add_mark(c, "b", 7),
        "mark 7 is bound to a, another child of geth1",
        "take it off first: gpiomux del-mark a 7",
    ),
    (lambda c: edit.add_mark(c, "b", 0), "mark 0 is out of range", "use 1..4294967295; 0 means no mark"),
    (lambda c: edit.add_mark(c, "b", 2**32), "mark 4294967296 is out of range", "use 1..4294967295; 0 means no mark"),
    (lambda c: edit.del_mark(c, "b", 7), "mark 7 is not bound to b", "marks of b: 1, 9"),
    (lambda c: edit.del_mark(c, "nope", 7), "there is no child 'nope'", "have: a, b"),
    (lambda c: edit.without_links(c, ("geth0", "a")), "a is a child of geth1, not a link", "name the link: geth1"),
]


@pytest.mark.parametrize(("change", "message", "hint"), ERRORS, ids=[message for _, message, _ in ERRORS])
def test_refusal(config: Config, change: Callable[[Config], Config], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        change(config)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-a", "a b", "a/b", "a%d", "a\n", "sixteen-letters0", "lo", "all", "ü"]
)
def test_a_name_that_is_none(config: Config, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a child"):
        edit.add_child(config, "geth0", name)


def test_names_follow_the_schema() -> None:
    assert schema.load_schema()["$defs"]["interfaceName"]["pattern"] == f"^{edit._NAME.pattern}$"


def _edited(config: Config, data: st.DataObject) -> Config:
    """The configuration after one change that may be refused."""
    every = [name for link in config.links for name in (link.name, *(child.name for child in link.children))]
    name = data.draw(st.sampled_from(every) | names())
    mark = data.draw(st.integers(1, 3) | st.integers(0, 2**32))
    changes: list[Callable[[], Config]] = [
        lambda: edit.add_child(config, name, data.draw(names())),
        lambda: edit.del_child(config, name),
        lambda: edit.add_mark(config, name, mark),
        lambda: edit.del_mark(config, name, mark),
        lambda: edit.without_links(config, (name,)),
    ]
    try:
        return data.draw(st.sampled_from(changes))()
    except UsageError:
        return config


@given(configs().filter(lambda config: any(link.children for link in config.links)), st.data())
@settings(max_examples=60)
def test_what_is_edited_still_keeps_every_rule(config: Config, data: st.DataObject) -> None:
    for _ in range(4):
        if not config.links:
            break
        config = _edited(config, data)
        assert load_text(json.dumps(config_to_plain(config), ensure_ascii=False), "edited.yaml") == config


def test_an_edit_leaves_its_argument_alone(config: Config) -> None:
    before: tuple[Link, ...] = config.links
    edit.add_child(config, "geth0", "x")
    edit.del_child(config, "a")
    assert config.links == before


# ---- what a link is tuned with


def test_a_path_mtu_is_set_changed_and_taken_away(config: Config) -> None:
    changed = edit.set_pmtu(edit.set_pmtu(config, "geth1", 9, 1280), "geth1", 7, 600)
    assert changed.links[1].pmtu == ((7, 600), (9, 1280))
    assert edit.set_pmtu(changed, "geth1", 7, 600) == changed
    assert edit.set_pmtu(changed, "geth1", 7, 68).links[1].pmtu == ((7, 68), (9, 1280))
    assert edit.del_pmtu(edit.del_pmtu(changed, "geth1", 7), "geth1", 9) == config


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (lambda c: edit.set_pmtu(c, "geth1", 0, 1280), "mark 0 is out of range", "use 1..4294967295; 0 means no mark"),
        (lambda c: edit.set_pmtu(c, "geth1", 7, 67), "a PMTU of 67 bytes is out of range", "use 68..65535"),
        (lambda c: edit.set_pmtu(c, "geth1", 7, 65536), "a PMTU of 65536 bytes is out of range", "use 68..65535"),
        (lambda c: edit.set_pmtu(c, "a", 7, 1280), "a is a child of geth1, not a link", "name the link: geth1"),
        (lambda c: edit.del_pmtu(c, "geth1", 7), "geth1 has no PMTU for mark 7", "marks of geth1 with a PMTU: none"),
        (lambda c: edit.set_poll(c, "geth1", Poll(budget=0)), "0 is out of range", "use 1..65536"),
        (lambda c: edit.set_poll(c, "geth1", Poll(idle_us=1_000_001)), "1000001 is out of range", "use 1..1000000"),
        (
            lambda c: edit.set_poll(c, "geth1", Poll(mode=PollMode.BUSY, idle_us=5)),
            "mode busy takes no idle time",
            "leave out --idle: only auto looks on before it sleeps",
        ),
    ],
)
def test_what_a_link_cannot_be_tuned_to(
    config: Config, change: Callable[[Config], Config], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        change(config)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_link_has_so_many_path_mtus_and_no_more() -> None:
    near, far = load_file(TWO_LINKS).links
    full = Config(links=(near, replace(far, pmtu=tuple((mark, 1280) for mark in range(1, MOST_PMTUS + 1)))))
    assert load_text(json.dumps(config_to_plain(full)), "full.yaml") == full
    assert edit.set_pmtu(full, "geth1", MOST_PMTUS, 600) != full
    with pytest.raises(UsageError, match="geth1 has 1024 PMTUs already"):
        edit.set_pmtu(full, "geth1", MOST_PMTUS + 1, 600)
    more = config_to_plain(full)
    more["links"][1]["pmtu"][str(MOST_PMTUS + 1)] = 1280
    with pytest.raises(ConfigError) as caught:
        load_text(json.dumps(more), "fuller.yaml")
    (fault,) = caught.value.faults
    assert (fault.message, fault.expected) == ("the mapping has 1025 entries", "expected at most 1024")


def test_the_way_of_waiting_is_chosen(config: Config) -> None:
    busy = Poll(mode=PollMode.BUSY, budget=64)
    changed = edit.set_poll(config, "geth0", busy)
    assert (changed.links[0].poll, changed.links[1]) == (busy, config.links[1])
    assert edit.set_poll(changed, "geth0", Poll()) == config
