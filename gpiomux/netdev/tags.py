"""How an object in the kernel is recognised as ours. What carries no tag of ours is never touched.

Interfaces bear an alias that names their link and, of a child, itself: so they are known wherever they are moved, and
whatever they are renamed. Namespaces bear one on their `lo`, addresses and routes protocol number 103 (IFA_PROTO,
rtm_protocol); the kernel gives it no meaning, and iproute2's lists leave it free.

An alias also says whose it is where several daemons share a network namespace: the run directory stands behind an `@`
unless it is the usual one. To each of them what the others have made is not ours.
"""

from __future__ import annotations

PROTOCOL = 103
"""IFA_PROTO of our addresses and rtm_protocol of our routes."""

_PREFIX = "gpiomux:"

_NETNS = "netns"


def tag(link: str, owner: str = "", *, name: str | None = None) -> str:
    """The ifalias of an interface.

    Args:
        link: which it serves.
        owner: `RunDir.owner`.
        name: of the interface, if it is not that of its link.
    """
    whose = link if name in (None, link) else f"{link}/{name}"
    return f"{_PREFIX}{whose}@{owner}" if owner else _PREFIX + whose


def netns_tag(owner: str = "") -> str:
    """The alias on the `lo` of a namespace of ours. No link can claim it: only `lo` of a namespace is asked for it."""
    return tag(_NETNS, owner)


def names_of(alias: str | None, owner: str = "") -> tuple[str, str] | None:
    """The link that an interface with this ifalias serves, and its own name, or None if the interface is not ours."""
    if alias is None or not alias.startswith(_PREFIX):
        return None
    whose, _, theirs = alias.removeprefix(_PREFIX).partition("@")
    link, _, name = whose.partition("/")
    return (link, name or link) if link and theirs == owner else None
