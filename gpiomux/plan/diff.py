"""From what is wanted and what was found to the steps between them. Pure.

Removals come first, from the highest floor down, then changes in place, then creations from the lowest floor up, the
latter two in the order of the configuration. What stands on something that goes, or is made anew, goes too, and is
made anew if it is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from gpiomux.errors import ConflictError
from gpiomux.plan.compare import fitted
from gpiomux.plan.operations import Change, Create, Operation, Remove
from gpiomux.plan.state import (
    FLOORS,
    Address,
    Chip,
    Datapath,
    Held,
    Interface,
    Key,
    Netns,
    Pmtu,
    Poll,
    Resource,
    Route,
    Xdp,
)
from gpiomux.plan.words import resource_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpiomux.plan.observed import Foreign, Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be done, in order."""

    operations: tuple[Operation, ...]
    notes: tuple[str, ...] = ()
    """What is left undone on purpose, one line each."""
    kept: tuple[Resource, ...] = ()
    """What stands, and shall stand as it is when all is done."""

    def of_datapath(self, link: str) -> Plan:
        """The part that concerns the process of one link: its chip, itself, and what it holds."""
        return Plan(
            operations=tuple(
                operation
                for operation in self.operations
                if isinstance(operation.resource, Chip | Datapath | Held) and operation.resource.link == link
            ),
            kept=self.kept,
        )


def make_plan(wanted: Sequence[Resource], observed: Observed) -> Plan:
    """Find the steps that lead from what was found to what is wanted; none if nothing is to be done.

    Args:
        wanted: each key once, in the order in which resources of one floor shall be made.
        observed: the machine; what is ours on it and not wanted is removed.

    Raises:
        ConflictError: names every object that is in the way and not ours.
    """
    kept, removed = _compare({resource.key: resource for resource in wanted}, observed)
    _refuse_conflicts(wanted, kept, observed.foreign)
    present = {*kept, *(Netns(name=name).key for name in observed.borrowed)}
    missing = sorted((resource for resource in wanted if resource.key not in present), key=_floor)
    aims = sorted((resource for resource in wanted if resource.key in kept), key=_floor)
    changes = [Change(*kept[resource.key]) for resource in aims if kept[resource.key][0] != kept[resource.key][1]]
    doomed, notes = _spare_occupied(removed, observed.foreign)
    lost = sorted(observed.held - {it.name for it in observed.state if isinstance(it, Interface)})
    notes += tuple(f"interface {name} is in a network namespace without a name: it stays there" for name in lost)
    return Plan(
        operations=(*map(Remove, reversed(doomed)), *changes, *map(Create, missing)),
        notes=notes,
        kept=tuple(have for have, aim in kept.values() if have == aim),
    )


def _compare(
    wanted: dict[Key, Resource], observed: Observed
) -> tuple[dict[Key, tuple[Resource, Resource]], list[Resource]]:
    """Sort what was found into what stays, as pairs (as it is, as it shall be), and what goes, floors upward."""
    kept: dict[Key, tuple[Resource, Resource]] = {}
    removed: list[Resource] = []
    footing = {Netns(name=name).key for name in observed.borrowed}
    bared: set[Key] = set()
    for floor in FLOORS:
        if floor is Route:
            bared = _bared((have for have, _ in kept.values()), removed, wanted.values())
        found = sorted((resource for resource in observed.state if isinstance(resource, floor)), key=_by_key)
        # Of two interfaces of one name the one that is where it shall be stays.
        found.sort(key=lambda have: have.key in wanted and _place(have) != _place(wanted[have.key]))
        for have in found:
            want = wanted.get(have.key)
            aim = None if want is None else _in_place(have, want)
            stands = footing.issuperset(have.requires) and have.key not in observed.broken
            if isinstance(have, Interface) and isinstance(aim, Interface):
                stands = stands and have.key not in kept and _can_move(have, aim, found, footing, observed)
            swept = isinstance(have, Route) and _is_ipv4(have) and not bared.isdisjoint(have.requires)
            if aim is None or not stands or swept:
                removed.append(have)
            else:
                kept[have.key] = (have, aim)
        footing.update(kept)
    return kept, removed


def _in_place(have: Resource, want: Resource) -> Resource | None:
    """What `have` becomes without being made anew, or None if it must be."""
    aim = fitted(want, have)
    if isinstance(have, Chip) and isinstance(aim, Chip):
        have = replace(have, owner=aim.owner, group=aim.group, mode=aim.mode)
    elif isinstance(have, Interface) and isinstance(aim, Interface):
        have = replace(have, netns=aim.netns, renamed=aim.renamed, mtu=aim.mtu, mac=aim.mac, up=aim.up, rps=aim.rps)
    elif isinstance(have, Xdp) and isinstance(aim, Xdp):
        have = replace(have, program=aim.program, name=aim.name, stale=aim.stale)
    elif isinstance(have, Poll) and isinstance(aim, Poll):
        have = replace(have, mode=aim.mode, idle_us=aim.idle_us, budget=aim.budget)
    elif isinstance(have, Pmtu) and isinstance(aim, Pmtu):
        have = replace(have, limit_bytes=aim.limit_bytes)
    return aim if have == aim else None


def _place(resource: Resource) -> tuple[str | None, str] | None:
    """Where an interface is, and by which name; None for what is no interface."""
    return (resource.netns, resource.device) if isinstance(resource, Interface) else None


def _netns(resource: Resource) -> str | None:
    return resource.netns if isinstance(resource, Interface) else None


def _can_move(
    have: Interface, aim: Interface, found: Iterable[Resource], footing: set[Key], observed: Observed
) -> bool:
    """Whether an interface can be brought to its place as it is, or is there.

    The place must stand before the plan begins, and be free of other interfaces of ours.
    """
    if _place(have) == _place(aim):
        return True
    return (
        footing.issuperset(aim.requires)
        and not any(other.key != have.key and _place(other) == _place(aim) for other in found)
        and (have.netns == aim.netns or have.name not in observed.rooted)
    )


def _bared(kept: Iterable[Resource], removed: Iterable[Resource], wanted: Iterable[Resource]) -> set[Key]:
    """Interfaces that may be without an IPv4 address for a moment, while the plan is performed or undone.

    With the last IPv4 address the kernel takes the IPv4 routes of an interface away (fib_inetaddr_event in
    net/ipv4/fib_frontend.c), and with the first of a network also the others of it (`promote_secondaries`).
    """
    standing = {it.key: it for it in kept if isinstance(it, Address) and _is_ipv4(it)}
    gone = [it for it in removed if isinstance(it, Address) and _is_ipv4(it)]
    new = [it for it in wanted if isinstance(it, Address) and _is_ipv4(it) and it.key not in standing]
    touched = {it.requires[0] for it in (*gone, *new)}
    unsteady = {(it.requires[0], ip_interface(it.address).network) for it in gone}
    for it in standing.values():
        if (it.requires[0], ip_interface(it.address).network) not in unsteady:
            touched.discard(it.requires[0])
    return touched


def _is_ipv4(resource: Address | Route) -> bool:
    return ":" not in (resource.address if isinstance(resource, Address) else resource.to)


def _refuse_conflicts(
    wanted: Iterable[Resource], kept: dict[Key, tuple[Resource, Resource]], foreign: frozenset[Foreign]
) -> None:
    """Raise a ConflictError if anything is not ours where something is to be made, or to be moved to."""
    standing = {key for key, (have, aim) in kept.items() if _place(have) == _place(aim)}
    steady = {key for key, (have, aim) in kept.items() if _netns(have) == _netns(aim)}
    theirs = {(it.netns, it.key): it for it in foreign}
    conflicts = [
        theirs[resource.netns, resource.key].words or _whereabouts(resource)
        for resource in wanted
        if isinstance(resource, Interface | Xdp | Address | Route)
        and resource.key not in standing
        and (resource.netns, resource.key) in theirs
        # What others put on an interface of ours goes away if the interface is made anew, or leaves its namespace.
        and (isinstance(resource, Interface) or steady.issuperset(resource.requires))
    ]
    if conflicts:
        raise ConflictError(
            "; ".join(f"{conflict} exists and is not ours" for conflict in conflicts),
            hint="choose another name or address, or remove what is in the way with ip(8)",
        )


def _whereabouts(resource: Interface | Xdp | Address | Route) -> str:
    place = "" if resource.netns is None else f" in netns {resource.netns}"
    if isinstance(resource, Interface):
        return f"interface {resource.name}{place}"
    return resource_words(resource) + place


def _spare_occupied(removed: list[Resource], foreign: frozenset[Foreign]) -> tuple[list[Resource], tuple[str, ...]]:
    """Take namespaces that hold interfaces of others out of what is removed, and say so."""
    spared: list[Resource] = []
    notes = []
    for resource in removed:
        if isinstance(resource, Netns):
            guests = sorted(it.key[1] for it in foreign if it.netns == resource.name and it.key[0] == "interface")
            if guests:
                spared.append(resource)
                notes.append(
                    f"network namespace {resource.name} stays: it holds {', '.join(guests)}, not made by gpiomux"
                )
    return [resource for resource in removed if resource not in spared], tuple(notes)


def _floor(resource: Resource) -> int:
    return FLOORS.index(type(resource))


def _by_key(resource: Resource) -> tuple[str, ...]:
    """Sorts by key, numbers by value."""
    return tuple(part.zfill(10) if part.isdigit() else part for part in resource.key)
