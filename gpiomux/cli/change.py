"""The verbs that change: apply, down, and those for children and marks. Each returns the exit status.

The daemon performs everything. A request that it has is finished, whatever becomes of us.
"""

from __future__ import annotations

import sys

from gpiomux.cli import ask, output
from gpiomux.errors import DaemonError, UsageError

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    from gpiomux.control.client import Client

MARK_MAX = 2**32 - 1


def apply(file: str) -> int:
    """Make the running links those of the file; start a daemon if there is none.

    Raises:
        GpiomuxError: the file is not usable, or the daemon could not do it.
    """
    text, name = ask.read_text(file)
    client = ask.running()
    if client is None:
        from gpiomux.config import load

        load.load_text(text, name)  # so that a file which cannot be applied starts no daemon
        client = ask.started()
    return _perform(client, "apply", {"text": text, "file": name})


def down(links: list[str]) -> int:
    """Take links down, all of them if none is named.

    Raises:
        GpiomuxError: no such link, or the daemon could not do it.
    """
    client = ask.running()
    if client is None:
        if not ask.links_exist():
            output.line("no links are running")
            return 0
        client = ask.started()
    return _perform(client, "down", {"links": links})


def add_child(link: str, child: str) -> int:
    """Give a link a child.

    Raises:
        GpiomuxError: there are no links, or the daemon could not do it.
    """
    return _edit("add-child", {"link": link, "child": child})


def del_child(child: str) -> int:
    """Remove a child.

    Raises:
        GpiomuxError: as `add_child`.
    """
    return _edit("del-child", {"child": child})


def add_mark(child: str, mark: str) -> int:
    """Bind a mark to a child.

    Raises:
        UsageError: the text is no mark.
        GpiomuxError: as `add_child`.
    """
    return _edit("add-mark", {"child": child, "mark": parse_mark(mark)})


def del_mark(child: str, mark: str) -> int:
    """Give a mark of a child back to the parent.

    Raises:
        UsageError: the text is no mark.
        GpiomuxError: as `add_child`.
    """
    return _edit("del-mark", {"child": child, "mark": parse_mark(mark)})


def parse_mark(text: str) -> int:
    """Read a netfilter mark, decimal or hexadecimal with 0x.

    Raises:
        UsageError: it is no number, or not within 1..2^32-1.
    """
    hexadecimal = text[:2] in ("0x", "0X")
    try:
        # int() alone would take signs, blanks, underscores and the digits of other scripts as well.
        mark = int(text, 16 if hexadecimal else 10) if text.isascii() and text.isalnum() else 0
    except ValueError:
        mark = 0
    if not 1 <= mark <= MARK_MAX:
        raise UsageError(
            f"mark {text!r}: is not a netfilter mark",
            hint=f"give a number from 1 to {MARK_MAX}, decimal or hexadecimal such as 0x7",
        )
    return mark


def _edit(verb: str, args: dict[str, Any]) -> int:
    """Ask for a change of the running configuration."""
    client = ask.running()
    if client is None:
        if not ask.links_exist():
            raise DaemonError(
                f"{verb}: gpiomuxd is not running, and there are no links",
                hint="start links with 'gpiomux apply FILE' first",
            )
        client = ask.started()
    return _perform(client, verb, args)


def _perform(client: Client, verb: str, args: dict[str, Any]) -> int:
    try:
        with client, output.Progress() as progress:
            answer = client.ask(verb, args, progress.update)
    except KeyboardInterrupt:
        output.note("gpiomux: interrupted, but gpiomuxd goes on with it; 'gpiomux status' shows how it ends")
        raise
    output.plan(answer)
    if not answer["operations"] and output.on_terminal(sys.stdout):
        output.line("nothing to do")
    return 0
