"""Attach tc programs through a clsact queueing discipline, for kernels without TCX (before 6.6)."""

from __future__ import annotations

import errno
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_INGRESS, _EGRESS = 0xFFFF_FFF2, 0xFFFF_FFF3
_FIRST, _LAST = 1, 0xC000
"""Priorities: ours is the first on the way in and, unless a user takes a higher number, the last on the way out."""
_PLACES = ((_INGRESS, _FIRST, "gpiomux_in"), (_EGRESS, _LAST, "gpiomux_out"))
"""Hook, priority, and the name by which a filter is ours."""


def attach(index: int, ingress_fd: int, egress_fd: int) -> None:
    """Put both programs on an interface of the calling thread's network namespace, in place of former ones of ours.

    They stay, with their maps, until the interface goes or moves to another namespace. A filter of somebody else stays
    where it is; ours takes the next priority that is free.

    Raises:
        OSError: the kernel refused.
    """
    from pyroute2 import IPRoute  # type: ignore[import-untyped]
    from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

    with IPRoute(ext_ack=True) as route:
        try:
            try:
                route.tc("add", "clsact", index)
            except NetlinkError as err:
                if err.code != errno.EEXIST:
                    raise
            for (parent, priority, name), fd in zip(_PLACES, (ingress_fd, egress_fd), strict=True):
                taken = set()
                for theirs, handle, filter_name in _filters(route, index, parent):
                    if filter_name == name:
                        route.tc("del-filter", "bpf", index=index, parent=parent, prio=theirs, handle=handle)
                    else:
                        taken.add(theirs)
                free = next(number for number in count(priority) if number not in taken)
                more: dict[str, Any] = {"index": index, "parent": parent, "prio": free, "handle": 1}
                route.tc("add-filter", "bpf", fd=fd, name=name, direct_action=True, **more)
        except NetlinkError as err:
            raise OSError(err.code, str(err.args[1])) from err


def _filters(route: Any, index: int, parent: int) -> Iterator[tuple[int, int, str | None]]:
    """Priority, handle, and the name that only a program has, of each filter at one hook."""
    for message in list(route.get_filters(index=index, parent=parent)):
        if message["handle"] == 0:  # what the kernel says of a priority as a whole, before the filters that it has
            continue
        options = message.get_attr("TCA_OPTIONS")
        named = options is not None and message.get_attr("TCA_KIND") == "bpf"
        yield message["info"] >> 16, message["handle"], options.get_attr("TCA_BPF_NAME") if named else None
