"""What `gpiomux doctor` has found, as tables of text: one for the machine and one for each link."""

from __future__ import annotations

from gpiomux.stats.report import Table, Tone

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_TONES = {"ok": Tone.GOOD, "problem": Tone.BAD, "unknown": Tone.WAITING}
TO_DO = ". To do: "
"""Between what was seen and what is to be done about it."""


def findings_tables(findings: Sequence[dict[str, Any]]) -> tuple[Table, ...]:
    """Subject, state and cause, a line for each finding, in their order; what to do stands behind the cause."""
    return tuple(
        _table(about, [finding for finding in findings if finding["about"] == about])
        for about in dict.fromkeys(finding["about"] for finding in findings)
    )


def _table(about: str, findings: Sequence[dict[str, Any]]) -> Table:
    problems = sum(finding["state"] == "problem" for finding in findings)
    unknown = sum(finding["state"] == "unknown" for finding in findings)
    counts = [f"{problems} problem{'s' if problems != 1 else ''}"] if problems else []
    counts += [f"{unknown} unknown"] if unknown else []
    tone = Tone.BAD if problems else Tone.WAITING if unknown else Tone.GOOD
    return Table(
        title=about,
        note=", ".join(counts) or "ok",
        tone=tone,
        rows=tuple((finding["subject"], finding["state"], _text(finding)) for finding in findings),
        tones=tuple(_TONES.get(finding["state"], Tone.PLAIN) for finding in findings),
    )


def _text(finding: dict[str, Any]) -> str:
    return TO_DO.join(part for part in (finding["cause"], finding["remedy"]) if part)
