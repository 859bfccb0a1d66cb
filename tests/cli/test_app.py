"""gpiomux.cli.app: what typer makes of a command line, and what it answers itself. See test_parser for the verbs."""

from __future__ import annotations

import pytest

from gpiomux.cli.app import parse
from gpiomux.cli.verb import Call
from gpiomux.cli.verbs import VERBS


@pytest.mark.parametrize(
    ("words", "verb", "values"),
    [
        ("validate f --json", "validate", {"file": "f", "json": True}),
        ("validate --json -- -f", "validate", {"file": "-f", "json": True}),
        ("apply --confirm=60 f", "apply", {"file": "f", "confirm": 60, "reset_overlay": False}),
        ("rollback", "rollback", {"n": None}),
        ("add_child my_link my_child", "add-child", {"link": "my_link", "child": "my_child", "persist": False}),
        ("del-mark c 7", "del-mark", {"child": "c", "mark": "7", "persist": False}),
        ("down", "down", {"links": [], "all": False}),
        ("down a b", "down", {"links": ["a", "b"], "all": False}),
    ],
)
def test_a_command_line_has_one_meaning(words: str, verb: str, values: dict[str, object]) -> None:
    assert parse(words.split()) == Call(verb=VERBS[verb], values=values)


@pytest.mark.parametrize(("words", "status"), [("--help", 0), ("apply --help", 0), ("apply", 2), ("apply a b", 2)])
def test_what_typer_answers_itself_means_nothing_more(
    words: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words.split())
    assert caught.value.code == status
    assert "Usage: gpiomux" in "".join(capsys.readouterr())
