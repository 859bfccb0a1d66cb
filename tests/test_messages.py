"""Every message says what it is about, what is wrong, and what to do; tests/messages.txt lists them all."""

from __future__ import annotations

import ast
import difflib
import re
from typing import TYPE_CHECKING

import pytest

from gpiomux import errors
from tests.messages import COMMAND, ERRORS, TABLE, Message, collected, made_by, table
from tests.wordings import ROOT, Place, bound, callee, is_words, places, scope_of, tree_of, wordings

if TYPE_CHECKING:
    from pathlib import Path

NAMED = re.compile(
    "gpiomuxd?|gpio-aggregator|datapath|fork server|the guard|request|reply|control message|configuration"
    "|simulated wire|schema|libyaml|gpiosk|^(apply|capture|doctor|down|metrics|scope|stats)[: ]|--[a-z]+"
)
"""What a message without a placeholder may be about."""


@pytest.fixture(scope="module")
def messages() -> tuple[Message, ...]:
    return collected()


def told(wrong: list[Message]) -> str:
    return "\n".join(f"gpiomux/{message.module}: {message.kind}: {message.text}" for message in wrong)


def test_the_table_has_every_message() -> None:
    now, listed = table().splitlines(), TABLE.read_text(encoding="utf-8").splitlines()
    diff = "\n".join(difflib.unified_diff(listed, now, "tests/messages.txt", "the source", lineterm="", n=1))
    assert not diff, f"{diff}\n\nIf the new messages are good, make the table anew: {COMMAND}"


def test_messages_are_found(messages: tuple[Message, ...]) -> None:
    assert len(messages) > 300
    assert {message.kind for message in messages} >= set(ERRORS) - {"GpiomuxError"}


def test_no_error_is_made_without_a_message_that_can_be_read() -> None:
    unread = [place for place in places() if callee(place.call) in ERRORS and made_by(place) is None]
    assert not [f"{place.module}:{place.call.lineno}" for place in unread]


def test_words_are_followed_through_names_tables_and_callers(tmp_path: Path) -> None:
    source = """
REASONS = {1: "it is full"}
def caller(kind):
    what = "chip" if kind else f"{kind} line"
    raise refused(what, 7)
def refused(what, number):
    reason = REASONS.get(number, "it is odd")
    return UsageError(f"cannot open {what} {number}: {reason}", hint="close " + what)
"""
    module = tmp_path / "sample.py"
    module.write_text(source)
    helper = next(node for node in tree_of(module).body if isinstance(node, ast.FunctionDef) and node.name == "refused")
    call = next(node for node in ast.walk(helper) if isinstance(node, ast.Call) and callee(node) == "UsageError")
    scope = scope_of(Place(call, module, helper))
    assert wordings(call.args[0], scope) == [
        "cannot open {what} {number}: it is full",
        "cannot open {what} {number}: it is odd",
    ]
    raising = next(
        node for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call) and callee(node) == "refused"
    )
    caller = next(node for node in tree_of(module).body if isinstance(node, ast.FunctionDef) and node.name == "caller")
    given = scope._replace(given=bound(Place(raising, module, caller), scope))
    assert wordings(call.args[0], given) == [
        "cannot open chip {number}: it is full",
        "cannot open chip {number}: it is odd",
        "cannot open {kind} line {number}: it is full",
        "cannot open {kind} line {number}: it is odd",
    ]
    assert wordings(call.keywords[0].value, given) == ["close chip", "close {kind} line"]


def test_every_error_fault_and_finding_says_what_to_do(messages: tuple[Message, ...]) -> None:
    wrong = [it for it in messages if it.section in ("error", "fault", "finding") and "" in (*it.hints, *_none(it))]
    assert not wrong, f"no hint, and none that goes with the class or errno:\n{told(wrong)}"


def _none(message: Message) -> tuple[str, ...]:
    return () if message.hints else ("",)


def test_messages_are_one_line_without_a_full_stop(messages: tuple[Message, ...]) -> None:
    wrong = [
        it
        for it in messages
        for text in (it.text, *it.hints)
        if "\n" in text or (text.endswith(".") and not it.module.endswith("/joining.py"))  # those are sentences
    ]
    assert not wrong, told(wrong)


def test_messages_name_their_object(messages: tuple[Message, ...]) -> None:
    wrong = [it for it in messages if it.section == "error" and "{" not in it.text and not NAMED.search(it.text)]
    assert not wrong, told(wrong)


def test_no_hint_repeats_its_message(messages: tuple[Message, ...]) -> None:
    assert not [it for it in messages if is_words(it.text) and it.text in it.hints]


def test_messages_begin_like_each_other(messages: tuple[Message, ...]) -> None:
    """They stand behind `gpiomux: `, so they begin with a small letter, or with a name that is written large."""
    names = ("IP", "GPIO", "XDP", "ARP", "CAP_", "PyYAML", "Linux")
    wrong = [
        it
        for it in messages
        for text in (it.text, *it.hints)
        if text[:1].isupper() and not text.startswith(names) and not it.module.endswith("/joining.py")
    ]
    assert not wrong, told(wrong)


def test_exit_statuses_are_those_of_the_manual() -> None:
    page = (ROOT / "man" / "gpiomux.1").read_text(encoding="utf-8")
    _, _, after = page.partition("\n.Sh EXIT STATUS\n")
    statuses = {int(status) for status in re.findall(r"^\.It (\d+)$", after.partition("\n.Sh ")[0], re.MULTILINE)}
    kinds: list[type[errors.GpiomuxError]] = [*ERRORS.values(), errors.ConfigError]
    assert {kind.exit_status for kind in kinds} <= statuses
