"""Giving up every privilege, for good: a datapath needs none once it holds its descriptors.

Order matters (capabilities(7), prctl(2)): first no_new_privs and the bounding set, then groups and user, then the
capability sets, because changing the user needs capabilities. Inside a user namespace that maps one user only, there is
no other user to become; the capabilities go all the same.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534
"""The kernel's overflow user and group (/proc/sys/kernel/overflowuid), which owns nothing."""

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
"""Of the format; the kernel answers EINVAL from the first that it does not know."""


def drop_privileges(uid_map: Path, gid_map: Path) -> None:
    """Become nobody, without capabilities and without a way to regain them.

    Args:
        uid_map: /proc/self/uid_map, which tells whether there is a nobody to become.
        gid_map: /proc/self/gid_map.

    Raises:
        MachineError: a step was refused; the process must end then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    if os.geteuid() == 0:
        _drop_bounding_set(libc)
        if maps(uid_map.read_text(), NOBODY) and maps(gid_map.read_text(), NOBODY):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    _prctl(libc, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _drop_capabilities(libc)
    _prctl(libc, _PR_SET_DUMPABLE, 0)


def maps(id_map: str, wanted: int) -> bool:
    """True if an id map of a user namespace (user_namespaces(7)) contains an id."""
    ranges = [[int(field) for field in line.split()] for line in id_map.splitlines()]
    return any(first <= wanted < first + count for first, _, count in ranges)


def _drop_bounding_set(libc: ctypes.CDLL) -> None:
    for capability in range(_LAST_CAPABILITY + 1):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            if ctypes.get_errno() == errno.EINVAL:
                return
            raise _refused("the capability bounding set cannot be emptied")


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing) != 0:
        raise _refused("capabilities cannot be dropped")


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise _refused(f"prctl option {option} failed")


def _refused(what: str) -> MachineError:
    number = ctypes.get_errno()
    return MachineError(f"datapath: {what}: {os.strerror(number)}", errno=number)
