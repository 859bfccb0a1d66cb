"""What the daemon must be allowed to do, asked before anything is begun."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

CAP_NET_ADMIN = 12
"""Number of the capability in linux/capability.h."""


def require_net_admin(status: Path) -> None:
    """Refuse to start without the right to change network interfaces, which root may lack in a container.

    Args:
        status: /proc/self/status.

    Raises:
        MachineError: EPERM, CAP_NET_ADMIN is not effective.
    """
    lines = status.read_text().splitlines()
    effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    if not effective >> CAP_NET_ADMIN & 1:
        raise MachineError(
            "gpiomuxd may not change network interfaces: it lacks CAP_NET_ADMIN",
            errno=errno.EPERM,
            hint="run it as root, or for a trial in namespaces of your own: unshare --map-root-user --net --mount",
        )
