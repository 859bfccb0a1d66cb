"""The verb generate: packets out through a link or a child, at a rate that the clock keeps."""

from __future__ import annotations

import time

from gpiomux.cli import ask, output
from gpiomux.cli.edit import parse_mark
from gpiomux.cli.interruption import until_interrupted
from gpiomux.errors import GpiomuxError

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    from gpiomux.cli.output import Progress
    from gpiomux.control.client import Client

RATE_PPS = 100
COUNT = 100
NOTHING_SENT = 1
"""Exit status."""
_MOST_LATE_S = 1.0
"""Who was stopped for longer does not make up for it."""
_PAUSE_S = 0.1
"""The longest sleep until the next packet is due, so that the bar moves."""


def generate(
    kind: str,
    interface: str,
    rate: int | None,
    count: int | None,
    size: int | None,
    mark: str | None,
    to: str | None,
    source: str | None,
    json: bool,
) -> int:
    """Send packets, until so many were sent, or Ctrl-C.

    Raises:
        GpiomuxError: there is no such interface, or these packets cannot be sent through it.
    """
    wanted = {
        "interface": interface,
        "kind": kind,
        "size": size or 0,
        "mark": 0 if mark is None else parse_mark(mark),
        "to": to or "",
        "source": source or "",
        "rate_pps": rate or RATE_PPS,
    }
    with ask.keeper("generate") as asked, output.Progress() as progress:
        run = _Run(asked, wanted, count or COUNT, progress)
        try:
            with until_interrupted():
                run.run()
        except GpiomuxError:
            if run.packets:
                _tell(run, json=json)
            raise
    _tell(run, json=json)
    return 0 if run.packets else NOTHING_SENT


def _tell(run: _Run, *, json: bool) -> None:
    """Say what was sent, however it ended."""
    if json:
        output.as_json(run.plain())
    else:
        output.line(run.summary())


class _Run:
    """Packets on their way.

    Attributes:
        packets: those that the interface has taken.
    """

    def __init__(self, asked: Client, wanted: dict[str, Any], count: int, progress: Progress) -> None:
        self._asked = asked
        self._wanted = wanted
        self._count = count
        self._progress = progress
        self.packets = self._bytes = self._refused = 0
        self._first_s = self._last_s = 0.0
        """When the first and the last packet went."""

    def run(self) -> None:
        """Ask for one turn after the other; packet number n is due n / rate after the first."""
        rate_pps = self._wanted["rate_pps"]
        begun_s = time.monotonic()
        while (done := self.packets + self._refused) < self._count:
            late_s = time.monotonic() - (begun_s + done / rate_pps)
            if late_s < 0:
                time.sleep(min(-late_s, _PAUSE_S))
                continue
            if late_s > _MOST_LATE_S:
                begun_s += late_s - _MOST_LATE_S
                late_s = _MOST_LATE_S
            turn = {"first": done, "count": self._count - done, "late_us": int(late_s * 1e6)}
            answer = self._asked.ask("generate", {**self._wanted, **turn})
            if answer["packets"]:
                self._first_s, self._last_s = self._first_s or answer["first_s"], answer["last_s"]
            self.packets += answer["packets"]
            self._bytes += answer["bytes"]
            self._refused += answer["refused"]
            self._progress.bar(self.packets + self._refused, self._count, f"{self._rate_pps():.0f} packets/s")

    def _rate_pps(self) -> float:
        """What was reached from the first packet to the last."""
        took_s = self._last_s - self._first_s
        return (self.packets - 1) / took_s if took_s > 0 else 0.0

    def summary(self) -> str:
        """One line."""
        refused = f", {self._refused} refused (the queue of the interface was full)" if self._refused else ""
        return (
            f"{self._wanted['interface']}: {self.packets} packets sent, {self._bytes} bytes, "
            f"{self._rate_pps():.1f} packets/s{refused}"
        )

    def plain(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "interface": self._wanted["interface"],
            "kind": self._wanted["kind"],
            "sent": self.packets,
            "bytes": self._bytes,
            "refused": self._refused,
            "time_s": round(self._last_s - self._first_s, 6),
            "rate_pps": round(self._rate_pps(), 3),
        }
