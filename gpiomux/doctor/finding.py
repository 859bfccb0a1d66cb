"""What a check has found, as frozen data, and which findings say nothing of their own."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MACHINE = "machine"
"""What a finding is about that concerns all links."""


class State(StrEnum):
    """How something is."""

    OK = "ok"
    PROBLEM = "problem"
    NOT_NEEDED = "not needed"
    UNKNOWN = "unknown"
    """It could not be asked, because of a problem that stands in another line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `gpiomux doctor`."""

    about: str
    """MACHINE, or the name of a link."""
    subject: str
    """What was looked at, the same word each time; unique for what it is about."""
    state: State
    cause: str
    """What was seen, one line."""
    remedy: str = ""
    """What to do, one line; empty where nothing is to be done."""

    def plain(self) -> dict[str, Any]:
        """As it goes over the control socket and into JSON."""
        return asdict(self)


def ok(subject: str, cause: str, *, about: str = MACHINE) -> Finding:
    """It is as it should be."""
    return Finding(about=about, subject=subject, state=State.OK, cause=cause)


def problem(subject: str, cause: str, remedy: str, *, about: str = MACHINE) -> Finding:
    """It is not, and this is what to do."""
    return Finding(about=about, subject=subject, state=State.PROBLEM, cause=cause, remedy=remedy)


def not_needed(subject: str, cause: str, *, about: str = MACHINE) -> Finding:
    """It does not matter how it is."""
    return Finding(about=about, subject=subject, state=State.NOT_NEEDED, cause=cause)


def unknown(subject: str, because_of: str, *, about: str = MACHINE) -> Finding:
    """It cannot be asked before another subject is put right."""
    cause = f"cannot be told: see {because_of}"
    return Finding(about=about, subject=subject, state=State.UNKNOWN, cause=cause)


def without_consequences(finding: Finding, before: Iterable[Finding], needs: Iterable[str]) -> Finding:
    """A finding, unless it is a problem that another explains: then it is unknown.

    Args:
        finding: of one check.
        before: what other checks have found.
        needs: subjects without which this check cannot tell. What is ok in spite of them stays ok.
    """
    if finding.state is not State.PROBLEM:
        return finding
    troubled = {other.subject for other in before if other.state in (State.PROBLEM, State.UNKNOWN)}
    for subject in needs:
        if subject in troubled:
            return replace(unknown(finding.subject, subject), about=finding.about)
    return finding
