"""Keeps reads and writes of shared memory in the order of the program, on processors that do not by themselves.

CPython performs the accesses in program order. x86 and z/Architecture then show loads to other processors in order,
and stores too (Intel SDM volume 3, 9.2.2; z/Architecture Principles of Operation, 5-144), which is all that a channel
needs: it never relies on a store before a later load. ARM, RISC-V and POWER may show both in any order.

There a lock that nobody else holds is released and taken again. Releasing orders everything before it ahead of the
release, taking orders everything after it behind, and on these processors neither passes the other: on ARMv8 a
store-release is observed before a later load-acquire (Arm ARM, B2.3.11), and CPython's locks are POSIX semaphores
or, from 3.13 on, sequentially consistent compare-and-exchange, both of which have that strength at least.
"""

from __future__ import annotations

import platform
from _thread import allocate_lock
from collections.abc import Callable

Fence = Callable[[], None]

_ORDERED = frozenset({"x86_64", "amd64", "i386", "i486", "i586", "i686", "s390x"})


class LockFence:
    """A fence for processors with weak order; each thread has its own."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()

    def __call__(self) -> None:
        """Let no access pass from one side of this call to the other."""
        self._lock.release()
        self._lock.acquire()


def no_fence() -> None:
    """The fence of a processor that keeps the order by itself."""


def fence_of(machine: str | None = None) -> Fence:
    """The fence that this machine, or one of this name (uname -m), needs."""
    return no_fence if (machine or platform.machine()).lower() in _ORDERED else LockFence()
