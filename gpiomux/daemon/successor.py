"""Which record a request makes of the applied one. Pure, but for the clock that the caller reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpiomux.config import edit
from gpiomux.config.model import Config
from gpiomux.config.overlay import edited, lost
from gpiomux.control.messages import EDIT_VERBS
from gpiomux.daemon.record import Record
from gpiomux.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpiomux.control.messages import Request

LONGEST_CONFIRM_S = 24 * 60 * 60
"""The most that `apply --confirm` takes."""


def successor(record: Record, request: Request) -> Record:
    """The record after `plan`, `apply`, `down` or an edit; it has no time and no user yet.

    Raises:
        ConfigError: of `plan` and `apply`: every fault of the text.
        ConflictError: a file would lose what was changed at run time.
        UsageError: what the others name is not there, or is there already.
    """
    args = request.args
    if request.verb in EDIT_VERBS:
        return replace(record, config=edited(record.config, request.verb, args))
    if request.verb == "down":
        return _without(record, tuple(args["links"]), everything=args["all"])
    return _from_file(record, args)


def earlier(record: Record, history: Sequence[Record], steps: int) -> Record:
    """The record that a rollback leads to.

    Args:
        record: the applied one.
        history: those before it, newest first.
        steps: how many to go back.

    Raises:
        UsageError: there are not so many.
    """
    if record.pending is not None and steps == 1:
        return before(record, history)
    if not 1 <= steps <= len(history):
        known = f"there are {len(history)}" if history else "there is none"
        raise UsageError(f"no configuration {steps} before the running one is known: {known}", hint="gpiomux history")
    return _next(record, history[steps - 1], "rollback")


def before(record: Record, history: Sequence[Record]) -> Record:
    """The record that a configuration which nobody confirmed falls back to: without a history, one without links."""
    return _next(record, history[0] if history else Record(), "revert")


def require_settled(record: Record) -> None:
    """Make sure that no configuration waits for its confirmation.

    Raises:
        ConflictError: one does.
    """
    if record.pending is not None:
        raise ConflictError(
            "the running configuration waits to be confirmed",
            hint="keep it with 'gpiomux confirm', or take it back with 'gpiomux rollback'",
        )


def require_confirm_time(confirm_s: int) -> None:
    """Make sure that a time to wait for a confirmation makes sense; 0 is none.

    Raises:
        UsageError: it is negative, or longer than a day.
    """
    if not 0 <= confirm_s <= LONGEST_CONFIRM_S:
        raise UsageError(f"{confirm_s} s is no time to confirm within", hint=f"use 1 to {LONGEST_CONFIRM_S} s")


def _from_file(record: Record, args: Mapping[str, Any]) -> Record:
    from gpiomux.config.load import load_text  # late: a daemon that takes over needs no YAML and no schema

    wanted = load_text(args["text"], args["file"], args["path"])
    if not args["reset_overlay"] and (edits := lost(record.base, record.config, wanted)):
        raise ConflictError(
            f"{args['file']} would undo what was changed at run time: {'; '.join(map(str, edits))}",
            hint="write it into the file (--persist does), or drop it with --reset-overlay",
        )
    # To apply again what runs is no new configuration to go back from, unless it could be taken back.
    again = wanted == record.base == record.config and not args.get("confirm_s")
    return Record(
        serial=record.serial + (not again),
        base=wanted,
        config=wanted,
        cause="apply",
        file=args["file"],
        path=args["path"],
    )


def _without(record: Record, links: tuple[str, ...], *, everything: bool) -> Record:
    if links and everything:
        raise UsageError("down takes names of links or --all, not both", hint="leave one of them out")
    if not links:
        # To take down what is down is no new configuration either: a rollback leads to what ran before both.
        serial = record.serial + (record.config != Config())
        return replace(record, serial=serial, base=Config(), config=Config(), cause="down", pending=None)
    return replace(
        record,
        serial=record.serial + 1,
        base=edit.without_links(record.base, links),
        config=edit.without_links(record.config, links),
        cause="down",
    )


def _next(record: Record, old: Record, cause: str) -> Record:
    return replace(old, serial=record.serial + 1, cause=cause, pending=None)
