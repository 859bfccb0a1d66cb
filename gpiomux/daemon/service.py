"""The daemon itself: one event loop that answers and watches, one worker thread that touches the machine.

Whatever changes something goes through the worker, one after another, in the order in which it came. Whatever reads,
or asks something of a running link, runs beside it, in threads of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from gpiomux.apply.xdp_programs import forget_all
from gpiomux.control.messages import EXAMINING_VERBS, READING_VERBS, RUNNING_VERBS, Progress, Request
from gpiomux.control.server import READERS_VARIABLE, Server
from gpiomux.daemon import examining, state_file
from gpiomux.daemon.confirm import Countdown
from gpiomux.daemon.manager import Manager
from gpiomux.daemon.reading import Reading
from gpiomux.daemon.running import Running
from gpiomux.daemon.supervisor import Supervisor
from gpiomux.daemon.watchdog import Watchdog
from gpiomux.errors import DaemonError, GpiomuxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.daemon.notify import Starter
    from gpiomux.rundir import RunDir

READERS = 4
"""Threads that answer the verbs which change no configuration; more requests than that wait for each other."""
UNUSED_S = 10.0
"""A daemon that ends when idle, and is never asked for anything, ends after this time."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Service:
    """One run of the daemon. The caller holds the lock of the run directory."""

    def __init__(self, rundir: RunDir, starter: Starter, *, exit_when_idle: bool) -> None:
        """Take over the run directory.

        Raises:
            MachineError: the state file cannot be read.
        """
        self._rundir = rundir
        self._starter = starter
        self._exit_when_idle = exit_when_idle
        self._manager = Manager(rundir)
        self._reading = Reading(rundir, daemon_since_s=time.monotonic())
        self._running = Running(rundir)
        self._worker = ThreadPoolExecutor(1, "worker")
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self._server = Server(rundir.control_socket, self._answer, readers=os.environ.get(READERS_VARIABLE, ""))
        self._supervisor = Supervisor(self._revive, self._manager.datapaths.exit_words)
        self._countdown = Countdown(self._revert)
        self._watchdog = Watchdog(starter)
        self._requested = 0
        """Changes that clients wait for. To revive a link does not count: there is none when we end."""
        self._end = asyncio.Event()
        self._cleaned_up = False

    async def run(self) -> None:
        """Serve until told to end. The datapaths go on.

        Raises:
            MachineError: the control socket cannot be made.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        try:
            await self._server.start()
            _log.info("answering on %s", self._rundir.control_socket)
            self._starter.ready()
            watching = asyncio.create_task(self._watchdog.run())
            await self._recover()
            watch = asyncio.create_task(self._end_if_unused())
            await self._end.wait()
            watch.cancel()
            self._starter.stopping()
            await self._server.finish()
            watching.cancel()
        finally:
            await self._countdown.close()
            await self._supervisor.close()
            # The loop must go on while the threads end: what they do may still tell progress.
            await asyncio.to_thread(self._worker.shutdown)
            await asyncio.to_thread(self._readers.shutdown)
            await asyncio.to_thread(self._manager.datapaths.close)
        self._clean_up()
        _log.info("ended" if self._manager.idle else "ended; datapaths go on")

    async def _recover(self) -> None:
        try:
            await self._at_work(self._manager.recover)
        except GpiomuxError as err:
            _log.error("cannot restore what was applied: %s", err.told())

    async def _answer(self, request: Request, tell: Callable[[Progress], None], uid: int) -> dict[str, Any]:
        if request.verb in READING_VERBS | RUNNING_VERBS | EXAMINING_VERBS:
            if request.verb not in EXAMINING_VERBS:
                self._manager.require_record()
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._answerer(request))
        if self._end.is_set():
            raise DaemonError("gpiomuxd is ending", hint="try again")
        _log.info("asked to %s", request.verb)
        self._requested += 1

        def on_step(done: int, total: int, operation: str) -> None:
            self._watchdog.moves_on()
            tell(Progress(done, total, operation))

        try:
            return await self._at_work(lambda: self._manager.change(request, on_step, uid))
        except GpiomuxError as err:
            _log.error("%s: %s", request.verb, err)
            raise
        finally:
            self._requested -= 1
            self._end_if_idle()

    def _answerer(self, request: Request) -> Callable[[], dict[str, Any]]:
        """What a thread does that answers a request which changes no configuration."""
        if request.verb in EXAMINING_VERBS:
            return partial(examining.answer, self._rundir, request)
        record, attempts = self._manager.record, dict(self._supervisor.attempts)
        if request.verb in RUNNING_VERBS:
            return partial(self._running.answer, request, record.config)
        return partial(self._reading.answer, request, record, attempts)

    async def _revert(self) -> bool:
        try:
            return await self._at_work(self._manager.revert)
        finally:
            self._end_if_idle()

    async def _revive(self, link: str) -> bool:
        return await self._at_work(lambda: self._manager.revive(link))

    async def _at_work(self, work: Callable[[], _T]) -> _T:
        """Have the worker do something, and see to the processes that run afterwards."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._worker, self._watchdog.watched, work)
        finally:
            self._countdown.update(self._manager.record.pending)
            try:
                self._supervisor.update(await loop.run_in_executor(self._worker, self._manager.processes))
            except GpiomuxError as err:
                _log.error("%s", err.told())

    def _end_if_idle(self) -> None:
        """End if nothing is left to do and nobody wants us to stay; before the reply, so that the client can tell."""
        if self._exit_when_idle and not self._end.is_set() and not self._requested and self._manager.idle:
            self._server.stop_listening()
            self._clean_up()
            self._end.set()

    async def _end_if_unused(self) -> None:
        while True:
            await asyncio.sleep(UNUSED_S)
            if not self._server.clients:
                self._end_if_idle()

    def _clean_up(self) -> None:
        """Remove the run directory, once, if nothing runs that needs it; what is not ours in it stays, and it too.

        The next daemon may have it as soon as the lock file is gone.
        """
        if self._cleaned_up or not self._manager.idle:
            return
        self._cleaned_up = True
        rundir = self._rundir
        for directory in (rundir.links, rundir.wires):
            with suppress(OSError):
                directory.rmdir()
        forget_all(rundir)
        with suppress(OSError):
            state_file.forget(rundir)
        for file in (rundir.log, rundir.lock):
            with suppress(OSError):
                file.unlink(missing_ok=True)
        with suppress(OSError):
            rundir.root.rmdir()
