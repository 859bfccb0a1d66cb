"""How an object in the kernel is recognised as ours. What carries no tag of ours is never touched.

Interfaces bear an alias that names their link, namespaces one on their `lo`. Addresses and routes bear protocol
number 103 (IFA_PROTO, rtm_protocol); the kernel gives it no meaning, and iproute2's lists leave it free.
"""

from __future__ import annotations

PROTOCOL = 103
"""IFA_PROTO of our addresses and rtm_protocol of our routes."""

_PREFIX = "gpiomux:"

NETNS_ALIAS = "gpiomux:netns"
"""On the `lo` of a namespace of ours. No link can claim it: only `lo` of a namespace is asked for it."""


def tag(link: str) -> str:
    """The ifalias of an interface that serves this link."""
    return _PREFIX + link


def link_of(alias: str | None) -> str | None:
    """The link that an interface with this ifalias serves, or None if the interface is not ours."""
    if alias is None or not alias.startswith(_PREFIX) or alias == _PREFIX:
        return None
    return alias.removeprefix(_PREFIX)
