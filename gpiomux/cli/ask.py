"""Where a verb gets its answer: from the running daemon, from one started for it, or from a one-shot of it.

A *one-shot* is gpiomuxd answering one client on an inherited socket: it reads the machine, takes no lock and changes
nothing, so that the verbs which read work without a daemon and leave none behind.
"""

from __future__ import annotations

import os
import sys

from gpiomux.control import client
from gpiomux.errors import DaemonError, UsageError
from gpiomux.rundir import RunDir, control_socket

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpiomux.control.client import Client

STANDARD_INPUT = "-"


def read_text(file: str) -> tuple[str, str]:
    """Read a configuration file; return its text and the name that messages shall give it.

    Raises:
        UsageError: it cannot be read.
        ConfigError: it is too large, or not UTF-8.
    """
    from gpiomux.config import text

    most = text.LIMIT_BYTES + 1  # enough to see that it is too large, and not all of /dev/zero
    try:
        if file == STANDARD_INPUT:
            data, name = sys.stdin.buffer.read(most), "<stdin>"
        else:
            with open(file, "rb") as opened:
                data, name = opened.read(most), file
    except OSError as err:
        raise UsageError(f"{file}: {err.strerror}", hint="name a readable configuration file, or -") from err
    return text.decode(data, name), name


def path_of(file: str) -> str:
    """Where a configuration file is, for whoever wants to write to it later; empty for what is no file, as a pipe."""
    return os.path.abspath(file) if file != STANDARD_INPUT and os.path.isfile(file) else ""


def running() -> Client | None:
    """Connect to the daemon; None if there is none.

    Raises:
        DaemonError: there is one, but not for this user.
    """
    try:
        return client.connect_to(control_socket())
    except DaemonError as error:
        if isinstance(error.__cause__, (FileNotFoundError, ConnectionRefusedError)):
            return None
        raise


def started() -> Client:
    """Start a daemon and connect to it.

    Raises:
        GpiomuxError: it did not start, and why.
    """
    rundir = RunDir.from_environment()
    client.start_daemon(rundir)
    return client.connect(rundir)


def keeper(verb: str) -> Client:
    """Connect to the daemon that keeps the links running; start one if links are there and no daemon is.

    Raises:
        DaemonError: there are no links for `verb` to work on.
        GpiomuxError: no daemon can be reached.
    """
    found = running()
    if found is not None:
        return found
    if not links_exist():
        raise DaemonError(
            f"{verb}: gpiomuxd is not running, and there are no links",
            hint="start links with 'gpiomux apply FILE' first",
        )
    return started()


def read(verb: str, args: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask with a verb that reads: the daemon, or a one-shot where none runs.

    Raises:
        GpiomuxError: what the daemon said, or that it could not be asked.
    """
    with running() or client.one_shot(RunDir.from_environment()) as asked:
        return asked.ask(verb, args)


def again(daemon: Client, *requests: tuple[str, Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The answers to some requests, asked anew whenever the next are wanted, as long as the daemon runs.

    A connection of its own for each time: the daemon sends away who asks nothing for long.

    Raises:
        DaemonError: it has ended; whoever only looks starts no other.
    """
    while True:
        with daemon:
            told = [daemon.ask(verb, args) for verb, args in requests]
        yield told
        daemon = client.connect(RunDir.from_environment())


def links_exist() -> bool:
    """Tell whether links of ours, or what a killed daemon has left of them, are on this machine without a daemon.

    Raises:
        DaemonError: the machine could not be looked at.
    """
    with client.one_shot(RunDir.from_environment()) as asked:
        status = asked.ask("status")
    return bool(status["links"] or status["applied"]["half_done"])
