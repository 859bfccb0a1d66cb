"""Which line of one end should hear which of the other, and what is wrong with what was heard instead. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gpiomux.config.model import Bundle
from gpiomux.doctor.finding import Finding, ok, problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from gpiomux.config.model import Lines

REQ, ACK = 8, 9
"""Numbers of the lines that an end drives beside its data lines, which have theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One line of an end: its role in the link, and where it is."""

    role: str
    """As in the file: `out.data0`, `in.req`."""
    drives: bool
    """This end drives it, the far end hears it."""
    number: int
    """Of the far end's line that it should hear, or of itself if this end drives it."""
    offset: int
    """On its chip."""
    place: str
    """For people: chip, offset and name."""

    @property
    def words(self) -> str:
        """The line as messages name it."""
        return f"{self.role} ({self.place})"


class Heard(NamedTuple):
    """A line that was heard somewhere."""

    number: int
    offset: int
    here: bool = False
    """It was moved by the very end that has heard it."""

    @property
    def words(self) -> str:
        """The line as messages name it."""
        return (
            f"{number_words(self.number)} (line {self.offset}) of {'this end itself' if self.here else 'the far end'}"
        )


class Rest(NamedTuple):
    """How a line stood while nobody was heard on it."""

    low: bool
    high: bool
    """It was seen so at least once."""


def number_words(number: int) -> str:
    """A line by its number in a call."""
    return {REQ: "out.req", ACK: "in.ack"}.get(number, f"out.data{number}")


def wires_of(lines: Lines, places: Sequence[tuple[int, str]]) -> tuple[Wire, ...]:
    """The lines of an end, its inputs, then its outputs, as `Lines.inputs` and `Lines.outputs` have them.

    Args:
        lines: of a link with the line code handshake.
        places: offset on its chip and words for each line of the link's own chip.
    """
    out, into = lines.out, lines.into
    assert isinstance(out, Bundle)
    assert isinstance(into, Bundle)
    inputs = [(f"in.data{bit}", bit, offset) for bit, offset in enumerate(into.data)]
    inputs += [("in.req", REQ, into.req), ("out.ack", ACK, out.ack)]
    outputs = [(f"out.data{bit}", bit, offset) for bit, offset in enumerate(out.data)]
    outputs += [("out.req", REQ, out.req), ("in.ack", ACK, into.ack)]
    return tuple(
        Wire(role=role, drives=drives, number=number, offset=places[own][0], place=places[own][1])
        for drives, roles in ((False, inputs), (True, outputs))
        for role, number, own in roles
    )


def judge(
    about: str, wires: Sequence[Wire], heard: Sequence[AbstractSet[Heard]], rests: Sequence[Rest]
) -> list[Finding]:
    """What is to be said of each line of one end that hears, and of each that should not.

    Args:
        about: the link.
        wires: its lines.
        heard: by line, all that was heard on it.
        rests: by line, how it stood.
    """
    silent = not any(heard)
    return [
        _judge_input(about, wire, found, rest, silent) if not wire.drives else _judge_output(about, wire, found)
        for wire, found, rest in zip(wires, heard, rests, strict=True)
        if not wire.drives or found
    ]


def _judge_input(about: str, wire: Wire, heard: AbstractSet[Heard], rest: Rest, silent: bool) -> Finding:
    wanted = number_words(wire.number)
    subject = wire.words
    right = [found for found in heard if not found.here and found.number == wire.number]
    others = sorted(set(heard) - set(right))
    if right and not others:
        return ok(subject, f"hears {right[0].words}", about=about)
    if right:
        cause = f"hears {right[0].words}, and also {_listed(others)}: these wires touch"
        return problem(subject, cause, "look for a short between them", about=about)
    if others:
        cause = f"hears {_listed(others)} instead of {wanted}"
        return problem(subject, cause, f"wire it to {wanted} of the far end", about=about)
    if rest.high and not rest.low:
        cause = f"is high all the time, and never hears {wanted}"
        return problem(subject, cause, "look for a short to the supply, or for a cut wire under a pull-up", about=about)
    if rest.high:
        cause = f"moves, and never as {wanted} does"
        return problem(subject, cause, "see `active_low` at both ends; look for a line that floats", about=about)
    remedy = "look for a cut wire, or for a short to ground"
    if silent:
        remedy = "run the same there at the same time; then look at the ground wire, and at the cable"
    cause = "nothing is heard from the far end" if silent else f"never hears {wanted}"
    return problem(subject, cause, remedy, about=about)


def _judge_output(about: str, wire: Wire, heard: AbstractSet[Heard]) -> Finding:
    cause = f"is an output, and hears {_listed(sorted(heard))}"
    if all(found.here for found in heard):
        return problem(wire.words, f"{cause}: they touch", "look for a short between them", about=about)
    return problem(wire.words, cause, f"wire it to the input of the far end that hears {wire.role}", about=about)


def _listed(heard: Sequence[Heard]) -> str:
    return ", ".join(found.words for found in heard)
