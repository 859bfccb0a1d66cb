"""gpiomux.cli.parser: it means what typer means wherever it means anything at all."""

from __future__ import annotations

import subprocess
import sys
from inspect import signature

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpiomux.apply import generator
from gpiomux.cli import app, completion, edit, parser, recording
from gpiomux.cli.verb import Argument, Option, Verb
from gpiomux.cli.verbs import VERBS
from gpiomux.config import names, netdevs, tuning, xdp
from gpiomux.config.model import PollMode
from gpiomux.daemon import state_file, successor
from gpiomux.datapath import recorder
from gpiomux.wire import frame
from tests.cli.commands import ROOT

PLAIN = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).filter(lambda word: not word.startswith("-"))
ODD = st.sampled_from(
    ["-", "--", "", "-h", "--help", "-1", "+1", "1_0", " 1", "٣", "0", "1", "007", "99999999999999999999", "--no-json"]
)
OPTIONS = sorted({name for verb in VERBS.values() for option in verb.options for name in option.names})
SPELLINGS = st.sampled_from(OPTIONS).flatmap(
    lambda name: st.sampled_from([name, f"{name}=1", name.replace("-", "_"), name[:-1], f"{name}x", name.upper()])
)
VERB_WORDS = st.sampled_from(list(VERBS)).flatmap(lambda name: st.sampled_from([name, name.replace("-", "_")]))
LINES = st.tuples(VERB_WORDS, st.lists(st.sampled_from(OPTIONS) | PLAIN | SPELLINGS | ODD, max_size=5)).map(
    lambda line: [*line[0].split(), *line[1]]
)


@st.composite
def well_formed(draw: st.DrawFn, verb: Verb) -> tuple[list[str], dict[str, object]]:
    """A command line as people write it, and what its verb shall get."""
    values: dict[str, object] = {}
    groups: list[list[str]] = []
    for option in verb.options:
        values[option.parameter], words = draw(_option(option))
        groups.append(words)
    placed: list[str] = []
    for argument in verb.arguments:
        values[argument.parameter], words = draw(_argument(argument))
        placed += words
    order = draw(st.permutations([*groups, *([word] for word in placed)]))
    rest = iter(placed)  # options stand anywhere; arguments keep their order
    line = [next(rest) if len(group) == 1 and group[0] in placed else word for group in order for word in group]
    name = draw(st.sampled_from([verb.name, verb.name.replace("-", "_")]))
    return [*name.split(), *line], values


def _option(option: Option) -> st.SearchStrategy[tuple[object, list[str]]]:
    names = st.sampled_from(option.names)
    if not option.metavar:
        return names.map(lambda name: (True, [name])) | st.just((False, list[str]()))
    given = st.tuples(names, _value(option.bounds)).map(lambda both: (both[1], [both[0], str(both[1])]))
    return given | st.just((None, list[str]()))


def _argument(argument: Argument) -> st.SearchStrategy[tuple[object, list[str]]]:
    if argument.many:
        return st.lists(PLAIN, max_size=3).map(lambda values: (values, values))
    given = _value(argument.bounds).map(lambda value: (value, [str(value)]))
    return given if argument.required else given | st.just((None, list[str]()))


def _value(bounds: tuple[int, int] | None) -> st.SearchStrategy[str] | st.SearchStrategy[int]:
    return PLAIN if bounds is None else st.integers(*bounds)


@given(LINES)
def test_what_is_understood_means_what_typer_would_make_of_it(words: list[str]) -> None:
    understood = parser.parse(words)
    if understood is not None:
        assert app.parse(words) == understood


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_every_verb_is_understood_and_means_the_same_on_both_roads(verb: Verb) -> None:
    @settings(max_examples=30)
    @given(well_formed(verb))
    def check(line: tuple[list[str], dict[str, object]]) -> None:
        words, values = line
        understood = parser.parse(words)
        assert understood is not None
        assert (understood.verb, understood.values) == (verb, values)
        assert app.parse(words) == understood

    check()


@pytest.mark.parametrize(
    "words",
    [
        "",
        "-h",
        "--version status",
        "stats -h",
        "status --jsn",
        "status --json=1",
        "status geth0 geth1",
        "plan",
        "plan -- f",
    ],
)
def test_the_rest_is_left_to_typer(words: str) -> None:
    assert parser.parse(words.split()) is None


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_every_verb_has_a_function_with_its_parameters(verb: Verb) -> None:
    declared = [argument.parameter for argument in verb.arguments] + [option.parameter for option in verb.options]
    assert list(signature(verb.function()).parameters) == declared


def test_a_well_formed_command_line_needs_no_typer() -> None:
    code = (
        "import sys; from gpiomux.cli.main import main; main(['validate', 'configs/two-links.yaml'])\n"
        "print('typer' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[1] == "False"


def declared(name: str) -> dict[str, Argument | Option]:
    """What a verb takes, by parameter."""
    verb = VERBS[name]
    arguments = {argument.parameter: argument for argument in verb.arguments}
    return {**arguments, **{option.parameter: option for option in verb.options}}


@pytest.mark.parametrize(
    ("verb", "parameter", "bounds"),
    [
        ("rollback", "n", (1, state_file.HISTORY)),
        ("apply", "confirm", (1, successor.LONGEST_CONFIRM_S)),
        ("set-pmtu", "bytes", (netdevs.LOWEST_MTU, tuning.HIGHEST_PMTU)),
        ("set-poll", "idle", (1, tuning.HIGHEST_IDLE_US)),
        ("set-poll", "budget", (1, tuning.HIGHEST_BUDGET)),
        ("probe", "size", (frame.MIN_PATTERN_BYTES, frame.MAX_PATTERN_BYTES)),
        ("generate", "rate", (1, generator.MAX_RATE_PPS)),
        ("generate", "count", (1, generator.MAX_COUNT)),
        ("generate", "size", (1, generator.MAX_SIZE_BYTES)),
    ],
)
def test_bounds_are_those_of_whoever_does_it(verb: str, parameter: str, bounds: tuple[int, int]) -> None:
    assert declared(verb)[parameter].bounds == bounds


def test_words_are_those_of_whoever_does_it() -> None:
    """The command imports little of what it asks for, so a few things stand twice."""

    def offers(verb: str, parameter: str) -> set[str]:
        argument = declared(verb)[parameter]
        assert isinstance(argument, Argument)
        return set(argument.offers)

    assert offers("set-poll", "mode") == {mode.value for mode in PollMode}
    assert offers("xdp attach", "object") == set(edit.BUILT_IN_PROGRAMS) == set(xdp.BUILT_IN)
    assert offers("generate", "kind") == set(generator.MAKERS)
    assert offers("completion", "shell") == set(completion.SHELLS)
    assert edit.MARK_MAX == names.HIGHEST_MARK
    assert recording.FROM_NOW == recorder.FROM_NOW
