"""The verb debug: what a running link carries, packet by packet or frame by frame, in the log or on the terminal."""

from __future__ import annotations

import sys
import time

from gpiomux.cli import ask, output
from gpiomux.cli.interruption import until_interrupted
from gpiomux.cli.recording import Recording
from gpiomux.errors import UsageError
from gpiomux.wire.trace import LEVELS, Trace

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from gpiomux.control.client import Client


def debug(link: str, level: str | None, follow: bool) -> int:
    """Switch the debug output of a link, say how it is, or with `follow` show it here until Ctrl-C.

    Raises:
        UsageError: there is no such level, or nothing to follow.
        GpiomuxError: there is no such link, or it does not run.
    """
    if level is not None and level not in LEVELS:
        raise UsageError(f"there is no debug level {level!r}", hint=f"levels are {', '.join(LEVELS)}")
    kinds = LEVELS[level or "on"]
    if follow and not kinds:
        raise UsageError("--follow shows nothing at level off", hint="say 'packets' or 'frames'")
    with ask.keeper("debug") as asked:
        if follow:
            with until_interrupted():
                _follow(asked, link, kinds)
            return 0
        now = asked.ask("debug", {"link": link, "level": level or ""})["level"]
    if now in ("off", ""):
        output.line(f"{link}: debug output is off")
    else:
        output.line(f"{link}: debug output '{now}' goes into the log of gpiomuxd, until it is switched off")
        output.note("gpiomux: note: it is a setting of the running process; a restart of the link switches it off")
    return 0


def _follow(asked: Client, link: str, kinds: tuple[str, ...]) -> None:
    recording = Recording(asked, link, kinds)
    transport = recording.transport
    trace = Trace(mode=transport["mode"], datagram=transport.get("delivery") == "datagram")
    for turn in recording.turns():
        if turn.lost is None:
            output.note("gpiomux: note: the recording had ended, and begins anew")
        elif turn.lost:
            output.note(f"gpiomux: note: {turn.lost} records lost")
        for time_ns, kind, *fields in turn.records:
            output.line(f"{_time(time_ns)} {trace.text(kind, *fields)}")
        sys.stdout.flush()


def _time(time_ns: int) -> str:
    """Of the day, here."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest_ns // 1000:06d}"
