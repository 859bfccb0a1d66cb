"""gpiomux.config.persist: an edit changes what it has to change in a text, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gpiomux.config.load import load_text
from gpiomux.config.overlay import edited
from gpiomux.config.persist import BYTE_ORDER_MARK, edited_text
from gpiomux.config.plain import config_to_plain
from gpiomux.errors import ConfigError, UnsupportedError, UsageError
from tests.config.strategies import configs

if TYPE_CHECKING:
    from gpiomux.config.model import Config

EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs").glob("*.yaml")
    if path.name != "gpiosk-peer.yaml"  # its line code carries no marks, so it has no children
)
HEAD = """\
links:
  - name: geth0
    mode: net_hdr
    medium: sim
    wire: {name: cable, external: true}
    protocol: {reader: 1, writer: 2}
"""
ARGUMENTS = {
    "add-child": ("link", "child"),
    "del-child": ("child",),
    "set-pmtu": ("link", "mark", "bytes"),
    "del-pmtu": ("link", "mark"),
    "set-poll": ("link", "mode", "idle_us", "budget"),
}
COMMENTS = st.sampled_from(["# note", "#", "# - name: old", "# marks: [1]", "#, ] }", "# Zürich ✓"])


def edit(text: str, verb: str, *args: str | int) -> str:
    names = ARGUMENTS.get(verb, ("child", "mark"))
    return edited_text(text, "links.yaml", verb, dict(zip(names, args, strict=True)))


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        ("", ("add-child", "geth0", "c"), "    children:\n      - name: c\n"),
        ("", ("add-child", "geth0", "10"), '    children:\n      - name: "10"\n'),
        ("    children: []  # none\n", ("add-child", "geth0", "c"), "    children: [{name: c}]  # none\n"),
        (
            "    children:\n    -   name: a # first\n    # end\n    mtu: 1400\n",
            ("add-child", "geth0", "c"),
            "    children:\n    -   name: a # first\n    -   name: c\n    # end\n    mtu: 1400\n",
        ),
        (
            "    children:\n      - {name: a}",
            ("add-child", "geth0", "c"),
            "    children:\n      - {name: a}\n      - {name: c}",
        ),
        ("    children: [{name: a}]\n", ("add-mark", "a", 7), "    children: [{name: a, marks: [7]}]\n"),
        (
            "    children:\n      - name: a # one\n      # two\n",
            ("add-mark", "a", 7),
            "    children:\n      - name: a # one\n        marks: [7]\n      # two\n",
        ),
        (
            "    children:\n      - name: a\n        marks: [0x1,  2,]  # some\n",
            ("add-mark", "a", 7),
            "    children:\n      - name: a\n        marks: [0x1,  2, 7,]  # some\n",
        ),
        (
            "    children:\n      - name: a\n        marks: []\n",
            ("add-mark", "a", 7),
            "    children:\n      - name: a\n        marks: [7]\n",
        ),
        (
            "    children:\n      - name: a\n        marks:\n        - 0x1 # one\n\n        # end\n",
            ("add-mark", "a", 7),
            "    children:\n      - name: a\n        marks:\n        - 0x1 # one\n        - 7\n\n        # end\n",
        ),
        (
            "    children:\n      - {name: a, marks: [1, 0x7, 9]}\n",
            ("del-mark", "a", 7),
            "    children:\n      - {name: a, marks: [1, 9]}\n",
        ),
        (
            "    children:\n      - {name: a, marks: [1, 7]}\n",
            ("del-mark", "a", 7),
            "    children:\n      - {name: a, marks: [1]}\n",
        ),
        (
            "    children:\n      - {name: a, marks: [7 ,]} # x\n",
            ("del-mark", "a", 7),
            "    children:\n      - {name: a, marks: []} # x\n",
        ),
        (
            "    children: [\n      {name: a},  # one\n      {name: b},\n    ]\n",
            ("del-child", "b"),
            "    children: [\n      {name: a},  # one\n      \n    ]\n",
        ),
        (
            "    children:\n      - {name: a, marks: [7]} # x\n",
            ("del-mark", "a", 7),
            "    children:\n      - {name: a, marks: []} # x\n",
        ),
        (
            "    children:\n      - name: a\n        marks: [\n          7,  # seven\n          # n\n          9]\n",
            ("del-mark", "a", 7),
            "    children:\n      - name: a\n        marks: [\n          # n\n          9]\n",
        ),
        (
            "    children:\n      - name: a\n        marks: [\n          7,  # seven\n          9  # nine\n        ]\n",
            ("del-mark", "a", 9),
            "    children:\n      - name: a\n        marks: [\n          7,  # seven\n            # nine\n        ]\n",
        ),
        (
            "    children:\n      - name: a\n        marks:  # a: b\n          # c\n          - 7\n",
            ("del-mark", "a", 7),
            "    children:\n      - name: a\n        marks: []  # a: b\n          # c\n",
        ),
        (
            "    children:\n      # a\n      - name: a\n        # old\n        mtu: 1280\n      # b\n      - name: b\n",
            ("del-child", "a"),
            "    children:\n      # a\n        # old\n      # b\n      - name: b\n",
        ),
        (
            "    children:\n      - name: a\n      # b\n      -\n        name: b\n    mtu: 1400\n",
            ("del-child", "b"),
            "    children:\n      - name: a\n      # b\n    mtu: 1400\n",
        ),
        ("    # end\n", ("set-pmtu", "geth0", 7, 1280), "    pmtu: {7: 1280}\n    # end\n"),
        (
            "    pmtu: {0x7: 600, 8: 68}  # some\n",
            ("set-pmtu", "geth0", 7, 1280),
            "    pmtu: {0x7: 1280, 8: 68}  # some\n",
        ),
        (
            "    pmtu: {6: 600, 8: 68,}  # some\n",
            ("set-pmtu", "geth0", 7, 1280),
            "    pmtu: {6: 600, 8: 68, 7: 1280,}  # some\n",
        ),
        ("    pmtu: {}\n", ("set-pmtu", "geth0", 7, 1280), "    pmtu: {7: 1280}\n"),
        (
            "    pmtu:  # a\n        6: 600  # b\n    # c\n    mtu: 1400\n",
            ("set-pmtu", "geth0", 7, 1280),
            "    pmtu:  # a\n        6: 600  # b\n        7: 1280\n    # c\n    mtu: 1400\n",
        ),
        ("    pmtu: {6: 600, 7: 68}  # a\n", ("del-pmtu", "geth0", 7), "    pmtu: {6: 600}  # a\n"),
        ("    pmtu: {0x7: 68, 8: 70}\n", ("del-pmtu", "geth0", 7), "    pmtu: {8: 70}\n"),
        ("    pmtu: {7: 68}  # a\n", ("del-pmtu", "geth0", 7), "    pmtu: {}  # a\n"),
        (
            "    pmtu:\n      6: 600\n      # seven\n      7: 68\n      8: 69\n",
            ("del-pmtu", "geth0", 7),
            "    pmtu:\n      6: 600\n      # seven\n      8: 69\n",
        ),
        (
            "    pmtu:  # a\n      # b\n      7: 68  # c\n    mtu: 1400\n",
            ("del-pmtu", "geth0", 7),
            "    pmtu: {}  # a\n      # b\n    mtu: 1400\n",
        ),
        ("", ("set-poll", "geth0", "busy", 0, 0), "    poll: busy\n"),
        ("    poll: irq  # a\n", ("set-poll", "geth0", "auto", 0, 0), "    poll: auto  # a\n"),
        ("    poll: irq\n", ("set-poll", "geth0", "auto", 50, 0), "    poll: {mode: auto, idle_us: 50}\n"),
        (
            "    poll:  # a\n      mode: irq\n      # b\n      budget: 8\n    mtu: 1400\n",
            ("set-poll", "geth0", "busy", 0, 9),
            "    poll: {mode: busy, budget: 9}  # a\n      # b\n    mtu: 1400\n",
        ),
    ],
)
def test_what_is_added_looks_like_its_neighbours_and_comments_stay(
    before: str, words: tuple[Any, ...], after: str
) -> None:
    assert edit(HEAD + before, *words) == HEAD + after


def test_line_ends_and_byte_order_mark_stay() -> None:
    text = BYTE_ORDER_MARK + (HEAD + "    # end\n").replace("\n", "\r\n")
    new = edit(text, "add-child", "geth0", "c")
    assert new == text.replace("    # end", "    children:\r\n      - name: c\r\n    # end")


def test_what_the_file_says_already_changes_nothing() -> None:
    text = HEAD + "    children: [{name: a, marks: [0x7]}]\n"
    assert edit(text, "add-mark", "a", 7) == text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_there_and_back_again_leaves_only_an_empty_list(path: Path) -> None:
    text = path.read_text()
    link = load_text(text, path.name).links[0].name
    with_child = edit(text, "add-child", link, "new")
    there = edit(edit(with_child, "add-mark", "new", 77), "add-mark", "new", 78)
    back = edit(edit(edit(there, "del-mark", "new", 77), "del-mark", "new", 78), "del-child", "new")
    added = [line for line in back.splitlines() if line not in text.splitlines()]
    assert [line.strip() for line in added] in ([], ["children: []"])
    assert [line for line in back.splitlines() if line not in added] == text.splitlines()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "    children: [{name: a, marks: &m [7]}, {name: b, netns: *m}]\n", ("add-mark", "a", 8)),
        ("linkz: []\n", ("add-mark", "a", 8)),
    ],
)
def test_a_file_with_faults_is_told_so(text: str, words: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError):
        edit(text, *words)


def test_an_alias_is_not_changed_behind_the_back_of_others() -> None:
    second = HEAD.removeprefix("links:\n").replace("geth0", "geth1").replace("cable", "cable2")
    text = HEAD + "    children: [{name: a, marks: &m [7]}]\n" + second + "    children: [{name: b, marks: *m}]\n"
    for child in ("a", "b"):
        with pytest.raises(UnsupportedError, match=r"links.yaml: cannot be changed in place") as caught:
            edit(text, "add-mark", child, 8)
        assert f"add-mark {child} 8" in caught.value.hint


def test_a_mapping_that_may_hold_comments_is_not_written_anew() -> None:
    text = HEAD + "    poll: {mode: irq,  # why\n           budget: 5}\n"
    with pytest.raises(UnsupportedError) as caught:
        edit(text, "set-poll", "geth0", "auto", 50, 8)
    assert "set-poll geth0 auto --idle 50 --budget 8" in caught.value.hint


def test_an_edit_that_makes_no_sense_in_the_file_is_refused() -> None:
    with pytest.raises(UsageError, match="no child"):
        edit(HEAD, "add-mark", "a", 8)


# ---- any text


class Writer:
    """Writes plain data as people might: in both styles, with comments, quotes and their own indentation."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._indentless = draw(st.booleans())
        self._gap = " " * draw(st.integers(1, 3))
        self._comments = draw(st.sampled_from([2, 8]))

    def text(self, plain: dict[str, Any]) -> str:
        lines = self._block(plain, 0)
        commented: list[str] = []
        for line in lines:
            if self._sometimes(self._comments):
                commented.append(" " * self._draw(st.integers(0, 8)) + self._draw(COMMENTS))
            if self._sometimes(12):
                commented.append("")
            commented.append(f"{line}  {self._draw(COMMENTS)}" if self._sometimes(self._comments) else line)
        end = self._draw(st.sampled_from(["\n", "\r\n"]))
        return end.join(commented) + self._draw(st.sampled_from(["", end, end + "# end" + end]))

    def _sometimes(self, often: int) -> bool:
        return self._draw(st.integers(1, often)) == 1

    def _block(self, value: Any, indent: int) -> list[str]:
        """Lines of a mapping or list that is not empty."""
        margin = " " * indent
        lines: list[str] = []
        if isinstance(value, dict):
            for key, item in value.items():
                if self._is_flow(item):
                    lines += [
                        f"{margin}{self._scalar(key)}: {part}" if not n else part
                        for n, part in enumerate(self._flow(item, indent))
                    ]
                else:
                    lines.append(f"{margin}{self._scalar(key)}:")
                    lines += self._block(item, indent if isinstance(item, list) and self._indentless else indent + 2)
            return lines
        for item in value:
            if self._is_flow(item):
                parts = self._flow(item, indent)
                lines += [f"{margin}-{self._gap}{parts[0]}", *parts[1:]]
            else:
                inner = self._block(item, indent + 1 + len(self._gap))
                lines += [f"{margin}-{self._gap}{inner[0].lstrip()}", *inner[1:]]
        return lines

    def _is_flow(self, value: Any) -> bool:
        return not isinstance(value, (dict, list)) or not value or self._sometimes(4)

    def _flow(self, value: Any, indent: int) -> list[str]:
        """One line; a list may take several."""
        if isinstance(value, list) and value and self._sometimes(3):
            inner = [" " * (indent + 4) + self._inline(item) + "," for item in value]
            return ["[", *inner, " " * (indent + 2) + "]"]
        return [self._inline(value)]

    def _inline(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self._scalar(key)}: {self._inline(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self._inline(item) for item in value) + "]"
        return self._scalar(value)

    def _scalar(self, value: object) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return hex(value) if self._sometimes(3) else str(value)
        if isinstance(value, float):
            return repr(value)
        if value is None:
            return "null"
        text = str(value)
        if text.isidentifier() and text not in ("null", "true", "false", "Null", "True", "False", "NULL", "TRUE"):
            return text if not self._sometimes(4) else f"'{text}'"
        return '"' + "".join(f"\\u{ord(char):04x}" if char in '"\\' else char for char in text) + '"'


@st.composite
def edits(draw: st.DrawFn, config: Config) -> tuple[str, dict[str, Any]]:
    """One change that fits a configuration."""
    verbs: list[tuple[str, dict[str, Any]]] = []
    for link in config.links:
        verbs.append(("add-child", {"link": link.name, "child": draw(st.sampled_from(["new", "10", "true", "0x1f"]))}))
        verbs.append(("set-pmtu", {"link": link.name, "mark": draw(st.integers(1, 9)), "bytes": 1280}))
        for mark, _ in link.pmtu:
            verbs += [("del-pmtu", {"link": link.name, "mark": mark})] * 2
            verbs.append(("set-pmtu", {"link": link.name, "mark": mark, "bytes": draw(st.integers(68, 65535))}))
        mode, budget = draw(st.sampled_from(["auto", "irq", "busy"])), draw(st.sampled_from([0, 7]))
        verbs += [("set-poll", {"link": link.name, "mode": mode, "idle_us": 0, "budget": budget})] * 2
        for child in link.children:
            verbs += [("del-child", {"child": child.name})] * 2
            verbs.append(("add-mark", {"child": child.name, "mark": draw(st.integers(2**31, 2**32 - 1))}))
            verbs += [("del-mark", {"child": child.name, "mark": mark}) for mark in child.marks]
    chosen: tuple[str, dict[str, Any]] = draw(st.sampled_from(verbs))
    return chosen


@given(st.data())
def test_the_text_means_what_the_edit_means_and_keeps_every_comment_line(data: st.DataObject) -> None:
    config = data.draw(configs().filter(lambda config: bool(config.links)))
    text = Writer(data.draw).text(config_to_plain(config))  # type: ignore[arg-type]
    before = load_text(text, "any")
    assert before == config
    verb, args = data.draw(edits(config))
    try:
        wanted = edited(before, verb, args)
    except UsageError:
        assume(False)
    new = edited_text(text, "any", verb, args)
    assert load_text(new, "any") == wanted
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    left = iter(new.splitlines())  # in their order; what stood behind a removed item may have become one more
    assert [line for line in comments if line not in left] == []
    if verb.startswith("add"):
        changed = [line for line in text.splitlines() if line not in new.splitlines()]
        assert len(changed) <= 1, "a line in brackets or braces grows, all others stay"
