"""What was found on a machine, as frozen data: ours, and what others have in the places that we look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpiomux.plan.state import Key, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """An interface, address or route that does not carry our tag, or an XDP program that is not recorded as ours."""

    netns: str | None
    key: Key
    """As one of ours would have it."""
    words: str = field(default="", compare=False)
    """What it is, where the key does not say enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One look at the machine."""

    state: State = frozenset()
    """What is ours. An interface of ours shows the hardware address it has, chosen by us or by the kernel."""
    broken: frozenset[Key] = frozenset()
    """Keys of what stands in `state` but serves no more, and must be made anew if it is wanted."""
    foreign: frozenset[Foreign] = frozenset()
    """What is not ours, but could be in the way; without the interfaces that every namespace has by itself."""
    borrowed: frozenset[str] = frozenset()
    """Named network namespaces that exist and are not ours: they are used where wanted, never removed."""
    rooted: frozenset[str] = frozenset()
    """Names of interfaces whose marks are carried in a way that ends when they leave their network namespace."""
    held: frozenset[str] = frozenset()
    """Names of interfaces that datapaths have in their hands: one that is nowhere in `state` is where nobody can look,
    in a network namespace without a name."""
    silent: frozenset[str] = frozenset()
    """Links whose datapath runs and does not answer: what it runs is not in `state`."""
