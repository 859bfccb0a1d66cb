"""Attach tc programs through a clsact queueing discipline, for kernels without TCX (before 6.6)."""

from __future__ import annotations

import errno
from typing import Any

_INGRESS, _EGRESS = "ffff:fff2", "ffff:fff3"
_FIRST, _LAST = 1, 0xC000
"""Priorities: ours is the first on the way in and, unless a user takes a higher number, the last on the way out."""


def attach(index: int, ingress_fd: int, egress_fd: int) -> None:
    """Put both programs on an interface of the calling thread's network namespace, in place of former ones of ours.

    They stay, with their maps, until the interface goes or moves to another namespace.

    Raises:
        OSError: the kernel refused.
    """
    from pyroute2 import IPRoute  # type: ignore[import-untyped]
    from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

    with IPRoute(ext_ack=True) as route:
        try:
            _tolerating(errno.EEXIST, route.tc, "add", "clsact", index)
            for parent, priority, fd, name in (
                (_INGRESS, _FIRST, ingress_fd, "gpiomux_in"),
                (_EGRESS, _LAST, egress_fd, "gpiomux_out"),
            ):
                place = {"index": index, "parent": parent, "prio": priority}
                _tolerating(errno.ENOENT, route.tc, "del-filter", "bpf", handle=":1", **place)
                route.tc("add-filter", "bpf", handle=":1", fd=fd, name=name, direct_action=True, **place)
        except NetlinkError as err:
            raise OSError(err.code, str(err.args[1])) from err


def _tolerating(number: int, call: Any, *arguments: Any, **more: Any) -> None:
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        call(*arguments, **more)
    except NetlinkError as err:
        if err.code != number:
            raise
