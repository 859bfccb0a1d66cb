"""What is applied and what was, as text: for `status` and `history`."""

from __future__ import annotations

import time

from gpiomux.stats.report import Table, duration

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from gpiomux.stats.report import Answer

CAUSES = {"apply": "applied", "rollback": "rolled back", "revert": "taken back", "down": "taken down"}
"""By which verb a configuration came, and how that is said."""


def applied_lines(status: Answer) -> str:
    """Say which configuration runs, since when and by whom, what was changed since, and whether it will stay."""
    applied = status["applied"]
    who = f"by {applied['applied_by']} {_time(applied['applied_at_s'])}"
    lines = [f"{_source(applied)}, {CAUSES.get(applied['cause'], applied['cause'])} {who}"]
    if applied["overlay"]:
        edits = [_edit(edit) for edit in applied["overlay"]]
        lines.append(f"changed since: {'; '.join(edits)}")
    if applied["pending"] is not None:
        left = duration(applied["pending"]["remaining_s"])
        lines.append(f"taken back in {left}, unless 'gpiomux confirm' comes before")
    if applied["half_done"]:
        lines.append("a change was not ended; 'gpiomux status --diff' shows what is left of it")
    return "\n".join(lines)


def history_table(history: Answer) -> Table:
    """One row for each configuration, newest first; the number is the one that `rollback` takes."""
    return Table(
        title="applied since boot",
        columns=("back", "when", "who", "how", "file", "links"),
        rows=tuple(
            (
                str(record["back"]),
                _time(record["applied_at_s"]),
                record["applied_by"],
                CAUSES.get(record["cause"], record["cause"]),
                _source(record),
                ", ".join(record["links"]) or "none",
            )
            for record in history["records"]
        ),
    )


def _edit(edit: Answer) -> str:
    """One change; what was left out is empty or 0."""
    return " ".join([edit["verb"], *(str(value) for value in edit["args"].values() if value not in ("", 0))])


def _source(record: Answer) -> str:
    return str(record["path"] or record["file"] or "no file")


def _time(seconds: float) -> str:
    """A time of the machine's clock, in its time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
