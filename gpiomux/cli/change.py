"""The verbs that change what is applied: apply, confirm, rollback, restart, down. Each returns its exit status.

The daemon performs everything. A request that it has is finished, whatever becomes of us.
"""

from __future__ import annotations

import sys

from gpiomux.cli import ask, output

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    from gpiomux.control.client import Client


def apply(file: str, confirm: int | None, reset_overlay: bool) -> int:
    """Make the running links those of the file; start a daemon if there is none.

    Args:
        file: the configuration.
        confirm: seconds until all is taken back unless somebody confirms it; None for never. The token with which to
            confirm is all that standard output gets then, so that a script can take it.
        reset_overlay: drop what was changed at run time and does not stand in the file.

    Raises:
        GpiomuxError: the file is not usable, or the daemon could not do it.
    """
    text, name = ask.read_text(file)
    client = ask.running()
    if client is None:
        from gpiomux.config import load

        load.load_text(text, name, ask.path_of(file))  # so that a file which cannot be applied starts no daemon
        client = ask.started()
    args = {"text": text, "file": name, "path": ask.path_of(file)}
    answer = perform(client, "apply", {**args, "confirm_s": confirm or 0, "reset_overlay": reset_overlay})
    if not confirm:
        output.changes(answer, sys.stdout)
        return 0
    output.changes(answer, sys.stderr)
    output.line(answer["token"])
    output.note(f"gpiomux: taken back in {confirm} s, unless 'gpiomux confirm' comes before")
    return 0


def confirm(token: str | None) -> int:
    """Keep the configuration that `apply --confirm` has applied.

    Raises:
        GpiomuxError: none waits, or it is another one.
    """
    perform(ask.running() or ask.started(), "confirm", {"token": token or ""})
    output.line("confirmed")
    return 0


def rollback(n: int | None) -> int:
    """Apply what was applied before, `n` configurations back.

    Raises:
        GpiomuxError: there is none, or the daemon could not do it.
    """
    return _print(perform(ask.running() or ask.started(), "rollback", {"steps": n or 1}))


def restart(link: str) -> int:
    """Start the process of a link anew.

    Raises:
        GpiomuxError: no such link, or the daemon could not do it.
    """
    return _print(perform(ask.keeper("restart"), "restart", {"link": link}))


def down(links: list[str], all: bool) -> int:
    """Take links down, all of them if none is named; with `all`, whatever of ours is on this machine.

    Raises:
        GpiomuxError: no such link, or the daemon could not do it.
    """
    client = ask.running()
    if client is None:
        if not all and not ask.links_exist():
            output.line("no links are running")
            return 0
        client = ask.started()
    return _print(perform(client, "down", {"links": links, "all": all}))


def perform(client: Client, verb: str, args: dict[str, Any]) -> dict[str, Any]:
    """Have the daemon change something, and show on a terminal how far it is; the connection is closed then.

    Raises:
        GpiomuxError: the daemon could not do it.
    """
    try:
        with client, output.Progress() as progress:
            return client.ask(verb, args, progress.update)
    except KeyboardInterrupt:
        output.note("gpiomux: interrupted, but gpiomuxd goes on with it; 'gpiomux status' shows how it ends")
        raise


def _print(answer: dict[str, Any]) -> int:
    output.changes(answer, sys.stdout)
    return 0
