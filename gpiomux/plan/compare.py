"""What was found held against what was to be there, field by field. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from gpiomux.plan.operations import Change, Operation, Remove
from gpiomux.plan.state import Chip, Interface, Netns, Resource
from gpiomux.plan.words import resource_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpiomux.plan.observed import Observed
    from gpiomux.plan.scope import Scope
    from gpiomux.plan.state import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of one resource that is not as it was to be."""

    resource: Resource
    """As wanted, or as found if it was to go."""
    field: str
    """`presence` if the resource as a whole is missing, is still there, or serves no more."""
    want: str
    have: str

    def describe(self) -> str:
        """One line for a user, for example `mtu of interface geth0 (tun), mtu 1400: wanted 1400, found 1500`."""
        return f"{self.field} of {resource_words(self.resource)}: wanted {self.want}, found {self.have}"


def fitted(want: Resource, have: Resource) -> Resource:
    """`want`, with what it leaves to the system as it was found."""
    if isinstance(want, Chip) and isinstance(have, Chip):
        return replace(
            want,
            owner=have.owner if _is_account(want.owner, have.owner_id) else want.owner,
            group=have.group if _is_account(want.group, have.group_id) else want.group,
            mode=have.mode if want.mode is None else want.mode,
            owner_id=have.owner_id,
            group_id=have.group_id,
        )
    if isinstance(want, Interface) and isinstance(have, Interface) and want.mac is None:
        return replace(want, mac=have.mac)
    return want


def _is_account(wanted: str | None, found: int | None) -> bool:
    """Whether no account is wanted, or that of this number."""
    return wanted is None or (wanted.isdecimal() and int(wanted) == found)


def differences(
    operations: Iterable[Operation], kept: Iterable[Resource], observed: Observed, scope: Scope
) -> tuple[Difference, ...]:
    """What is not as operations were to leave it.

    Args:
        operations: those that were performed, in order.
        kept: what they were to leave alone.
        observed: a look at the places in `scope`.
        scope: what is elsewhere is not compared.
    """
    standing = {resource.key: resource for resource in observed.state}
    standing |= {netns.key: netns for netns in map(_netns, observed.borrowed)}
    wanted: dict[Key, Resource] = {resource.key: resource for resource in kept}
    staying = frozenset(wanted)
    gone: dict[Key, Resource] = {}
    for operation in operations:
        resource = operation.resource
        if isinstance(operation, Remove) and resource.key in staying:
            continue  # a second one of that name: the first stays
        if isinstance(operation, Remove):
            wanted.pop(resource.key, None)
            gone[resource.key] = resource
        else:
            gone.pop(resource.key, None)
            wanted[resource.key] = resource
    found = []
    for resource in filter(scope.holds, wanted.values()):
        found += _differences_of(resource, standing.get(resource.key), broken=resource.key in observed.broken)
    found += [_presence(resource, "no", "yes") for resource in gone.values() if resource.key in standing]
    return tuple(found)


def has_happened(operation: Operation, observed: Observed) -> bool:
    """Whether the machine is as an operation leaves it, although the machine said that it had failed."""
    standing = {resource.key: resource for resource in observed.state}
    have = standing.get(operation.resource.key)
    if isinstance(operation, Change):
        return have is not None and have == fitted(operation.new, have)
    return (have is None) is isinstance(operation, Remove)


def _differences_of(want: Resource, have: Resource | None, *, broken: bool) -> list[Difference]:
    if have is None:
        return [_presence(want, "yes", "no")]
    if broken:
        return [_presence(want, "yes", "one that serves no more")]
    aim = fitted(want, have)
    return [
        Difference(resource=want, field=it.name, want=str(getattr(aim, it.name)), have=str(getattr(have, it.name)))
        for it in fields(want)
        if it.compare and getattr(aim, it.name) != getattr(have, it.name)
    ]


def _presence(resource: Resource, want: str, have: str) -> Difference:
    return Difference(resource=resource, field="presence", want=want, have=have)


def _netns(name: str) -> Netns:
    return Netns(name=name)
