"""The verbs that change nothing. They look for themselves, in a thread of their own, and wait for nobody."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpiomux.apply.chips_report import report_chips
from gpiomux.apply.datapaths import Datapaths
from gpiomux.apply.xdp_report import programs_of
from gpiomux.config.edit import require_interface, require_link
from gpiomux.config.model import GpioMedium, ShmMedium, SimMedium
from gpiomux.config.plain import config_to_plain
from gpiomux.control.messages import Request
from gpiomux.daemon import state_file
from gpiomux.daemon.boottime import now_s
from gpiomux.daemon.drift import foreign_notes
from gpiomux.daemon.info import link_info
from gpiomux.daemon.looking import look, plan_to_plain, prepared_plan
from gpiomux.daemon.rates import Rates
from gpiomux.daemon.successor import require_settled, successor
from gpiomux.daemon.whereabouts import interface_to_plain, present
from gpiomux.errors import MachineError
from gpiomux.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpiomux.apply.reports import Report
    from gpiomux.config.model import Child, Config, Link
    from gpiomux.config.overlay import Edit
    from gpiomux.daemon.record import Record
    from gpiomux.plan.observed import Observed
    from gpiomux.rundir import RunDir

    Programs = Mapping[str, dict[str, Any] | None]

COUNTED = ("counters", "line", "channel", "interfaces")
"""The parts of what a datapath counts."""
MEDIA = {SimMedium: "sim", GpioMedium: "gpio", ShmMedium: "shm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What the daemon remembers of the process of a link."""

    state: str
    """`running`, `starting` (it ended, or is on its way), or `failed` (the last attempt to start it)."""
    restarts: int = 0
    last_exit: str = ""
    """How it ended last, or why it did not start; empty if it never did."""


UNATTENDED = Attempt(state="failed", last_exit="not running, and no gpiomuxd to start it")


class Reading:
    """Answers the reading verbs.

    *Threads and processes:* each call stands for itself, any number of threads at once.
    """

    def __init__(self, rundir: RunDir, *, daemon_since_s: float | None = None) -> None:
        """Read on a run directory; `daemon_since_s` is the monotonic time at which the daemon began, None for none."""
        self._rundir = rundir
        self._since_s = daemon_since_s
        self._datapaths = Datapaths(rundir)
        self._rates = Rates()

    def answer(self, request: Request, record: Record, attempts: Mapping[str, Attempt]) -> dict[str, Any]:
        """Answer a request with one of the reading verbs.

        Args:
            request: what somebody wants to know.
            record: what is applied.
            attempts: what is known of the process of each link.

        Raises:
            GpiomuxError: the text to plan is faulty, or something cannot be looked at.
        """
        links = record.config.links
        match request.verb:
            case "plan":
                require_settled(record)
                return self._plan(record.config, successor(record, request).config)
            case "diff":
                return self._diff(record.config)
            case "history":
                return {"records": self._history(record)}
            case "show":
                return {
                    "config": config_to_plain(record.config),
                    "overlay": _edits_to_plain(record.overlay),
                    "path": record.path,
                }
            case "status":
                now = self._now(record.config, links, attempts, self._datapaths.reports())
                return {"daemon": self._daemon(), "applied": self._applied(record), "links": now}
            case "stats":
                counted = self._datapaths.counted(total=request.args["total"])
                return {"links": [_stats(link, counted.get(link.name)) for link in links]}
            case "metrics":
                return {"text": self._metrics(record, attempts)}
            case "info":
                return self._info(record.config, request.args["link"], attempts)
            case "xdp show":
                return self._programs(record.config, request.args["interface"])
            case "chips":
                return report_chips(self._rundir, [link.name for link in links])
            case _:
                raise AssertionError(f"verb {request.verb} does not read")

    def _metrics(self, record: Record, attempts: Mapping[str, Attempt]) -> str:
        from gpiomux.stats.metrics import metrics_text  # late: few daemons are asked, and it takes memory

        status = self.answer(Request("status", {}), record, attempts)
        return metrics_text(status, self.answer(Request("stats", {"total": True}), record, attempts))

    def _now(
        self, applied: Config, links: Sequence[Link], attempts: Mapping[str, Attempt], reports: Mapping[str, Report]
    ) -> list[dict[str, Any]]:
        """Each of some links of a configuration as it is."""
        found = self._present(applied)
        programs = self._programs_seen(links, found)
        return [
            {
                **_status(link, attempts.get(link.name), reports.get(link.name), found, programs),
                "traffic": self._rates.traffic(link.name, reports.get(link.name)),
            }
            for link in links
        ]

    def _info(self, config: Config, name: str, attempts: Mapping[str, Attempt]) -> dict[str, Any]:
        link = require_link(config, name)
        reports = self._datapaths.reports()
        told = reports.get(name)
        counted = self._datapaths.ask_counters(name, {"do": "stats"}) if isinstance(told, dict) else None
        (now,) = self._now(config, [link], attempts, reports)
        return {**now, **link_info(self._rundir, link, told, counted)}

    def _present(self, applied: Config) -> Observed | MachineError:
        """The interfaces as they are now, or why they cannot be seen: who may not enter a namespace sees the rest."""
        try:
            return present(self._rundir, self._datapaths, applied)
        except MachineError as err:
            return err

    def _programs_seen(self, links: Sequence[Link], found: Observed | MachineError) -> Programs:
        """The XDP program of each interface; none where the interfaces cannot be seen."""
        if isinstance(found, MachineError):
            return {}
        try:
            return programs_of(self._rundir, links, found)
        except MachineError:
            return {}

    def _plan(self, applied: Config, wanted: Config) -> dict[str, Any]:
        observed = look(self._rundir, self._datapaths, applied, wanted)
        return plan_to_plain(prepared_plan(wanted, observed, self._rundir))

    def _diff(self, applied: Config) -> dict[str, Any]:
        observed = look(self._rundir, self._datapaths, applied, applied)
        drift = plan_to_plain(prepared_plan(applied, observed, self._rundir))
        return {**drift, "notes": [*drift["notes"], *foreign_notes(observed)]}

    def _programs(self, config: Config, interface: str) -> dict[str, Any]:
        if interface:
            require_interface(config, interface)
        observed = present(self._rundir, self._datapaths, config)
        programs, counted = programs_of(self._rundir, config.links, observed), self._datapaths.counted(total=True)
        found = []
        for link in config.links:
            told = counted.get(link.name)
            of_link = told["interfaces"] if isinstance(told, dict) else {}
            for name, netdev in link.netdevs.items():
                kept = of_link.get(name, {}).get("rx_xdp")
                about = {"interface": name, "link": link.name, "netns": netdev.netns, "rx_xdp": kept}
                found.append({**about, "xdp": programs[name]})
        return {"interfaces": [it for it in found if interface in ("", it["interface"])]}

    def _history(self, record: Record) -> list[dict[str, Any]]:
        records = [record, *state_file.history(self._rundir, record.serial)]
        return [
            {"back": back, **_origin(it), "links": [link.name for link in it.config.links]}
            for back, it in enumerate(records)
            if it.serial
        ]

    def _applied(self, record: Record) -> dict[str, Any]:
        pending = record.pending
        return {
            **_origin(record),
            "overlay": _edits_to_plain(record.overlay),
            "pending": None if pending is None else {"remaining_s": max(0.0, pending.deadline_s - now_s())},
            "half_done": state_file.begun(self._rundir) is not None,
        }

    def _daemon(self) -> dict[str, Any] | None:
        if self._since_s is None:
            return None
        return {"pid": os.getpid(), "version": VERSION, "uptime_s": time.monotonic() - self._since_s}


def _status(
    link: Link, attempt: Attempt | None, told: Report, found: Observed | MachineError, programs: Programs
) -> dict[str, Any]:
    medium = link.transport.medium
    report, now = _known(attempt, told)
    return {
        "name": link.name,
        "mode": link.transport.mode.value,
        "medium": MEDIA[type(medium)],
        "wire": medium.wire if isinstance(medium, SimMedium) else None,
        "netns": link.netdev.netns,
        "up": link.netdev.up,
        "mtu": link.netdev.mtu,
        "addresses": list(link.netdev.addresses),
        "interface": interface_to_plain(link.name, link.netdev, found, told),
        "xdp": programs.get(link.name),
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
        "children": [{**_child(child, told, found), "xdp": programs.get(child.name)} for child in link.children],
        "line": report.get("line", {}),
        "channel": report.get("channel", {}),
    }


def _child(child: Child, told: Report, found: Observed | MachineError) -> dict[str, Any]:
    return {
        "name": child.name,
        "marks": list(child.marks),
        "netns": child.netdev.netns,
        "up": child.netdev.up,
        "mtu": child.netdev.mtu,
        "addresses": list(child.netdev.addresses),
        "interface": interface_to_plain(child.name, child.netdev, found, told),
    }


def _known(attempt: Attempt | None, told: Report) -> tuple[dict[str, Any], Attempt]:
    """What a datapath tells, empty if it does not; and the attempt to run it as it is at this moment."""
    known = attempt or Attempt(state="running")
    if isinstance(told, MachineError):
        return {}, replace(known, state="failed", last_exit=told.message)
    if told is not None:
        return told, replace(known, state="running")
    if attempt is None:
        return {}, UNATTENDED
    # It has ended, and the daemon has not noticed yet.
    return {}, replace(attempt, state="starting") if attempt.state == "running" else attempt


def _stats(link: Link, told: Report) -> dict[str, Any]:
    """What a datapath has counted; if it does not tell, why not."""
    counted = told if isinstance(told, dict) else {}
    match told:
        case MachineError():
            error = told.message
        case None:
            error = f"datapath of {link.name} is not running"
        case _:
            error = ""
    return {"name": link.name, "error": error, **{part: counted.get(part, {}) for part in COUNTED}}


def _origin(record: Record) -> dict[str, Any]:
    """When and how a record was applied."""
    words = ("cause", "file", "path", "applied_at_s", "applied_by")
    return {word: getattr(record, word) for word in words}


def _edits_to_plain(edits: tuple[Edit, ...]) -> list[dict[str, Any]]:
    return [{"verb": it.verb, "args": dict(it.args)} for it in edits]
