"""The device node of a chip: found by the chip's device, checked on the open descriptor, given to its owner."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import stat
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.aggregator.roots import Roots

PATIENCE_S = 5.0
"""How long a node may take to appear where udev makes it."""
_NOBODY = 2**32 - 1
"""No account has this number: chown(2) takes it for -1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may open a node; None: as it is."""

    owner: str | None = None
    group: str | None = None
    mode: int | None = None


def node_of(roots: Roots, device: str) -> Path | None:
    """The node of the chip that a platform device has made; None if it has made none."""
    found = sorted((roots.devices / device).glob("gpiochip*"))
    return roots.dev / found[0].name if found else None


def read_access(node: Path) -> tuple[Access, int, int]:
    """Who may open a node now, by name, or by number for accounts without one; and the numbers of owner and group.

    Raises:
        OSError: the node is gone.
    """
    about = node.stat()
    owner, group = str(about.st_uid), str(about.st_gid)
    with suppress(KeyError):
        owner = pwd.getpwuid(about.st_uid).pw_name
    with suppress(KeyError):
        group = grp.getgrgid(about.st_gid).gr_name
    return Access(owner=owner, group=group, mode=stat.S_IMODE(about.st_mode)), about.st_uid, about.st_gid


def check_access(access: Access) -> None:
    """Make sure that the accounts exist.

    Raises:
        MachineError: names the one that does not (ENOENT).
    """
    _ids(access)


def give(node: Path, device: str, access: Access) -> None:
    """Set owner, group and mode of the node of a chip, once udev has done what it does to new nodes.

    Raises:
        MachineError: the node is not that of `device`, or the kernel refuses.
    """
    settle(node)
    owner, group = _ids(access)
    fd = _open_checked(node, device)
    try:
        if owner >= 0 or group >= 0:
            os.fchown(fd, owner, group)
        if access.mode is not None:
            os.fchmod(fd, access.mode)
    except OSError as err:
        raise MachineError(f"cannot set who may open {node}: {err.strerror}", errno=err.errno or 0) from err
    finally:
        os.close(fd)


def settle(node: Path) -> None:
    """Wait until udev, if there is any, has handled new devices, and the node is there.

    Raises:
        MachineError: it does not appear.
    """
    udevadm = shutil.which("udevadm")
    if udevadm is not None and Path("/run/udev/control").exists():
        subprocess.run([udevadm, "settle", f"--timeout={PATIENCE_S:.0f}"], stdin=subprocess.DEVNULL, check=False)
    give_up_s = time.monotonic() + PATIENCE_S
    while not node.exists():
        if time.monotonic() > give_up_s:
            hint = "devtmpfs or udev makes it; neither seems to run here"
            raise MachineError(f"{node} does not appear", errno=errno.ENOENT, hint=hint)
        time.sleep(0.02)


def _open_checked(node: Path, device: str) -> int:
    """Open a node, and be sure that it is that of the device: numbers of chips are used again."""
    import gpiod  # late: a machine without real lines needs none of it

    try:
        with gpiod.Chip(str(node)) as chip:
            label = chip.get_info().label
            if label != device:
                raise MachineError(f"{node} is {label}, not {device}", errno=errno.ENODEV, hint="try again")
            return os.dup(chip.fd)
    except OSError as err:
        if isinstance(err, MachineError):
            raise
        raise MachineError(f"cannot open {node}: {err.strerror}", errno=err.errno or 0) from err


def _ids(access: Access) -> tuple[int, int]:
    """Numbers of owner and group; -1 leaves them as they are."""
    return (
        _number("user", access.owner, lambda name: pwd.getpwnam(name).pw_uid),
        _number("group", access.group, lambda name: grp.getgrnam(name).gr_gid),
    )


def _number(kind: str, account: str | None, look_up: Callable[[str], int]) -> int:
    if account is None:
        return -1
    try:
        number = int(account) if account.isdecimal() else look_up(account)
    except KeyError:
        number = _NOBODY
    if number >= _NOBODY:
        raise MachineError(f"there is no {kind} {account}", errno=errno.ENOENT, hint="see `access` in the file")
    return number
