"""The quick road of a command line: what is well-formed is understood here, everything else is left to typer.

To import typer takes several times as long as all the rest of a short command. So this parser knows one way of writing
things only; help, other ways and all mistakes have typer's behaviour and typer's words. Where it does understand a
command line, it means what typer would have made of it: a test holds the two together.
"""

from __future__ import annotations

from gpiomux.cli.verb import Call
from gpiomux.cli.verbs import VERBS, canonical

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    from gpiomux.cli.verb import Option, Verb

_BY_WORDS = {tuple(name.split()): verb for name, verb in VERBS.items()}
_DIGITS = 18
"""Longest number that is read here; no verb has use for more."""


def parse(words: list[str]) -> Call | None:
    """Find out what a command line wants; None: typer has to look at it."""
    verb, rest = _verb(words)
    if verb is None:
        return None
    values: dict[str, Any] = {option.parameter: None if option.metavar else False for option in verb.options}
    options = {name: option for option in verb.options for name in option.names}
    seen: list[Option] = []
    placed: list[str] = []
    following = iter(rest)
    for word in following:
        if not _is_option(word):
            placed.append(word)
        elif (option := options.get(word)) is None or option in seen:
            return None  # unknown, joined to its value by "=", or given twice
        else:
            seen.append(option)
            value = _value(next(following, "-"), option.bounds) if option.metavar else True
            if value is None:
                return None
            values[option.parameter] = value
    return Call(verb=verb, values=values) if _place(verb, placed, values) else None


def _verb(words: list[str]) -> tuple[Verb | None, list[str]]:
    """The verb that a command line begins with, and what follows; its name may have two words."""
    for length in (1, 2):
        verb = _BY_WORDS.get(tuple(map(canonical, words[:length])))
        if verb is not None:
            return verb, words[length:]
    return None, words


def _place(verb: Verb, placed: list[str], values: dict[str, Any]) -> bool:
    """Give each word to the argument in its place; False if they do not fit."""
    rest = list(placed)
    for argument in verb.arguments:
        if argument.many:
            values[argument.parameter], rest = rest, []
        elif rest:
            value = _value(rest.pop(0), argument.bounds)
            if value is None:
                return False
            values[argument.parameter] = value
        elif argument.required:
            return False
        else:
            values[argument.parameter] = None
    return not rest


def _value(word: str, bounds: tuple[int, int] | None) -> str | int | None:
    """What a word stands for; None if it is not certain."""
    if _is_option(word) or not word:
        return None
    if bounds is None:
        return word
    if not (word.isascii() and word.isdigit() and len(word) <= _DIGITS):
        return None
    lowest, highest = bounds
    number = int(word)
    return number if lowest <= number <= highest else None


def _is_option(word: str) -> bool:
    """Whether typer would see more in a word than a value; a single dash stands for standard input."""
    return word.startswith("-") and word != "-"
