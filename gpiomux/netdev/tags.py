"""How an object in the kernel is recognised as ours. What carries no tag of ours is never touched.

Interfaces bear an alias that names their link, namespaces one on their `lo`. Addresses and routes bear protocol
number 103 (IFA_PROTO, rtm_protocol); the kernel gives it no meaning, and iproute2's lists leave it free.

An alias also says whose it is where several daemons share a network namespace: the run directory stands behind an `@`
unless it is the usual one. To each of them what the others have made is not ours.
"""

from __future__ import annotations

PROTOCOL = 103
"""IFA_PROTO of our addresses and rtm_protocol of our routes."""

_PREFIX = "gpiomux:"

_NETNS = "netns"


def tag(link: str, owner: str = "") -> str:
    """The ifalias of an interface that serves this link; `owner` is `RunDir.owner`."""
    return f"{_PREFIX}{link}@{owner}" if owner else _PREFIX + link


def netns_tag(owner: str = "") -> str:
    """The alias on the `lo` of a namespace of ours. No link can claim it: only `lo` of a namespace is asked for it."""
    return tag(_NETNS, owner)


def link_of(alias: str | None, owner: str = "") -> str | None:
    """The link that an interface with this ifalias serves, or None if the interface is not ours."""
    if alias is None or not alias.startswith(_PREFIX):
        return None
    link, _, theirs = alias.removeprefix(_PREFIX).partition("@")
    return link if link and theirs == owner else None
