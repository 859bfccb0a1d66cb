"""What a verb of the command line is made of, and what a command line means. Pure data, quick to import."""

from __future__ import annotations

from importlib import import_module

from gpiomux.frozen import Frozen

TYPE_CHECKING = False  # as of `typing`, whose import takes longer than that of this module
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Argument(Frozen):
    """A word of a command line that is told by its place."""

    metavar: str
    """As help and manual call it, such as `LINK`."""
    help: str
    required: bool = True
    many: bool = False
    """Any number of words, the last argument of its verb; then the value is a list."""
    bounds: tuple[int, int] | None = None
    """A whole number from the first to the second; None: text."""
    offers: tuple[str, ...] = ()
    """Words that a shell completes it to, beside names that are running."""

    @property
    def parameter(self) -> str:
        """Name of the parameter of the verb's function: `link`, and `links` for many of them."""
        return self.metavar.lower() + ("s" if self.many else "")


class Option(Frozen):
    """A word that begins with `--`: alone, then it is a flag, or with a value behind it."""

    name: str
    """With its dashes."""
    help: str
    metavar: str = ""
    """What the value is called, such as `SECONDS`; empty for a flag."""
    bounds: tuple[int, int] | None = None
    """The value is a whole number from the first to the second; None for a flag and for text."""
    short: str = ""
    """One dash and a letter that mean the same, such as `-o`; empty: there is none."""

    @property
    def names(self) -> tuple[str, ...]:
        """How it may be written, the long way first."""
        return (self.name, self.short) if self.short else (self.name,)

    @property
    def parameter(self) -> str:
        """Name of the parameter of the verb's function. A flag gives a bool, an option without its value None."""
        return self.name.removeprefix("--").replace("-", "_")


class Verb(Frozen):
    """One verb: how it is written, what its help says, and which function does it."""

    name: str
    """One word, or two with a blank between them: the first is then one of `verbs.GROUPS`."""
    help: str
    """The first paragraph stands in the list of verbs."""
    performs: str
    """`module:function` below gpiomux.cli, imported when it is called: most verbs need little of what others do."""
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()

    def function(self) -> Callable[..., int]:
        """Import what performs the verb: takes a keyword for each argument and option, returns the exit status."""
        module, _, function = self.performs.partition(":")
        found: Callable[..., int] = getattr(import_module(f"gpiomux.cli.{module}"), function)
        return found


class Call(Frozen):
    """What a command line means: a verb, and a value for each of its parameters."""

    verb: Verb
    values: Mapping[str, Any]

    def perform(self) -> int:
        """Do it; return the exit status.

        Raises:
            GpiomuxError: whatever the verb has to say.
        """
        return self.verb.function()(**self.values)
