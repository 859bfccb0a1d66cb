"""The command line as typer sees it: verbs, arguments, help. What a verb does stands in `change` and `show`.

typer only parses here. A verb returns what is to be performed, and `main` performs it when typer is done, so that
errors have one road out, and the functions that do the work know nothing of typer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from gpiomux.cli import change, show
from gpiomux.version import VERSION

Run = Callable[[], int]
"""What a verb does; returns the exit status."""

File = Annotated[str, typer.Argument(metavar="FILE", help="Configuration, gpiomux.yaml(5); - reads standard input.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
LinkName = Annotated[str, typer.Argument(metavar="LINK", help="Name of a link.")]
ChildName = Annotated[str, typer.Argument(metavar="CHILD", help="Name of a child interface.")]
MarkText = Annotated[str, typer.Argument(metavar="MARK", help="Netfilter mark, decimal or hexadecimal: 7 or 0x7.")]


class Verbs(TyperGroup):
    """Hands what the chosen verb returns to `parse`, which left a list for it in the context."""

    def invoke(self, ctx: Any) -> None:
        """Let typer call the verb."""
        ctx.obj.append(super().invoke(ctx))


def parse(words: list[str]) -> Run:
    """Find out what a command line wants.

    Raises:
        SystemExit: nothing is left to do: typer has printed the help, or what is wrong with the command line.
    """
    chosen: list[Run] = []
    try:
        get_command(app)(words, prog_name="gpiomux", obj=chosen)
    except SystemExit:
        if not chosen:
            raise
    return chosen[0]


# muennet_cfg spells its verbs with an underscore; users of it may go on doing so.
app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda word: word.replace("_", "-"),
    },
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


@app.command()
def validate(file: File, json: Json = False) -> Run:
    """Check a configuration.

    All faults are listed at once, each with its place. No daemon is asked, nothing is changed.
    """
    return partial(show.validate, file, json=json)


@app.command()
def plan(file: File, json: Json = False) -> Run:
    """Print what apply would do.

    Exit status 0: nothing to do, 2: something to do, 1: an error.
    """
    return partial(show.plan, file, json=json)


@app.command()
def apply(file: File) -> Run:
    """Make the running links those of a configuration.

    Links that it does not name are taken down. gpiomuxd is started if it does not run.
    """
    return partial(change.apply, file)


@app.command("show")
def show_configuration(json: Json = False) -> Run:
    """Print the running configuration, as apply accepts it."""
    return partial(show.show, json=json)


@app.command()
def status(json: Json = False) -> Run:
    """Print how each link is."""
    return partial(show.status, json=json)


@app.command()
def stats(json: Json = False) -> Run:
    """Print what links, lines and interfaces have counted."""
    return partial(show.stats, json=json)


@app.command()
def chips(json: Json = False) -> Run:
    """Print the GPIO chips of this machine and their lines."""
    return partial(show.chips, json=json)


@app.command()
def add_child(link: LinkName, child: ChildName) -> Run:
    """Give a link a child.

    CHILD becomes an interface that shares LINK and receives the packets with its marks.
    """
    return partial(change.perform, "add-child", {"link": link, "child": child})


@app.command()
def del_child(child: ChildName) -> Run:
    """Remove a child.

    Packets with its marks arrive on the link's own interface again.
    """
    return partial(change.perform, "del-child", {"child": child})


@app.command()
def add_mark(child: ChildName, mark: MarkText) -> Run:
    """Let packets with a mark arrive on a child."""
    return partial(change.add_mark, child, mark)


@app.command()
def del_mark(child: ChildName, mark: MarkText) -> Run:
    """Take a mark of a child away."""
    return partial(change.del_mark, child, mark)


@app.command()
def down(
    links: Annotated[
        list[str] | None, typer.Argument(metavar="LINK", help="Names of links; none: all of them.")
    ] = None,
) -> Run:
    """Take links down, and remove all that was made for them."""
    return partial(change.down, links or [])
