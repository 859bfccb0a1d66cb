"""gpiomux.cli.app: what a command line means, before anything is done."""

from __future__ import annotations

from functools import partial

import pytest

from gpiomux.cli import change, show
from gpiomux.cli.app import parse


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("validate f", partial(show.validate, "f", json=False)),
        ("validate --json f", partial(show.validate, "f", json=True)),
        ("plan f --json", partial(show.plan, "f", json=True)),
        ("apply f", partial(change.apply, "f")),
        ("show", partial(show.show, json=False)),
        ("status --json", partial(show.status, json=True)),
        ("stats", partial(show.stats, json=False)),
        ("chips", partial(show.chips, json=False)),
        ("add-child l c", partial(change.perform, "add-child", {"link": "l", "child": "c"})),
        ("add_child my_link my_child", partial(change.perform, "add-child", {"link": "my_link", "child": "my_child"})),
        ("del_child c", partial(change.perform, "del-child", {"child": "c"})),
        ("add_mark c 0x7", partial(change.add_mark, "c", "0x7")),
        ("del-mark c 7", partial(change.del_mark, "c", "7")),
        ("down", partial(change.down, [])),
        ("down a b", partial(change.down, ["a", "b"])),
    ],
)
def test_a_command_line_has_one_meaning(words: str, meaning: partial[int]) -> None:
    parsed = parse(words.split())
    assert isinstance(parsed, partial)
    assert (parsed.func, parsed.args, parsed.keywords) == (meaning.func, meaning.args, meaning.keywords)


@pytest.mark.parametrize(("words", "status"), [("--help", 0), ("apply --help", 0), ("apply", 2), ("apply a b", 2)])
def test_what_typer_answers_itself_means_nothing_more(
    words: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words.split())
    assert caught.value.code == status
    assert "Usage: gpiomux" in "".join(capsys.readouterr())
