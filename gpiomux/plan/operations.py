"""One step of a plan: it describes itself, performs itself on a machine, and names the step that undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gpiomux.plan.words import change_words, resource_words

if TYPE_CHECKING:
    from gpiomux.plan.observed import Observed
    from gpiomux.plan.scope import Scope
    from gpiomux.plan.state import Resource


class Machine(Protocol):
    """What a plan is performed on: the real one is `gpiomux.apply.machine`, tests have a model of it.

    Each verb that changes something is done wholly or not at all. If it raises, the machine is as before; whether it
    really is, only another look can tell, because a kernel may do something and then say that it failed.
    """

    def look(self, scope: Scope) -> Observed:
        """What stands in some places.

        Raises:
            GpiomuxError: something there cannot be looked at.
        """

    def create(self, resource: Resource) -> None:
        """Make the resource; what it requires stands.

        Raises:
            GpiomuxError: the machine refused; nothing was made.
        """

    def remove(self, resource: Resource) -> None:
        """Take the resource away; one that went by itself counts as taken away.

        Raises:
            GpiomuxError: the machine refused; the resource stands.
        """

    def change(self, old: Resource, new: Resource) -> None:
        """Turn a resource into another of the same key while it stands.

        Raises:
            GpiomuxError: the machine refused; the resource is as before.
        """


@dataclass(frozen=True, slots=True)
class Create:
    """Make a resource."""

    resource: Resource

    @property
    def sign(self) -> str:
        """Stands first in a description."""
        return "+"

    def describe(self) -> str:
        """One line for a user, for example `+ address 10.10.0.1/24 on geth0`."""
        return f"{self.sign} {resource_words(self.resource)}"

    def inverse(self) -> Operation:
        """The step that undoes this one."""
        return Remove(self.resource)

    def perform(self, machine: Machine) -> None:
        """Do it.

        Raises:
            GpiomuxError: the machine refused.
        """
        machine.create(self.resource)


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a resource away."""

    resource: Resource

    @property
    def sign(self) -> str:
        """Stands first in a description."""
        return "-"

    def describe(self) -> str:
        """One line for a user, for example `- address 10.10.0.1/24 on geth0`."""
        return f"{self.sign} {resource_words(self.resource)}"

    def inverse(self) -> Operation:
        """The step that undoes this one."""
        return Create(self.resource)

    def perform(self, machine: Machine) -> None:
        """Do it.

        Raises:
            GpiomuxError: the machine refused.
        """
        machine.remove(self.resource)


@dataclass(frozen=True, slots=True)
class Change:
    """Turn a resource into another of the same key while it stands."""

    old: Resource
    new: Resource

    @property
    def resource(self) -> Resource:
        """The resource as it will be."""
        return self.new

    @property
    def sign(self) -> str:
        """Stands first in a description."""
        return "~"

    def describe(self) -> str:
        """One line for a user, for example `~ interface geth0 (tun): mtu 1500 -> 1400`."""
        return f"{self.sign} {change_words(self.old, self.new)}"

    def inverse(self) -> Operation:
        """The step that undoes this one."""
        return Change(self.new, self.old)

    def perform(self, machine: Machine) -> None:
        """Do it.

        Raises:
            GpiomuxError: the machine refused.
        """
        machine.change(self.old, self.new)


Operation = Create | Remove | Change
