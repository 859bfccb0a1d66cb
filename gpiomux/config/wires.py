"""Rules of simulated wires: two ends, and lines that meet their counterparts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gpiomux.config import offsets
from gpiomux.config.lines import SIM_CHIP_LINES, SIM_FIRST_INPUT, code_of, lines_of
from gpiomux.config.plain import stated_end
from gpiomux.config.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault


def wire_faults(links: list[Spot]) -> Iterator[Fault]:
    """Everything that is wrong with wires."""
    holders: dict[str, list[Spot]] = defaultdict(list)
    for link in links:
        wire, _ = stated_end(link.get("wire"))
        if wire is not None and link.sound("wire"):
            holders[wire].append(link)
    # A link that does not say soundly which wire it holds may hold any: then no end is known to be missing.
    unclear = any(link.get("wire") is None or not link.sound("wire") for link in links if link.get("medium") == "sim")
    for wire, (first, *others) in holders.items():
        if others:
            yield from _shared_wire_faults(quoted(wire), first, *others)
            yield from _fit_faults(first, others[0])
        elif not _is_external(first) and not unclear:
            expected = (
                f"name it in a second link, or write {{name: {wire}, external: true}} if another gpiomux holds it"
            )
            yield _wire_fault(first, f"the other end of wire {quoted(wire)} is missing", expected)


def _shared_wire_faults(wire: str, first: Spot, second: Spot, *more: Spot) -> Iterator[Fault]:
    """Two links hold the ends of a wire, one each, and no other does."""
    for link in more:
        message = f"both ends of wire {wire} are taken, in lines {first.line} and {second.line}"
        yield _wire_fault(link, message, "name another wire")
    for link in filter(_is_external, (first, second)):
        message = f"wire {wire} is said to be external, and both its ends are here"
        yield _wire_fault(link, message, "remove `external`, or name another wire")
    (_, end), (_, other) = stated_end(first.get("wire")), stated_end(second.get("wire"))
    if end is not None and end == other:
        message = f"end {end} of wire {wire} is taken already, in line {first.line}"
        yield _wire_fault(second, message, f"expected {'b' if end == 'a' else 'a'}, or no `end`: it takes the free one")


def _wire_fault(link: Spot, message: str, expected: str) -> Fault:
    return link.source.fault((*link.path, "wire"), message, expected)


def _code_fault(link: Spot, message: str) -> Fault:
    spot = link.below("code") or link
    return spot.fault(message, "give both ends of a wire the same code")


def _is_external(link: Spot) -> bool:
    return link.get("wire", "external") is True


def _fit_faults(first: Spot, second: Spot) -> Iterator[Fault]:
    """Each line of one end must be, at the other, the line it is wired to and in the opposite role."""
    if code_of(first) != code_of(second):
        message = f"the line code is {code_of(second)}, and {code_of(first)} at the other end, in line {first.line}"
        yield _code_fault(second, message)
        return
    here, there = lines_of(second), lines_of(first)
    if here is None or there is None:
        return
    for direction, own, other in (("out", here.out, there.into), ("in", here.into, there.out)):
        opposite = "in" if direction == "out" else "out"
        others = other.parts()
        for part, found in own.parts().items():
            wanted = tuple((offset + SIM_FIRST_INPUT) % SIM_CHIP_LINES for offset in others[part])
            if found != wanted:
                message = (
                    f"{direction}.{part} {offsets.text(found)} does not meet {opposite}.{part} "
                    f"{offsets.text(others[part])} of the other end, in line {first.line}"
                )
                expected = (
                    f"expected {offsets.text(wanted)}: line i of one end is wired to line (i+16) mod 32 of the other"
                )
                yield second.source.fault((*second.path, "lines", direction, part), message, expected)
