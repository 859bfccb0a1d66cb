"""What a running link carries, as it comes: asked for in short turns, so that whoever stops leaves nothing behind."""

from __future__ import annotations

import signal
import time
from base64 import b64decode
from contextlib import contextmanager

from gpiomux.frozen import Frozen

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gpiomux.control.client import Client

FROM_NOW = -1
PAUSE_S = 0.05
"""Between two turns, unless there is more already."""


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

    def turn(self) -> Turn:
        """Wait for a moment, unless there is more already, and take what has come.

        Raises:
            GpiomuxError: the link does not run any more, or the daemon does not answer.
        """
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


@contextmanager
def until_interrupted() -> Iterator[None]:
    """End the block, and nothing else, with Ctrl-C or SIGTERM: that is how whoever watches a link stops.

    *Threads and processes:* the main thread only. Also works where a shell has started the command in the background,
    with SIGINT ignored.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
