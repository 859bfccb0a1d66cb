"""The verbs that change what runs: children, marks, PMTUs, polling, XDP; and with --persist the file it came from."""

from __future__ import annotations

import os
import sys

from gpiomux.cli import ask, change, output
from gpiomux.errors import UsageError

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

MARK_MAX = 2**32 - 1
BUILT_IN_PROGRAMS = ("pass", "drop")
"""As `gpiomux.config.xdp` has them."""


def add_child(link: str, child: str, persist: bool) -> int:
    """Give a link a child.

    Raises:
        GpiomuxError: there are no links, the daemon could not do it, or the file could not be written.
    """
    return _edit("add-child", {"link": link, "child": child}, persist)


def del_child(child: str, persist: bool) -> int:
    """Remove a child.

    Raises:
        GpiomuxError: as `add_child`.
    """
    return _edit("del-child", {"child": child}, persist)


def add_mark(child: str, mark: str, persist: bool) -> int:
    """Bind a mark to a child.

    Raises:
        UsageError: the text is no mark.
        GpiomuxError: as `add_child`.
    """
    return _edit("add-mark", {"child": child, "mark": parse_mark(mark)}, persist)


def del_mark(child: str, mark: str, persist: bool) -> int:
    """Give a mark of a child back to the parent.

    Raises:
        UsageError: the text is no mark.
        GpiomuxError: as `add_child`.
    """
    return _edit("del-mark", {"child": child, "mark": parse_mark(mark)}, persist)


def set_pmtu(link: str, mark: str, bytes: int, persist: bool) -> int:
    """Limit the IP packets of a mark.

    Raises:
        UsageError: the text is no mark.
        GpiomuxError: as `add_child`.
    """
    return _edit("set-pmtu", {"link": link, "mark": parse_mark(mark), "bytes": bytes}, persist)


def del_pmtu(link: str, mark: str, persist: bool) -> int:
    """Limit the IP packets of a mark no longer.

    Raises:
        UsageError: the text is no mark.
        GpiomuxError: as `add_child`.
    """
    return _edit("del-pmtu", {"link": link, "mark": parse_mark(mark)}, persist)


def set_poll(link: str, mode: str, idle: int | None, budget: int | None, persist: bool) -> int:
    """Choose how a link waits.

    Args:
        link: its name.
        mode: `auto`, `irq` or `busy`.
        idle: microseconds.
        budget: words.
        persist: write it into the file as well.

    Raises:
        GpiomuxError: as `add_child`.
    """
    return _edit("set-poll", {"link": link, "mode": mode, "idle_us": idle or 0, "budget": budget or 0}, persist)


def attach_xdp(interface: str, object: str, program: str | None, mode: str | None, persist: bool) -> int:
    """Let a program see each packet that arrives on an interface.

    Args:
        interface: a link or a child.
        object: `pass`, `drop`, or a file.
        program: of those in the file.
        mode: `native` or `generic`.
        persist: write it into the file as well.

    Raises:
        GpiomuxError: as `add_child`.
    """
    path = object if object in BUILT_IN_PROGRAMS else os.path.abspath(object)
    args = {"interface": interface, "program": path, "name": program or "", "mode": mode or ""}
    return _edit("xdp attach", args, persist)


def detach_xdp(interface: str, persist: bool) -> int:
    """Take our program off an interface.

    Raises:
        GpiomuxError: as `add_child`.
    """
    return _edit("xdp detach", {"interface": interface}, persist)


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
            f"{text!r} is not a netfilter mark",
            hint=f"give a number from 1 to {MARK_MAX}, decimal or hexadecimal such as 0x7",
        )
    return mark


def _edit(verb: str, args: dict[str, Any], persist: bool) -> int:
    if persist:
        from gpiomux.cli import rewrite  # late: to read and write YAML costs more than all the rest

        return rewrite.edit_and_persist(verb, args)
    output.changes(change.perform(ask.keeper(verb), verb, args), sys.stdout)
    return 0
