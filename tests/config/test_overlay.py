"""What was changed at run time: derived from two configurations, and what a third one would lose of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config.load import load_text
from gpiomux.config.model import Config
from gpiomux.config.overlay import Edit, edited, lost, overlay
from gpiomux.errors import UsageError
from tests.plan.configs import configs

if TYPE_CHECKING:
    from collections.abc import Iterable

BASE = load_text(
    """
links:
  - name: geth0
    mode: net_hdr
    medium: sim
    wire: cable0
    protocol: {reader: 1, writer: 2}
    pmtu: {5: 576}
    poll: irq
    children: [{name: child1, marks: [7, 8], addresses: [10.1.0.1/24]}, {name: child2, marks: [9]}]
  - {name: geth1, mode: net_hdr, medium: sim, wire: cable0, protocol: {reader: 2, writer: 1}}
""",
    "base.yaml",
)


def perform(config: Config, *lines: str) -> Config:
    for edit in map(parse, lines):
        config = edited(config, edit.verb, edit.args)
    return config


def parse(line: str) -> Edit:
    verb, first, *rest = line.split()
    match verb:
        case "set-pmtu":
            return Edit(verb, {"link": first, "mark": int(rest[0]), "bytes": int(rest[1])})
        case "del-pmtu":
            return Edit(verb, {"link": first, "mark": int(rest[0])})
        case "set-poll":
            options = dict(zip(rest[1::2], map(int, rest[2::2]), strict=True))
            idle_us, budget = options.get("--idle", 0), options.get("--budget", 0)
            return Edit(verb, {"link": first, "mode": rest[0], "idle_us": idle_us, "budget": budget})
    if verb == "add-child":
        return Edit(verb, {"link": first, "child": rest[0]})
    return Edit(verb, {"child": first, **({"mark": int(rest[0])} if rest else {})})


def words(edits: Iterable[Edit]) -> list[str]:
    return [str(edit) for edit in edits]


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ((), []),
        (("add-child geth1 new", "add-mark new 3"), ["add-child geth1 new", "add-mark new 3"]),
        (("add-child geth1 new", "add-mark new 3", "del-child new"), []),
        (("add-mark child1 3", "del-mark child1 3"), []),
        (("del-mark child1 7", "add-mark child1 7"), []),
        (("del-mark child1 7",), ["del-mark child1 7"]),
        (("del-child child2",), ["del-child child2"]),
        (("del-child child2", "add-child geth0 child2", "add-mark child2 9"), []),
        (("del-child child1", "add-child geth0 child1"), ["del-child child1", "add-child geth0 child1"]),
        (("del-mark child2 9", "add-mark child1 9"), ["del-mark child2 9", "add-mark child1 9"]),
        (("del-child child2", "add-child geth1 child2"), ["del-child child2", "add-child geth1 child2"]),
        (("set-pmtu geth1 7 1280", "set-pmtu geth1 7 1300"), ["set-pmtu geth1 7 1300"]),
        (("set-pmtu geth1 7 1280", "del-pmtu geth1 7"), []),
        (("del-pmtu geth0 5", "set-pmtu geth0 6 600"), ["del-pmtu geth0 5", "set-pmtu geth0 6 600"]),
        (("set-pmtu geth0 5 600", "set-pmtu geth0 5 576"), []),
        (("set-poll geth1 busy", "set-poll geth1 auto"), []),
        (("set-poll geth1 auto --idle 50 --budget 8",), ["set-poll geth1 auto --idle 50 --budget 8"]),
        (("set-poll geth0 auto",), ["set-poll geth0 auto"]),
    ],
)
def test_an_edit_and_its_reverse_leave_nothing(lines: tuple[str, ...], left: list[str]) -> None:
    assert words(overlay(BASE, perform(BASE, *lines))) == left


NAMES = st.sampled_from(("child1", "child2", "other"))
EDITS = st.one_of(
    st.builds(lambda link, child: Edit("add-child", {"link": link, "child": child}), st.just("geth0"), NAMES),
    st.builds(lambda link, child: Edit("add-child", {"link": link, "child": child}), st.just("geth1"), NAMES),
    st.builds(lambda child: Edit("del-child", {"child": child}), NAMES),
    st.builds(
        lambda verb, child, mark: Edit(verb, {"child": child, "mark": mark}),
        st.sampled_from(("add-mark", "del-mark")),
        NAMES,
        st.integers(min_value=1, max_value=4),
    ),
    st.builds(
        lambda link, mark, limit: Edit("set-pmtu", {"link": link, "mark": mark, "bytes": limit}),
        st.sampled_from(("geth0", "geth1")),
        st.integers(min_value=1, max_value=2),
        st.sampled_from((576, 1280)),
    ),
    st.builds(
        lambda link, mark: Edit("del-pmtu", {"link": link, "mark": mark}),
        st.sampled_from(("geth0", "geth1")),
        st.integers(min_value=1, max_value=2),
    ),
    st.builds(
        lambda link, mode, budget: Edit("set-poll", {"link": link, "mode": mode, "idle_us": 0, "budget": budget}),
        st.sampled_from(("geth0", "geth1")),
        st.sampled_from(("auto", "irq", "busy", "never")),
        st.sampled_from((0, 64)),
    ),
)


@given(configs(), st.lists(EDITS, max_size=12))
def test_the_overlay_leads_to_what_runs(base: Config, edits: list[Edit]) -> None:
    running = performed(base, edits)
    assert unordered(performed(base, overlay(base, running), strict=True)) == unordered(running)


@given(configs(), st.lists(EDITS, max_size=12))
def test_what_runs_loses_nothing_and_the_base_everything(base: Config, edits: list[Edit]) -> None:
    running = performed(base, edits)
    assert lost(base, running, running) == ()
    assert lost(base, running, base) == overlay(base, running)


def performed(config: Config, edits: Iterable[Edit], *, strict: bool = False) -> Config:
    """The configuration after those edits that make sense."""
    for edit in edits:
        try:
            config = edited(config, edit.verb, edit.args)
        except UsageError:
            if strict:
                raise
    return config


def unordered(config: Config) -> dict[str, Any]:
    return {link.name: (replace(link, children=()), set(link.children)) for link in config.links}


@pytest.mark.parametrize(
    ("lines", "file", "left"),
    [
        (("add-child geth1 new",), ("add-child geth1 new", "add-mark new 5"), []),
        (("add-child geth1 new", "add-mark new 5"), ("add-child geth1 new",), ["add-mark new 5"]),
        (("add-child geth1 new",), ("add-child geth0 new",), ["add-child geth1 new"]),
        (("del-child child2",), ("del-child child2", "add-mark child1 4"), []),
        (("del-mark child1 7",), ("del-child child1",), []),
        (("add-mark child1 4",), ("del-child child1",), ["add-mark child1 4"]),
        (("del-child child1", "add-child geth0 child1"), ("del-child child1",), ["add-child geth0 child1"]),
        (("set-pmtu geth1 7 1280",), ("set-pmtu geth1 7 1280", "set-pmtu geth1 8 1280"), []),
        (("set-pmtu geth1 7 1280",), ("set-pmtu geth1 7 1300",), ["set-pmtu geth1 7 1280"]),
        (("del-pmtu geth0 5",), (), ["del-pmtu geth0 5"]),
        (("del-pmtu geth0 5",), ("del-pmtu geth0 5",), []),
        (("set-poll geth1 busy",), ("set-poll geth1 busy --budget 8",), ["set-poll geth1 busy"]),
        (("set-poll geth1 busy",), ("set-poll geth1 busy", "add-child geth1 new"), []),
    ],
)
def test_a_file_loses_what_does_not_hold_in_it(lines: tuple[str, ...], file: tuple[str, ...], left: list[str]) -> None:
    assert words(lost(BASE, perform(BASE, *lines), perform(BASE, *file))) == left


def test_a_file_without_the_link_loses_its_children() -> None:
    running = perform(BASE, "add-child geth0 new", "del-child child2", "del-pmtu geth0 5", "set-poll geth0 busy")
    assert words(lost(BASE, running, Config(links=BASE.links[1:]))) == ["add-child geth0 new", "set-poll geth0 busy"]


def test_other_verbs_are_no_edits() -> None:
    with pytest.raises(UsageError, match="down is no change of a running configuration"):
        edited(BASE, "down", {})
