"""Which end of one board is wired to which of the other, and what whoever does it must mind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from gpiomux.errors import UsageError
from gpiomux.wiring.ends import End, Place, ends_of, ground_on, peer_of, wired_links

if TYPE_CHECKING:
    from gpiomux.config.model import Config, Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One wire from the first board to the second."""

    first: End
    second: End


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """The wires of one link."""

    first: str
    """Name of the link on the first board."""
    second: str
    """Name of the link on the second board; empty where that is not known."""
    wires: tuple[Wire, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """All that is wired between two boards."""

    first: str
    """What the first board is called: the name of its file."""
    second: str
    """Likewise; empty where the second board is not known."""
    cables: tuple[Cable, ...]
    first_ground: Place
    second_ground: Place | None
    """None where the board is not known."""
    notes: tuple[str, ...]
    """What to mind, a sentence or two each."""


def wiring_of_one(config: Config, file: str) -> Wiring:
    """The wiring of a board to peers of which only the roles are known.

    Args:
        file: what the board is called.

    Raises:
        UsageError: no link of the configuration needs wires.
    """
    cables = tuple(
        Cable(first=link.name, second="", wires=tuple(Wire(first=end, second=peer_of(end)) for end in ends_of(link)))
        for link in _links(config, file)
    )
    first = _places(cables, first=True)
    return Wiring(
        first=file,
        second="",
        cables=cables,
        first_ground=ground_on(first),
        second_ground=None,
        notes=_notes(first, peer_known=False),
    )


def wiring_of_two(first: Config, first_file: str, second: Config, second_file: str) -> Wiring:
    """The wiring of two boards to each other.

    Links belong together whose line code is the same and whose protocol ids are, crosswise; where that leaves a choice,
    those of the same name, and then those that come first.

    Raises:
        UsageError: no link of one needs wires, none belongs to one of the other, or two that do have other roles.
    """
    rest = list(_links(second, second_file))
    cables, alone = [], []
    for link in _links(first, first_file):
        fitting = sorted((other for other in rest if _belong(link, other)), key=lambda other: other.name != link.name)
        if fitting:
            rest.remove(fitting[0])
            cables.append(_cable(link, first_file, fitting[0], second_file))
        else:
            alone.append(f"{link.name} of {first_file} has no peer in {second_file}: its lines are not shown.")
    if not cables:
        raise UsageError(
            f"no link of {first_file} has its peer in {second_file}",
            hint="peers have the same line code, and the `reader` of one is the `writer` of the other",
        )
    alone += [f"{link.name} of {second_file} has no peer in {first_file}: its lines are not shown." for link in rest]
    places = _places(cables, first=True), _places(cables, first=False)
    return Wiring(
        first=first_file,
        second=second_file,
        cables=tuple(cables),
        first_ground=ground_on(places[0]),
        second_ground=ground_on(places[1]),
        notes=(*_notes(places[0] + places[1], peer_known=True), *_polarity_notes(cables), *alone),
    )


def _links(config: Config, file: str) -> tuple[Link, ...]:
    links = wired_links(config)
    if not links:
        raise UsageError(
            f"{file}: no link runs over real lines, so there is nothing to wire",
            hint="name a configuration with `medium: gpio`",
        )
    return links


def _belong(one: Link, other: Link) -> bool:
    ours, theirs = one.transport, other.transport
    if type(ours.code) is not type(theirs.code):
        return False
    if ours.protocol is None or theirs.protocol is None:
        return True
    return (ours.protocol.reader, ours.protocol.writer) == (theirs.protocol.writer, theirs.protocol.reader)


def _cable(link: Link, file: str, other: Link, other_file: str) -> Cable:
    ends, others = ends_of(link), {(end.side, end.part, end.number): end for end in ends_of(other)}
    wires = []
    for end in ends:
        wanted = peer_of(end)
        found = others.pop((wanted.side, wanted.part, wanted.number), None)
        if found is None:
            raise _misfit(link, file, other, other_file, end)
        wires.append(Wire(first=end, second=found))
    for end in others.values():
        raise _misfit(other, other_file, link, file, end)
    return Cable(first=link.name, second=other.name, wires=tuple(wires))


def _misfit(link: Link, file: str, other: Link, other_file: str, end: End) -> UsageError:
    return UsageError(
        f"{link.name} of {file} has {end.role}, and {other.name} of {other_file} has no {peer_of(end).role}",
        hint="give `out` of one as many data lines as `in` of the other",
    )


def _places(cables: list[Cable] | tuple[Cable, ...], *, first: bool) -> tuple[Place, ...]:
    wires = chain.from_iterable(cable.wires for cable in cables)
    places = ((wire.first if first else wire.second).place for wire in wires)
    return tuple(place for place in places if place is not None)


def _notes(places: tuple[Place, ...], *, peer_known: bool) -> tuple[str, ...]:
    """What to mind at boards with these places."""
    notes = [
        "Wire with both boards switched off, and ground first: without a common ground no level means anything.",
        "Out of one board goes to in of the other; an ack runs against its data. Every arrow points at an input.",
    ]
    if any(place.pin is not None for place in places):
        notes.append(
            "3.3 V only: the lines of a Raspberry Pi bear no more. Never connect 5 V to them, nor the supply pins"
            " (1, 2, 4, 17) of two boards to each other."
        )
    if not peer_known or any(place.pin is None for place in places):
        notes.append(
            "The lines of both boards must work with the same voltage. If they do not, a level shifter is needed."
        )
    notes.append(
        "Put 220 to 470 ohms into each wire, near the output: they limit the current where a mistake makes two outputs"
        " meet. Keep wires short, below half a metre."
    )
    return tuple(notes)


def _polarity_notes(cables: list[Cable]) -> list[str]:
    wires = ((cable, wire) for cable in cables for wire in cable.wires)
    return [
        f"{cable.first} {wire.first.role} and {cable.second} {wire.second.role} differ in active_low:"
        " something between them must invert the level."
        for cable, wire in wires
        if wire.first.active_low != wire.second.active_low
    ]
