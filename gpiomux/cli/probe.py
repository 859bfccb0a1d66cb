"""The verb probe: round trips, loss and wrong bits of a link, without an IP address."""

from __future__ import annotations

import sys
import time

from gpiomux.cli import ask, output
from gpiomux.cli.interruption import until_interrupted
from gpiomux.errors import GpiomuxError
from gpiomux.stats.probes import Probes

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.cli.output import Progress
    from gpiomux.control.client import Client

COUNT = 10
INTERVAL_MS = 1000
SIZE_BYTES = 64
PAUSE_S = 0.02
"""Between two looks for replies."""
PATIENCE_S = 5.0
"""How long a reply to the last probe is waited for; after one, those to earlier probes do not come any more."""
STUCK_S = 1.0
"""How long the next probe is held back for one that could not go out yet, because the line is busy."""
NO_REPLY = 1
"""Exit status, as of ping."""


def probe(link: str, count: int | None, interval: int | None, size: int | None, json: bool) -> int:
    """Send probes and print what becomes of them, until so many were sent, or Ctrl-C.

    Raises:
        GpiomuxError: there is no such link, it does not run, or it cannot be probed.
    """
    probes, begun_s = Probes(link, size or SIZE_BYTES), time.monotonic()
    lines = not json and not output.on_terminal(sys.stdout)
    with ask.keeper("probe") as asked, output.Progress() as progress:
        run = _Run(asked, link, probes, progress, lines=lines)
        try:
            with until_interrupted():
                run.run(count or COUNT, (interval or INTERVAL_MS) / 1000, size or SIZE_BYTES)
        except GpiomuxError:
            if probes.sent:
                _tell(probes, begun_s, json=json)
            raise
    _tell(probes, begun_s, json=json)
    return 0 if probes.round_trips_ns else NO_REPLY


def _tell(probes: Probes, begun_s: float, *, json: bool) -> None:
    """Say what is known by now, however it ended."""
    took_s = time.monotonic() - begun_s
    if json:
        output.as_json(probes.plain(took_s))
    else:
        for line in probes.summary(took_s):
            output.line(line)
    if explanation := probes.explanation():
        output.note(f"gpiomux: note: {explanation}")


class _Run:
    """Probes on their way."""

    def __init__(self, asked: Client, link: str, probes: Probes, progress: Progress, *, lines: bool) -> None:
        self._asked = asked
        self._link = link
        self._probes = probes
        self._progress = progress
        self._lines = lines

    def run(self, count: int, interval_s: float, size_bytes: int) -> None:
        """Send and wait; the clock keeps the interval, however long an answer takes."""
        due_s = time.monotonic()
        for number in range(1, count + 1):
            self._turn(size_bytes, count)
            due_s = max(due_s + interval_s, time.monotonic())
            if number < count:
                self._wait(due_s, count, lambda: True)
                self._wait(due_s + STUCK_S, count, lambda: self._probes.waiting)
        self._wait(time.monotonic() + PATIENCE_S, count, lambda: self._probes.open)

    def _wait(self, until_s: float, count: int, goes_on: Callable[[], bool]) -> None:
        """Look for replies until then, or until there is nothing to wait for any more."""
        while (left_s := until_s - time.monotonic()) > 0 and goes_on():
            time.sleep(min(PAUSE_S, left_s))
            if self._probes.open:
                self._turn(0, count)

    def _turn(self, size_bytes: int, count: int) -> None:
        args = {"link": self._link, "size": size_bytes, "after": self._probes.after}
        for reply in self._probes.take(self._asked.ask("probe", args)):
            if self._lines:
                output.line(self._probes.line(reply))
                sys.stdout.flush()
        answered = len(self._probes.round_trips_ns)
        self._progress.bar(self._probes.sent, count, f"{answered} answered")
