"""What a shell offers when Tab is pressed: verbs and options by typer, names of what runs by the daemon."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from gpiomux.cli import ask
from gpiomux.cli.verbs import COMPLETION_VARIABLE
from gpiomux.errors import GpiomuxError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.cli.verb import Argument

SHELLS = ("bash", "zsh", "fish")

Offer = list[tuple[str, str]]
"""Words with what is told about each."""


def completion(shell: str) -> int:
    """Print the script that a shell sources so that it completes command lines of gpiomux.

    Raises:
        UsageError: there is none for this shell.
    """
    # The scripts are the part of typer that knows the shells; only `--show-completion` of a typer app is documented.
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in SHELLS:
        raise UsageError(f"{shell}: no completion for this shell", hint=f"there is one for {', '.join(SHELLS)}")
    sys.stdout.write(get_completion_script(prog_name="gpiomux", complete_var=COMPLETION_VARIABLE, shell=shell) + "\n")
    return 0


def offering(argument: Argument) -> Callable[[Any, str], Offer] | None:
    """What offers words for an argument, as typer calls it; None where the shell knows best, as of files."""
    words = [(word, "") for word in argument.offers]
    find = _FINDERS.get(argument.metavar)
    if find is None and not words:
        return None

    def offer(ctx: Any, incomplete: str) -> Offer:
        names = [] if find is None else find(_running_links(), ctx.params)
        return [(word, told) for word, told in words + names if word.startswith(incomplete)]

    return offer


def _running_links() -> list[dict[str, Any]]:
    """The links as the daemon knows them. Whoever presses Tab wants no message if there is none."""
    try:
        client = ask.running()
        if client is None:
            return []
        with client:
            links: list[dict[str, Any]] = client.ask("show")["config"]["links"]
            return links
    except GpiomuxError:
        return []


def _links(links: list[dict[str, Any]], _params: dict[str, Any]) -> Offer:
    return [(link["name"], link["mode"]) for link in links]


def _children(links: list[dict[str, Any]], _params: dict[str, Any]) -> Offer:
    return [(child["name"], f"child of {link['name']}") for link in links for child in link.get("children", ())]


def _interfaces(links: list[dict[str, Any]], params: dict[str, Any]) -> Offer:
    return [*_links(links, params), *_children(links, params)]


def _marks(links: list[dict[str, Any]], params: dict[str, Any]) -> Offer:
    """Marks of the child that stands before, or those of the link that have a PMTU."""
    children = [child for link in links for child in link.get("children", ()) if child["name"] == params.get("child")]
    bound = [(str(mark), f"mark of {child['name']}") for child in children for mark in child.get("marks", ())]
    limits = [link.get("pmtu", {}) for link in links if link["name"] == params.get("link")]
    return bound + [(str(mark), f"PMTU {limit}") for found in limits for mark, limit in found.items()]


_FINDERS: dict[str, Callable[[list[dict[str, Any]], dict[str, Any]], Offer]] = {
    "LINK": _links,
    "CHILD": _children,
    "INTERFACE": _interfaces,
    "MARK": _marks,
}
"""By what an argument is called."""
