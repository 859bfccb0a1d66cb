"""The command line as typer sees it: made of the table in `verbs`, for help and for whatever `parser` leaves to it.

typer only parses here. What a command line means is returned, and `main` performs it when typer is done, so that errors
have one road out, and the functions that do the work know nothing of typer.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined] # an app without the options has none else
from typer.core import TyperGroup
from typer.main import get_command

from gpiomux.cli.completion import offering
from gpiomux.cli.verb import Argument, Call, Option, Verb
from gpiomux.cli.verbs import GROUPS, VERBS, canonical
from gpiomux.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable


class Verbs(TyperGroup):
    """Hands what the chosen verb returns to `parse`, which left a list for it in the context."""

    def invoke(self, ctx: Any) -> None:
        """Let typer call the verb."""
        ctx.obj.append(super().invoke(ctx))


def parse(words: list[str]) -> Call:
    """Find out what a command line wants.

    Raises:
        SystemExit: nothing is left to do: typer has printed the help, or what is wrong with the command line.
    """
    chosen: list[Call] = []
    try:
        command(words, prog_name="gpiomux", obj=chosen)
    except SystemExit:
        if not chosen:
            raise
    return chosen[0]


def complete() -> None:
    """Tell a shell what may stand in the place of the cursor; it has put the command line into the environment.

    Raises:
        SystemExit: always.
    """
    completion_init()
    command([], prog_name="gpiomux")


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": canonical},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gpiomux {VERSION}")
        raise typer.Exit


@app.callback()
def gpiomux(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Linux network links over GPIO lines."""


def _caller(verb: Verb) -> Callable[..., Call]:
    """A function as typer wants to see one: its parameters are those of the verb, and it returns the call."""

    def call(**values: Any) -> Call:
        for argument in verb.arguments:
            if argument.many:
                values[argument.parameter] = list(values[argument.parameter] or ())
        return Call(verb=verb, values=values)

    parameters = [_argument(argument) for argument in verb.arguments] + [_option(option) for option in verb.options]
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _argument(argument: Argument) -> Parameter:
    lowest, highest = argument.bounds or (None, None)
    told = typer.Argument(
        metavar=argument.metavar,
        help=argument.help,
        min=lowest,
        max=highest,
        autocompletion=offering(argument),
    )
    kind: Any = str if argument.bounds is None else int
    if argument.many:
        kind = list[kind]
    if argument.required:
        return Parameter(argument.parameter, Parameter.KEYWORD_ONLY, annotation=Annotated[kind, told])
    return Parameter(argument.parameter, Parameter.KEYWORD_ONLY, annotation=Annotated[kind | None, told], default=None)


def _option(option: Option) -> Parameter:
    lowest, highest = option.bounds or (None, None)
    told = typer.Option(*option.names, metavar=option.metavar or None, help=option.help, min=lowest, max=highest)
    flag = not option.metavar
    kind: Any = bool if flag else (str if option.bounds is None else int) | None
    return Parameter(
        option.parameter, Parameter.KEYWORD_ONLY, annotation=Annotated[kind, told], default=False if flag else None
    )


_groups = {name: typer.Typer(no_args_is_help=True, rich_markup_mode=None) for name in GROUPS}
for _verb in VERBS.values():
    _first, _, _second = _verb.name.partition(" ")
    _home = _groups[_first] if _second else app
    _home.command(_second or _first, help=_verb.help)(_caller(_verb))
for _name, _group in _groups.items():
    app.add_typer(_group, name=_name, help=GROUPS[_name])

command = get_command(app)
"""All of it, ready to parse."""
