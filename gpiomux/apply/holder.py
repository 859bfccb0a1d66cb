"""Which process listens on a socket that lets nobody in any more: asked of /proc, because it cannot be asked itself."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_ACCEPTS = 0x10000
"""In the flags of /proc/net/unix: listen(2) was called (__SO_ACCEPTCON in include/linux/net.h)."""


def holder_of(path: Path) -> int | None:
    """Process id of who listens on a UNIX socket of this network namespace, or None if nobody can be found."""
    target = f"socket:[{_inode(path)}]"
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):  # it has ended, or is not ours to look at
                if any(os.readlink(fd) == target for fd in (entry / "fd").iterdir()):
                    return int(entry.name)
    return None


def _inode(path: Path) -> str:
    """Number of the listening socket, empty if there is none."""
    for line in (_PROC / "net/unix").read_text(errors="surrogateescape").splitlines()[1:]:
        # Num RefCount Protocol Flags Type St Inode Path
        words = line.split(maxsplit=7)
        if len(words) == 8 and words[7] == str(path) and int(words[3], 16) & _ACCEPTS:
            return words[6]
    return ""
