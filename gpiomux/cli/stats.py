"""The verb `stats`: what was counted, once, again and again, or for the last time before a reset."""

from __future__ import annotations

import time

from gpiomux.cli import ask, output
from gpiomux.cli.show import NO_LINKS, of_link
from gpiomux.control import client
from gpiomux.errors import GpiomuxError, UsageError
from gpiomux.rundir import RunDir

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

INTERVAL_S = 1
"""Between two answers of `--watch`."""


def stats(link: str | None, json: bool, watch: bool, interval: int | None, reset: bool) -> int:
    """Print what was counted since the last reset, of one link or of all.

    Raises:
        UsageError: there is no such link, or the options do not go together.
        DaemonError: neither a daemon nor the machine could be asked; with `watch`: it has ended.
        MachineError: with `reset`, the datapath of a link does not run or does not answer.
    """
    if watch and reset:
        raise UsageError("stats: --watch and --reset do not go together", hint="--watch alone shows rates")
    if interval is not None and not watch:
        raise UsageError("stats: --interval is for --watch only", hint="add --watch, or leave it out")
    if watch:
        _watch(link, json, interval or INTERVAL_S)
    elif reset:
        _reset(link, json)
    else:
        _print(of_link(ask.read("stats"), link), json)
    return 0


def _print(answer: dict[str, Any], json: bool) -> None:
    if json:
        output.as_json(answer)
    elif not answer["links"]:
        output.line(NO_LINKS)
    else:
        from gpiomux.stats.counted import stats_tables

        output.tables(stats_tables(answer))


def _reset(link: str | None, json: bool) -> None:
    """Reset one link after the other, and print what each had counted, also if a later one fails: nobody else can."""
    with ask.keeper("stats --reset") as keeper:
        names = [each["name"] for each in of_link(keeper.ask("stats"), link)["links"]]
        counted: list[dict[str, Any]] = []
        try:
            for name in names:
                counted.append(keeper.ask("reset-stats", {"link": name}))
        except GpiomuxError:
            if counted:
                _print({"links": counted}, json)
            raise
    _print({"links": counted}, json)


def _watch(link: str | None, json: bool, interval_s: int) -> None:
    """Print what was counted each time, until the user, the reader or the daemon has enough."""
    from gpiomux.cli.redrawn import Redrawn, pause
    from gpiomux.stats import counted

    shown = Redrawn()
    before: dict[str, Any] | None = None
    before_s = 0.0
    for told in _answers():
        now, now_s = of_link(told, link), time.monotonic()
        if not now["links"]:
            output.line(NO_LINKS)
            return
        growth = None if before is None else counted.rates(before, now, now_s - before_s)
        if json:
            output.as_json_line(now if growth is None else {**now, "rates": growth["links"]})
        else:
            shown.show(counted.stats_tables(now, growth))
        before, before_s = now, now_s
        pause(interval_s)


def _answers() -> Iterator[dict[str, Any]]:
    """An answer whenever one is wanted: from the daemon as long as it runs, or without one from one process."""
    daemon = ask.running()
    if daemon is None:
        with client.one_shot(RunDir.from_environment()) as asked:
            while True:
                yield asked.ask("stats")
    yield from (answer for (answer,) in ask.again(daemon, ("stats", {})))
