"""The wiring check: moves the lines of a link that is down, and sees at the other end what moves with them.

With both ends on this machine one process moves each line in turn and looks. With the other end on another machine
both run the same verb: each calls on one of its lines after the other (calls.py) and listens on all of them.
"""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.aggregator import sources
from gpiomux.aggregator.inventory import read_chips
from gpiomux.config.gathered import gathered
from gpiomux.config.model import Faults, GpioMedium, GpioskCode, Lines, SimMedium
from gpiomux.doctor.calls import UNIT_S, Call, Listener, levels
from gpiomux.doctor.wires import Heard, Rest, judge, wires_of
from gpiomux.errors import ConflictError, UnsupportedError, UsageError
from gpiomux.lines.faults import set_faults
from gpiomux.lines.toggles import RealToggles, SimulatedToggles
from gpiomux.lines.wire_file import make_wire, open_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gpiomux.config.model import Config, Link
    from gpiomux.doctor.finding import Finding
    from gpiomux.doctor.wires import Wire
    from gpiomux.lines.toggles import Toggles

SETTLE_S = 0.02
"""How long a level may take to reach the other end."""
SAMPLE_S = UNIT_S / 8
LAST_ROUNDS = 2
"""Of calls, after both ends have heard all, so that the far end hears that as well."""
LONGEST_PAUSE_UNITS = 20
"""Between two calls, drawn by lot, so that calls which meet do not meet again."""


@dataclass(slots=True, kw_only=True)
class End:
    """One end of a link, its lines held, and what was heard on them."""

    link: str
    wires: tuple[Wire, ...]
    toggles: Toggles
    heard: list[set[Heard]]
    """By line."""
    seen_low: int = 0
    seen_high: int = 0
    """Lines that were seen so at least once, by bit."""

    def look(self) -> int:
        """The levels of all lines, noted."""
        now = self.toggles.get()
        self.seen_high |= now
        self.seen_low |= ~now
        return now

    @property
    def complete(self) -> bool:
        """Every line that should hear something has heard it."""
        return all(
            any(found.number == wire.number and not found.here for found in heard)
            for wire, heard in zip(self.wires, self.heard, strict=True)
            if not wire.drives
        )

    def judgement(self) -> list[Finding]:
        """What is to be said of its lines."""
        rests = [
            Rest(low=bool(self.seen_low >> bit & 1), high=bool(self.seen_high >> bit & 1))
            for bit in range(len(self.wires))
        ]
        return judge(self.link, self.wires, self.heard, rests)


def check_wiring(config: Config, names: Sequence[str], seconds: float, tell: Callable[[str], None]) -> list[Finding]:
    """Find out what is wired to what.

    Args:
        config: has the links.
        names: of the link, and of the one at its other end if that is on this machine; for simulated lines it is found.
        seconds: how long the other end is waited for, if it is elsewhere.
        tell: is called with what the user should know meanwhile.

    Raises:
        UsageError: there is no such link.
        UnsupportedError: these lines cannot be moved, or must not be.
        ConflictError: somebody has them.
        MachineError: the kernel refuses.
    """
    links = [_link(config, name) for name in names]
    for link in links:
        _require_movable(link)
    if isinstance(links[0].transport.medium, SimMedium):
        with _simulated(_both_ends(config, links)) as ends:
            return _in_turn(ends)
    with ExitStack() as closing:
        ends = [closing.enter_context(_real(link)) for link in links]
        if len(ends) > 1:
            return _in_turn(ends)
        tell(f"moving the lines of {names[0]} for {seconds:g} s at most: run the same at the other end now")
        return _listen(ends[0], seconds)


def _link(config: Config, name: str) -> Link:
    for link in config.links:
        if link.name == name:
            return link
    there = ", ".join(link.name for link in config.links) or "none"
    raise UsageError(f"there is no link {name} in the file", hint=f"links there: {there}")


def _require_movable(link: Link) -> None:
    transport = link.transport
    if isinstance(transport.code, GpioskCode):
        raise UnsupportedError(
            f"link {link.name} has the code gpiosk: one edge that belongs to no frame wedges the gpiosk board for good",
            hint="unload gpiosk there, and check the wires with a meter",
        )
    if transport.lines is None:
        raise UnsupportedError(
            f"link {link.name} has no lines: its medium is shm", hint="gpiomux doctor FILE looks at its channels"
        )
    if transport.lines.device is not None:
        raise UnsupportedError(
            f"the lines of link {link.name} are those of the device {transport.lines.device}, and bound by apply only",
            hint="name them by `from` for the check",
        )


def _both_ends(config: Config, links: list[Link]) -> list[Link]:
    """The two links of a simulated wire, the one that was named first."""
    wire = _sim(links[0]).wire
    ends = [link for link in config.links if _is_on(link, wire)]
    ends.sort(key=lambda link: link is not links[0])
    if len(ends) < 2:
        raise UnsupportedError(
            f"the other end of simulated wire {wire} is not in the file",
            hint="add the link of its other end to the file",
        )
    if len(links) > 1 and links[1] not in ends:
        raise UsageError(f"{links[1].name} is not the other end of wire {wire}", hint=f"name {ends[1].name}")
    return ends


def _is_on(link: Link, wire: str) -> bool:
    return isinstance(link.transport.medium, SimMedium) and link.transport.medium.wire == wire


def _sim(link: Link) -> SimMedium:
    assert isinstance(link.transport.medium, SimMedium)
    return link.transport.medium


def _lines(link: Link) -> Lines:
    assert link.transport.lines is not None
    return link.transport.lines


@contextmanager
def _simulated(links: Sequence[Link]) -> Iterator[list[End]]:
    """Both ends of a wire of its own, with those faults of the configured one that a cable can have."""
    with tempfile.TemporaryDirectory(prefix="gpiomux-doctor-") as directory, ExitStack() as closing:
        wire = Path(directory, "wire")
        make_wire(wire)
        ends = []
        for link in links:
            medium, lines = _sim(link), _lines(link)
            faults = Faults(stuck=medium.faults.stuck, cut=medium.faults.cut)
            set_faults(wire, medium.end, faults, lines.into)
            toggles = SimulatedToggles(open_wire(wire, medium.end), medium.end, lines)
            closing.callback(toggles.close)
            places = [(offset, f"line {offset}") for offset in range(1 + max(*lines.inputs, *lines.outputs))]
            ends.append(_end(link, wires_of(lines, places), toggles))
        yield ends


@contextmanager
def _real(link: Link) -> Iterator[End]:
    """One end, its lines requested on the chips that they come from."""
    lines = _lines(link)
    if not isinstance(link.transport.medium, GpioMedium):
        raise UsageError(f"link {link.name} has no real lines", hint="name two links of `medium: gpio`")
    found, faults = sources.find(gathered(link.name, lines), read_chips(Path("/dev")))
    if faults:
        raise UnsupportedError(f"link {link.name}: {'; '.join(faults)}", hint="`gpiomux chips` shows what there is")
    places = [(place.line.offset, _words(place)) for place in found]
    wires = wires_of(lines, places)
    own = [found[offset] for offset in (*lines.inputs, *lines.outputs)]
    if occupied := sources.busy(own, frozenset()):
        hint = f"take down the link that has them (gpiomux down {link.name}), or end what uses them"
        raise ConflictError(f"link {link.name}: {'; '.join(occupied)}", hint=hint)
    low = frozenset(bit for bit, offset in enumerate((*lines.inputs, *lines.outputs)) if offset in lines.active_low)
    toggles = RealToggles([(place.chip.node, place.line.offset) for place in own], lines, low)
    try:
        yield _end(link, wires, toggles)
    finally:
        toggles.close()


def _words(place: sources.Place) -> str:
    name = f", {place.line.name}" if place.line.name else ""
    return f"line {place.line.offset} of {place.chip.label}{name}"


def _end(link: Link, wires: tuple[Wire, ...], toggles: Toggles) -> End:
    return End(link=link.name, wires=wires, toggles=toggles, heard=[set() for _ in wires])


def _in_turn(ends: Sequence[End]) -> list[Finding]:
    """Move each line that an end drives, and see what moves with it at either end."""
    for mover in ends:
        for moved, wire in enumerate(mover.wires):
            if wire.drives:
                before, during, after = _moved(mover, moved, ends)
                for end, low, high, again in zip(ends, before, during, after, strict=True):
                    followers = high & ~low & ~again
                    for bit, heard in enumerate(end.heard):
                        if followers >> bit & 1 and not (end is mover and bit == moved):
                            heard.add(Heard(wire.number, wire.offset, end is mover))
    return [finding for end in ends for finding in end.judgement()]


def _moved(mover: End, bit: int, ends: Sequence[End]) -> tuple[list[int], list[int], list[int]]:
    """The levels at all ends while a line is low, high, and low again."""
    seen = []
    for level in (0, 1, 0):
        mover.toggles.drive(bit, level)
        time.sleep(SETTLE_S)
        seen.append([end.look() for end in ends])
    mover.toggles.rest(bit)
    before, during, after = seen
    return before, during, after


def _listen(end: End, seconds: float) -> list[Finding]:
    """Call on each line in turn, hear what the far end calls, until both have heard all or the time is over."""
    give_up_s = time.monotonic() + seconds
    ear = Ear(end=end, caller=random.randrange(32), listeners=[Listener() for _ in end.wires])
    driven = [bit for bit, wire in enumerate(end.wires) if wire.drives]
    calls_left = LAST_ROUNDS * len(driven)
    for bit in cycle(driven):
        wire = end.wires[bit]
        call = Call(ear.caller, end.complete, wire.number, wire.offset)
        for level, units in levels(call):
            end.toggles.drive(bit, level)
            ear.hear(units, bit, call)
        end.toggles.rest(bit)
        ear.hear(random.randrange(LONGEST_PAUSE_UNITS))
        calls_left -= end.complete and ear.far_is_complete
        if calls_left <= 0 or time.monotonic() > give_up_s:
            break
    return end.judgement()


@dataclass(slots=True, kw_only=True)
class Ear:
    """What an end hears while it calls."""

    end: End
    caller: int
    listeners: list[Listener]
    """One for each line."""
    far_is_complete: bool = False
    """The far end has said that it has heard all."""

    def hear(self, units: int, moved: int | None = None, own: Call | None = None) -> None:
        """Listen for some time on all lines but the one that we move, with the call `own` on it."""
        until_s = time.monotonic() + units * UNIT_S
        while (now_s := time.monotonic()) < until_s:
            now = self.end.look()
            for bit, listener in enumerate(self.listeners):
                call = listener.hear(now >> bit & 1, now_s)
                if call is not None and bit != moved:
                    self.far_is_complete |= call.complete and call != own
                    self.end.heard[bit].add(Heard(call.line, call.offset, call == own))
            time.sleep(SAMPLE_S)
