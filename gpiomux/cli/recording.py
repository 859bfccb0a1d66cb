"""What a running link carries, as it comes: asked for in short turns, so that whoever stops leaves nothing behind."""

from __future__ import annotations

import os
import time
from base64 import b64decode

from gpiomux.errors import UsageError
from gpiomux.frozen import Frozen

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, BinaryIO

    from gpiomux.control.client import Client

FROM_NOW = -1
PAUSE_S = 0.05
"""Between two turns, unless there is more already."""
FILE_MODE = 0o600
"""What a link carries is nobody else's business."""


class Turn(Frozen):
    """What came since the turn before."""

    records: tuple[tuple[Any, ...], ...]
    """(time_ns, kind, fields...), oldest first; see `gpiomux.datapath.recorder`."""
    lost: int | None
    """Records that are missing before these; None: an unknown number, because the recording had ended meanwhile."""


class Recording:
    """A recording of some kinds on one link, from now on.

    *Threads and processes:* one thread. The datapath ends it by itself when nobody takes turns any more.

    Attributes:
        transport: of the link, as a configuration describes it.
        mtu: of the link's own interface.
    """

    def __init__(self, asked: Client, link: str, kinds: Sequence[str]) -> None:
        """Begin.

        Raises:
            GpiomuxError: there is no such link, it does not run, or it has nothing of one of these kinds.
        """
        self._asked = asked
        self._args = {"link": link, "kinds": list(kinds)}
        first = self._ask(FROM_NOW)
        self.transport: dict[str, Any] = first["transport"]
        self.mtu: int = first["mtu"]

    def turns(self, seconds: int | None = None) -> Iterator[Turn]:
        """Take what comes, turn by turn, for so long; None: without end.

        Raises:
            GpiomuxError: the link does not run any more, or the daemon does not answer.
        """
        until_s = None if seconds is None else time.monotonic() + seconds
        while until_s is None or time.monotonic() < until_s:
            yield self._turn()

    def _turn(self) -> Turn:
        """Wait for a moment, unless there is more already, and take what has come."""
        if not self._more:
            time.sleep(PAUSE_S)
        answer = self._ask(self._after)
        return Turn(
            tuple((*record[1:-1], b64decode(record[-1])) for record in answer["records"]),
            answer["lost"],
        )

    def _ask(self, after: int) -> dict[str, Any]:
        answer = self._asked.ask("record", {**self._args, "after": after})
        self._after: int = answer["next"]
        self._more: bool = answer["more"]
        return answer


def made_file(path: str) -> BinaryIO:
    """Make a file for what a link carries, or begin it anew; a new one is for this user alone.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE), "wb")
    except OSError as err:
        raise UsageError(f"{path}: {err.strerror}", hint="name a file that can be written") from err
