"""Which record follows from a request: pure, no machine is needed."""

from __future__ import annotations

from typing import Any

import pytest

from gpiomux.config.load import load_text
from gpiomux.config.model import Config, SimMedium
from gpiomux.control.messages import OPTIONAL, VERBS, Request
from gpiomux.daemon.record import Pending, Record
from gpiomux.daemon.successor import before, earlier, require_settled, successor
from gpiomux.errors import ConfigError, ConflictError, UsageError

PAIR = """
links:
  - {name: geth0, mode: net_hdr, medium: sim, wire: cable0, protocol: {reader: 1, writer: 2}}
  - {name: geth1, mode: net_hdr, medium: sim, wire: cable0, protocol: {reader: 2, writer: 1}}
"""
CONFIG = load_text(PAIR, "pair.yaml")
APPLIED = Record(
    serial=4, base=CONFIG, config=CONFIG, cause="apply", file="pair.yaml", path="/etc/pair.yaml", applied_by="me"
)


def follow(record: Record, verb: str, **args: Any) -> Record:
    optional = {name: OPTIONAL[name] for name in VERBS[verb] if name in OPTIONAL}
    return successor(record, Request(verb, {**optional, **args}))


def with_child() -> Record:
    return follow(APPLIED, "add-child", link="geth0", child="child1")


def test_an_edit_changes_what_runs_and_nothing_else() -> None:
    edited = follow(with_child(), "add-mark", child="child1", mark=7)
    assert (edited.serial, edited.base, edited.path) == (4, CONFIG, "/etc/pair.yaml")
    assert edited.config.links[0].children[0].marks == (7,)
    assert [str(it) for it in edited.overlay] == ["add-child geth0 child1", "add-mark child1 7"]
    assert follow(edited, "del-child", child="child1") == APPLIED


def test_a_file_begins_a_new_record() -> None:
    new = follow(Record(), "apply", text=PAIR, file="pair.yaml", path="/etc/pair.yaml")
    assert new == Record(serial=1, base=CONFIG, config=CONFIG, cause="apply", file="pair.yaml", path="/etc/pair.yaml")
    assert follow(APPLIED, "plan", text=PAIR, file="pair.yaml").config == CONFIG


def test_what_runs_applied_again_is_no_new_configuration() -> None:
    again = follow(APPLIED, "apply", text=PAIR, file="same.yaml")
    assert (again.serial, again.file, again.path) == (4, "same.yaml", "")
    assert follow(APPLIED, "apply", text=PAIR, file="same.yaml", confirm_s=60).serial == 5
    assert follow(APPLIED, "apply", text=PAIR.replace("geth1", "geth2"), file="other.yaml").serial == 5
    assert follow(with_child(), "apply", text=PAIR, file="same.yaml", reset_overlay=True).serial == 5


@pytest.mark.parametrize("verb", ["apply", "plan"])
def test_a_file_that_would_lose_edits_is_refused(verb: str) -> None:
    with pytest.raises(ConflictError) as caught:
        follow(follow(with_child(), "add-mark", child="child1", mark=7), verb, text=PAIR, file="pair.yaml")
    assert caught.value.message == (
        "pair.yaml would undo what was changed at run time: add-child geth0 child1; add-mark child1 7"
    )
    assert "--persist" in caught.value.hint
    assert "--reset-overlay" in caught.value.hint
    assert follow(with_child(), verb, text=PAIR, file="pair.yaml", reset_overlay=True).overlay == ()


def test_a_file_that_holds_the_edits_is_applied() -> None:
    text = PAIR.replace("writer: 2}}", "writer: 2}, children: [{name: child1}]}")
    assert follow(with_child(), "apply", text=text, file="pair.yaml").overlay == ()


def test_faults_of_a_file_come_before_its_conflicts() -> None:
    with pytest.raises(ConfigError):
        follow(with_child(), "apply", text="links: 7", file="x.yaml")


def test_links_go_from_the_base_as_well() -> None:
    left = follow(with_child(), "down", links=["geth1"])
    assert [link.name for link in left.base.links] == [link.name for link in left.config.links] == ["geth0"]
    assert [str(it) for it in left.overlay] == ["add-child geth0 child1"]
    assert (left.serial, left.cause, left.path) == (5, "down", "/etc/pair.yaml")
    medium = left.config.links[0].transport.medium
    assert isinstance(medium, SimMedium)
    assert medium.external


@pytest.mark.parametrize("everything", [False, True])
def test_all_links_go(everything: bool) -> None:
    left = follow(with_child(), "down", links=[], all=everything)
    assert (left.base, left.config, left.serial) == (Config(), Config(), 5)


def test_to_take_down_what_is_down_is_no_new_configuration() -> None:
    down = follow(APPLIED, "down", links=[])
    assert follow(down, "down", links=[]) == follow(down, "down", links=[], all=True) == down
    assert follow(Record(), "down", links=[]).serial == 0


def test_what_makes_no_sense() -> None:
    for verb, args in (
        ("add-child", {"link": "geth7", "child": "child1"}),
        ("down", {"links": ["geth7"]}),
        ("down", {"links": ["geth0"], "all": True}),
    ):
        with pytest.raises(UsageError):
            follow(APPLIED, verb, **args)


OLD = tuple(Record(serial=serial, cause="apply", file=f"{serial}.yaml", applied_by="them") for serial in (3, 2, 1))


@pytest.mark.parametrize(("steps", "file"), [(1, "3.yaml"), (3, "1.yaml")])
def test_a_rollback_is_a_new_record_with_old_contents(steps: int, file: str) -> None:
    new = earlier(APPLIED, OLD, steps)
    assert (new.serial, new.cause, new.file) == (5, "rollback", file)


@pytest.mark.parametrize("steps", [-1, 0, 4, 2**40])
def test_a_rollback_too_far(steps: int) -> None:
    with pytest.raises(UsageError, match=f"no configuration {steps} before the running one is known: there are 3"):
        earlier(APPLIED, OLD, steps)
    with pytest.raises(UsageError, match="there is none"):
        earlier(APPLIED, (), steps)


def test_what_nobody_confirmed_falls_back() -> None:
    pending = Record(serial=4, config=CONFIG, base=CONFIG, pending=Pending(token="x", deadline_s=1.0))
    assert before(pending, OLD).file == earlier(pending, OLD, 1).file == "3.yaml"
    assert before(pending, OLD).pending is None
    # The first of all falls back to nothing.
    assert before(pending, ()).config == earlier(pending, (), 1).config == Config()


def test_what_waits_to_be_confirmed_is_left_alone() -> None:
    require_settled(APPLIED)
    with pytest.raises(ConflictError, match="waits to be confirmed"):
        require_settled(Record(pending=Pending(token="x", deadline_s=1.0)))
