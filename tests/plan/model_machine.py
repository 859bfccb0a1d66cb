"""A machine made of a set: it has the habits of the kernel that plans must cope with, and refuses what that refuses."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError
from gpiomux.plan.observed import Foreign, Observed
from gpiomux.plan.state import Address, Interface, Key, Pmtu, Poll, Resource, Route, State, Xdp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpiomux.plan.operations import Machine
    from gpiomux.plan.scope import Scope

IPV6_MINIMUM_MTU = 1280


class ModelMachine:
    """Performs operations on a set of resources.

    Without IPv4 address an interface loses its IPv4 routes, also for the moment in which the first address of its only
    network goes. When it goes down it loses its IPv6 addresses and all routes; with an MTU below 1280 all of IPv6; when
    it leaves its network namespace, everything.
    """

    def __init__(self, *, borrowed: Iterable[str] = (), foreign: Iterable[Foreign] = ()) -> None:
        self.borrowed = frozenset(borrowed)
        self.foreign = frozenset(foreign)
        self.standing: dict[Key, Resource] = {}
        self.fail_at: int | None = None
        """The verb with this number, counted from 0, is refused."""
        self.acts = False
        """It is done all the same."""
        self.verbs = 0

    @property
    def state(self) -> State:
        return frozenset(self.standing.values())

    def observe(self) -> Observed:
        return Observed(state=self.state, borrowed=self.borrowed, foreign=self.foreign)

    def look(self, scope: Scope) -> Observed:
        return Observed(state=frozenset(filter(scope.holds, self.state)), borrowed=self.borrowed, foreign=self.foreign)

    def create(self, resource: Resource) -> None:
        with self._counted():
            if resource.key in self.standing:
                raise MachineError(f"{resource.key} exists", errno=errno.EEXIST)
            missing = [key for key in resource.requires if key not in self.standing and not self._is_borrowed(key)]
            if missing:
                raise MachineError(f"{resource.key} needs {missing}", errno=errno.ENOENT)
            if isinstance(resource, Interface) and resource.kind == "tap" and resource.mac is None:
                resource = replace(resource, mac=f"02:00:00:00:00:{sum(resource.name.encode()) % 256:02x}")
            if isinstance(resource, Address | Route):
                self._require_possible(resource)
            self.standing[resource.key] = resource

    def remove(self, resource: Resource) -> None:
        with self._counted():
            if isinstance(resource, Address | Route) and resource.key not in self.standing:
                return  # it went along with another
            if not self._stands(resource):
                raise MachineError(f"{resource.key} is not there like this", errno=errno.ENOENT)
            above = [it for it in self.standing.values() if resource.key in it.requires]
            if above:
                raise MachineError(f"{resource.key} is needed by {above}", errno=errno.EBUSY)
            if isinstance(resource, Address) and ip_interface(resource.address).version == 4:
                self._sweep_along(resource)
            del self.standing[resource.key]

    def change(self, old: Resource, new: Resource) -> None:
        with self._counted():
            assert type(old) is type(new)
            if not self._stands(old):
                raise MachineError(f"{old.key} is not there like this", errno=errno.ENOENT)
            if not isinstance(new, Interface):
                assert isinstance(new, Poll | Pmtu | Xdp)
                self.standing[new.key] = new
                return
            missing = [key for key in new.requires if key not in self.standing and not self._is_borrowed(key)]
            taken = [it for it in self.standing.values() if isinstance(it, Interface) and it.key != new.key]
            if missing or (new.netns, new.device) in {(it.netns, it.device) for it in taken}:
                raise MachineError(f"{new.key} cannot go there", errno=errno.EEXIST)
            self.standing[new.key] = new
            no_ipv6 = not new.up or new.mtu < IPV6_MINIMUM_MTU
            self._drop(
                it
                for it in self._on(new.name)
                if (isinstance(it, Route) and not new.up) or (_version(it) == 6 and no_ipv6) or it.netns != new.netns
            )

    def _stands(self, resource: Resource) -> bool:
        have = self.standing.get(resource.key)
        if isinstance(have, Interface) and isinstance(resource, Interface) and resource.mac is None:
            return replace(have, mac=None) == resource  # the hardware address was the kernel's choice
        return have == resource

    def _is_borrowed(self, key: Key) -> bool:
        return key[0] == "netns" and key[1] in self.borrowed

    @contextmanager
    def _counted(self) -> Iterator[None]:
        fails = self.fail_at == self.verbs
        self.verbs += 1
        if fails and not self.acts:
            raise _refusal()
        yield
        if fails:
            raise _refusal()

    def _require_possible(self, resource: Address | Route) -> None:
        interface = self.standing[("interface", resource.interface)]
        assert isinstance(interface, Interface)
        if resource.netns != interface.netns:
            raise MachineError(f"{resource} is in another namespace", errno=errno.ENODEV)
        if isinstance(resource, Route) and not interface.up:
            raise MachineError(f"{resource.interface} is down", errno=errno.ENETDOWN)
        if _version(resource) == 6 and (not interface.up or interface.mtu < IPV6_MINIMUM_MTU):
            raise MachineError(f"{resource.interface} has no IPv6", errno=errno.EINVAL)

    def _sweep_along(self, gone: Address) -> None:
        addresses = [it for it in self._on(gone.interface) if isinstance(it, Address) and _version(it) == 4]
        network = ip_interface(gone.address).network
        near = [it for it in addresses if ip_interface(it.address).network == network]
        if near[0] == gone and near == addresses:
            self._drop(it for it in self._on(gone.interface) if isinstance(it, Route) and _version(it) == 4)

    def _on(self, interface: str) -> list[Address | Route]:
        return [it for it in self.standing.values() if isinstance(it, Address | Route) and it.interface == interface]

    def _drop(self, resources: Iterable[Resource]) -> None:
        for resource in list(resources):
            del self.standing[resource.key]


def _refusal() -> MachineError:
    return MachineError("the model refuses", errno=errno.EIO, hint="ask it for something else")


def _version(resource: Address | Route) -> int:
    if isinstance(resource, Address):
        return ip_interface(resource.address).version
    return ip_network(resource.to).version


def without_kernel_choice(state: Iterable[Resource], wanted: Iterable[Resource]) -> State:
    """The state with hardware addresses only where they are wanted."""
    chosen = {it.name for it in wanted if isinstance(it, Interface) and it.mac is not None}
    return frozenset(
        replace(it, mac=None) if isinstance(it, Interface) and it.name not in chosen else it for it in state
    )


if TYPE_CHECKING:
    _is_a_machine: Machine = ModelMachine()
