"""The verbs that change nothing. They look for themselves, in a thread of their own, and wait for nobody."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpiomux.apply.chips_report import report_chips
from gpiomux.apply.datapaths import Datapaths
from gpiomux.config.model import GpioMedium, ShmMedium, SimMedium
from gpiomux.config.plain import config_to_plain
from gpiomux.daemon.manager import edited, look, plan_to_plain, prepared_plan
from gpiomux.errors import GpiomuxError, UnsupportedError
from gpiomux.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.config.model import Config, Link
    from gpiomux.control.messages import Request
    from gpiomux.rundir import RunDir

ANSWER_S = 3.0
"""A datapath that does not answer a reader within this time is shown as such."""

MEDIA = {SimMedium: "sim", GpioMedium: "gpio", ShmMedium: "shm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the daemon remembers of the process of a link."""

    state: str
    """`running`, `starting` (it ended, or is on its way), or `failed` (the last attempt to start it)."""
    restarts: int = 0
    last_exit: str = ""
    """How it ended last, or why it did not start; empty if it never did."""


UNATTENDED = Record(state="failed", last_exit="not running, and no gpiomuxd to start it")


class Reading:
    """Answers `plan`, `show`, `status`, `stats` and `chips`.

    *Threads and processes:* each call stands for itself, any number of threads at once.
    """

    def __init__(self, rundir: RunDir, *, daemon_since_s: float | None = None) -> None:
        """Read on a run directory; `daemon_since_s` is the monotonic time at which the daemon began, None for none."""
        self._rundir = rundir
        self._since_s = daemon_since_s
        self._datapaths = Datapaths(rundir, answer_s=ANSWER_S)

    def answer(self, request: Request, applied: Config, records: Mapping[str, Record]) -> dict[str, Any]:
        """Answer a request with one of the reading verbs.

        Raises:
            GpiomuxError: the text to plan is faulty, or something cannot be looked at.
        """
        match request.verb:
            case "plan":
                wanted = edited(applied, request)
                observed = look(self._rundir, self._datapaths, applied, wanted)
                return plan_to_plain(prepared_plan(wanted, observed, self._rundir))
            case "show":
                return {"config": config_to_plain(applied)}
            case "status":
                links = [self._status(link, records.get(link.name)) for link in applied.links]
                return {"daemon": self._daemon(), "links": links}
            case "stats":
                return {"links": [self._stats(link) for link in applied.links]}
            case "chips":
                return report_chips(self._rundir, [link.name for link in applied.links])
            case _:
                raise UnsupportedError(f"this gpiomuxd cannot {request.verb} yet")

    def _daemon(self) -> dict[str, Any] | None:
        if self._since_s is None:
            return None
        return {"pid": os.getpid(), "version": VERSION, "uptime_s": time.monotonic() - self._since_s}

    def _status(self, link: Link, record: Record | None) -> dict[str, Any]:
        medium = link.transport.medium
        report, now = self._report(link.name, record)
        return {
            "name": link.name,
            "mode": link.transport.mode.value,
            "medium": MEDIA[type(medium)],
            "wire": medium.wire if isinstance(medium, SimMedium) else None,
            "netns": link.netdev.netns,
            "up": link.netdev.up,
            "mtu": link.netdev.mtu,
            "addresses": list(link.netdev.addresses),
            "carrier": report.get("carrier", False),
            "reason": report.get("reason", ""),
            "peer": report.get("peer"),
            "epoch": report.get("epoch"),
            "marks": {"method": report.get("marks_method", ""), "limits": report.get("marks_limits", "")},
            "datapath": {
                "pid": report.get("pid"),
                "state": now.state,
                "restarts": now.restarts,
                "uptime_s": report.get("uptime_s", 0.0),
                "last_exit": now.last_exit,
            },
            "children": [
                {"name": child.name, "netns": child.netdev.netns, "marks": list(child.marks)} for child in link.children
            ],
            "line": report.get("line", {}),
        }

    def _report(self, link: str, record: Record | None) -> tuple[dict[str, Any], Record]:
        """What a datapath tells, empty if it does not; and its record as it is at this moment."""
        known = record or Record(state="running")
        try:
            report = self._datapaths.report(link)
        except GpiomuxError as err:
            return {}, replace(known, state="failed", last_exit=err.message)
        if report is not None:
            return report, replace(known, state="running")
        if record is None:
            return {}, UNATTENDED
        # It has ended, and the daemon has not noticed yet.
        return {}, replace(record, state="starting") if record.state == "running" else record

    def _stats(self, link: Link) -> dict[str, Any]:
        report = self._datapaths.report(link.name) or {}
        return {
            "name": link.name,
            "counters": report.get("counters", {}),
            "line": report.get("line", {}),
            "interfaces": report.get("interfaces", {}),
        }
