"""Keeps the datapaths running: notices the end of each, and has it started again, later each time it fails.

How long to wait is a rule of its own, `Backoff`. What ends because a change ended it is not told apart: to revive a
link that is as it should be does nothing, and counts nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gpiomux import log
from gpiomux.daemon.reading import Attempt
from gpiomux.errors import GpiomuxError, MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.apply.datapaths import Process

FIRST_S = 0.1
LONGEST_S = 5.0
STABLE_S = 10.0
"""A process that lived as long is not failing: its next end counts as the first."""

Revive = Callable[[str], Awaitable[bool]]
"""Starts the datapath of a link if it does not run, and gives what is running to `Supervisor.update`; whether there
was anything to do. Raises a GpiomuxError if that failed."""
ExitWords = Callable[[int], str]
"""Says how a process that has ended did so."""


@dataclass(slots=True)
class Backoff:
    """Pauses between attempts: twice as long each time, up to a limit."""

    next_s: float = FIRST_S

    def pause_s(self, lived_s: float) -> float:
        """How long to wait, after a life of `lived_s` (0 for one that did not begin)."""
        if lived_s >= STABLE_S:
            self.next_s = FIRST_S
        pause_s = self.next_s
        self.next_s = min(2 * pause_s, LONGEST_S)
        return pause_s


@dataclass(slots=True)
class _Watched:
    process: Process | None = None
    since_s: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)
    timer: asyncio.TimerHandle | None = None
    last_exit: str = ""
    """Before the end that is being seen to."""


class Supervisor:
    """Watches the processes of all links.

    *Threads and processes:* lives in the event loop; `attempts` may be read by any thread. Owns the descriptors of the
    processes that it is given.
    """

    def __init__(self, revive: Revive, exit_words: ExitWords) -> None:
        self.attempts: dict[str, Attempt] = {}
        self._revive = revive
        self._exit_words = exit_words
        self._watched: dict[str, _Watched] = {}
        self._reviving: set[asyncio.Task[None]] = set()
        self._closed = False

    def update(self, processes: Mapping[str, Process | MachineError | None]) -> None:
        """Take over what is running now: watch new processes, see to missing ones, forget links that are gone.

        A process of which nothing can be known now is watched as before.
        """
        for link in [link for link in self._watched if link not in processes]:
            self._forget(link)
        for link, process in processes.items():
            if isinstance(process, MachineError):
                log.of_link(__name__, link).warning("%s", process.told())
            elif self._closed:
                if process is not None:
                    os.close(process.pidfd)
            elif process is None:
                self._miss(link)
            else:
                self._watch(link, process)

    async def close(self) -> None:
        """Watch nothing any more; the processes go on."""
        self._closed = True
        for link in list(self._watched):
            self._forget(link)
        if self._reviving:
            await asyncio.wait(self._reviving)

    def _watch(self, link: str, process: Process) -> None:
        watched = self._watched.setdefault(link, _Watched())
        if watched.process is not None and watched.process.pid == process.pid:
            os.close(process.pidfd)
            return
        self._let_go(watched)
        loop = asyncio.get_running_loop()
        watched.process = process
        watched.since_s = loop.time()
        loop.add_reader(process.pidfd, self._ended, link, process)
        self.attempts[link] = replace(self.attempts.get(link, Attempt(state="running")), state="running")

    def _miss(self, link: str) -> None:
        """A link without a process: one that nobody has seen ending."""
        watched = self._watched.setdefault(link, _Watched())
        self.attempts.setdefault(link, Attempt(state="starting"))
        if watched.process is None and watched.timer is None:
            self._revive_after(link, watched.backoff.pause_s(0.0))

    def _ended(self, link: str, process: Process) -> None:
        watched = self._watched[link]
        lived_s = asyncio.get_running_loop().time() - watched.since_s
        self._let_go(watched)
        words = self._exit_words(process.pid)
        watched.last_exit = self.attempts[link].last_exit
        log.of_link(__name__, link).info("datapath %d has ended: %s", process.pid, words)
        self.attempts[link] = replace(self.attempts[link], state="starting", last_exit=words)
        self._revive_after(link, watched.backoff.pause_s(lived_s))

    def _revive_after(self, link: str, pause_s: float) -> None:
        watched = self._watched[link]
        if watched.timer is not None:
            watched.timer.cancel()
        watched.timer = asyncio.get_running_loop().call_later(pause_s, self._begin_to_revive, link)

    def _begin_to_revive(self, link: str) -> None:
        self._watched[link].timer = None
        task = asyncio.create_task(self._bring_back(link))
        self._reviving.add(task)
        task.add_done_callback(self._reviving.discard)

    async def _bring_back(self, link: str) -> None:
        try:
            revived = await self._revive(link)
        except GpiomuxError as err:
            log.of_link(__name__, link).error("%s", err.told())
            if link in self._watched:
                self.attempts[link] = replace(self.attempts[link], state="failed", last_exit=err.message)
                self._revive_after(link, self._watched[link].backoff.pause_s(0.0))
            return
        if link not in self._watched:
            return
        attempt = self.attempts[link]
        if revived:
            self.attempts[link] = replace(attempt, restarts=attempt.restarts + 1)
        else:  # a change has ended the process, and another runs already
            self.attempts[link] = replace(attempt, last_exit=self._watched[link].last_exit)

    def _forget(self, link: str) -> None:
        watched = self._watched.pop(link)
        self._let_go(watched)
        if watched.timer is not None:
            watched.timer.cancel()
        self.attempts.pop(link, None)

    def _let_go(self, watched: _Watched) -> None:
        if watched.process is not None:
            asyncio.get_running_loop().remove_reader(watched.process.pidfd)
            os.close(watched.process.pidfd)
            watched.process = None
