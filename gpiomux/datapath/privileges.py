"""Giving up every privilege, for good: a datapath needs none once it holds its descriptors.

The fork server gives up first what no datapath needs (`limit_privileges`): it may change its user id, and nothing
else. Each datapath that it forks then becomes a user of its own and gives up that as well (`drop_privileges`). Order
matters (capabilities(7), prctl(2)): the bounding set before the capabilities, because emptying it needs one; groups
and user before the rest, because changing them needs the last two. Inside a user namespace that maps one user only,
there is no other user to become; the capabilities go all the same.

There is no seccomp filter: the one binding of libseccomp on PyPI has had no release since 2021, and a list of system
calls kept by hand would have to follow every Python and C library. The service file filters for all processes.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

USER_IDS = range(60706, 61184)
"""User and group ids of datapaths, one for each that runs: those that systemd's table leaves unused (Users, Groups,
UIDs and GIDs on systemd Systems), so that nobody else has them, also where a container maps 65,536 ids only."""

_CAP_SETGID, _CAP_SETUID = 6, 7
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
"""Of the format; the kernel answers EINVAL from the first that it does not know."""

_libc = ctypes.CDLL(None, use_errno=True)


def limit_privileges() -> None:
    """Keep the right to change the user id, and give up all others, for this process and all that it forks.

    Raises:
        MachineError: a step was refused; the process must end then.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if os.geteuid() == 0:
        _drop_bounding_set()
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _set_capabilities(1 << _CAP_SETGID | 1 << _CAP_SETUID if os.geteuid() == 0 else 0)


def drop_privileges(user: int, uid_map: Path, gid_map: Path) -> None:
    """After `limit_privileges`: become a user without any rights, with no way to regain one.

    Args:
        user: id of the user and of its one group.
        uid_map: /proc/self/uid_map, which tells whether there is such a user to become.
        gid_map: /proc/self/gid_map.

    Raises:
        MachineError: a step was refused; the process must end then.
    """
    if os.geteuid() == 0 and maps(uid_map.read_text(), user) and maps(gid_map.read_text(), user):
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _set_capabilities(0)
    _prctl(_PR_SET_DUMPABLE, 0)


def maps(id_map: str, wanted: int) -> bool:
    """True if an id map of a user namespace (user_namespaces(7)) contains an id."""
    ranges = [[int(field) for field in line.split()] for line in id_map.splitlines()]
    return any(first <= wanted < first + count for first, _, count in ranges)


def user_ids_in_use(proc: Path) -> set[int]:
    """Real user ids of all processes below /proc."""
    found = set()
    for status in proc.glob("[0-9]*/status"):
        with suppress(OSError):  # the process has ended
            line = next(line for line in status.read_text(errors="replace").splitlines() if line.startswith("Uid:"))
            found.add(int(line.split()[1]))
    return found


def free_user_id(used: Container[int]) -> int:
    """An id of USER_IDS that is not in use.

    Raises:
        MachineError: all are.
    """
    for user in USER_IDS:
        if user not in used:
            return user
    message = f"datapath: all {len(USER_IDS)} user ids for datapaths are in use"
    raise MachineError(message, errno=errno.EAGAIN, hint="take down links, here or of another run directory")


def _drop_bounding_set() -> None:
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            if ctypes.get_errno() == errno.EINVAL:
                return
            raise _refused("the capability bounding set cannot be emptied")


def _set_capabilities(kept: int) -> None:
    """Have these capabilities, as a bit set, effective and permitted; none are inheritable."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)  # effective, permitted, inheritable; then the upper halves
    if _libc.capset(header, sets) != 0:
        raise _refused("capabilities cannot be dropped")


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise _refused(f"prctl option {option} failed")


def _refused(what: str) -> MachineError:
    number = ctypes.get_errno()
    return MachineError(f"datapath: {what}: {os.strerror(number)}", errno=number)
