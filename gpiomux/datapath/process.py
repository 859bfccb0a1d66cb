"""The process around a pump: it answers the daemon, and gives up its privileges before it does anything else.

Requests and answers are described at `DatapathProcess._handlers`. The process is made by the daemon and outlives it:
whoever may connect to its socket may take it over.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Imported now and not when needed: once the user has changed, the installation may not be readable any more.
from gpiomux import log
from gpiomux.config.model import Delivery, GpioskCode, Poll, ShmMedium
from gpiomux.config.plain import transport_to_plain
from gpiomux.config.tuning import MOST_PMTUS
from gpiomux.control.packets import MAX_FDS, Message, close_all, receive, send
from gpiomux.datapath import fields, probe
from gpiomux.datapath.channel_pump import ChannelPump
from gpiomux.datapath.debug import Debug
from gpiomux.datapath.interfaces import Member, disagreement
from gpiomux.datapath.privileges import drop_privileges
from gpiomux.datapath.pulse_pump import PulsePump
from gpiomux.datapath.pump import Pump
from gpiomux.datapath.recorder import FROM_NOW, KINDS, Recorder
from gpiomux.datapath.scheduling import ask_for_short_turns
from gpiomux.datapath.since_reset import SinceReset
from gpiomux.datapath.totals import totals
from gpiomux.errors import GpiomuxError, ProtocolError, UnsupportedError
from gpiomux.lines.backends import open_driver
from gpiomux.netdev.ports import open_port
from gpiomux.netdev.tuntap import PACKET_OVERHEAD_BYTES, set_send_buffer
from gpiomux.wire.trace import LEVELS, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpiomux.config.model import Transport

MAX_CONNECTIONS = 16
_TAKES_DESCRIPTORS = frozenset({"start", "attach"})
_SHOWN_CHARACTERS = 20
"""Of a request that nobody knows."""
_HIGHEST_NUMBER = (1 << 63) - 1
"""Of a record."""


def draw_epoch() -> int:
    """A random number, 1..2^64-1."""
    while True:
        number = int.from_bytes(os.urandom(8), "big")
        if number:
            return number


@dataclass(slots=True)
class _Link:
    """What runs since the request `start`."""

    name: str
    transport: Transport
    mtu: int
    marks_method: str
    pump: Pump | ChannelPump | PulsePump
    recorder: Recorder
    debug: Debug
    poll: Poll | None
    """None for a line code that has no choice."""


class DatapathProcess:
    """Serves the control socket, and turns the pump once there is one.

    *Threads and processes:* one thread. Owns the listening socket, all connections and all that came over them.
    """

    def __init__(self, listener: socket.socket, connection: socket.socket) -> None:
        """Take over a bound socket, and the first connection.

        The process that calls `listen` is what its peers see as SO_PEERCRED.
        """
        listener.setblocking(False)
        listener.listen(MAX_CONNECTIONS)
        self._listener = listener
        connection.setblocking(False)
        self._first = connection.fileno()
        self._connections: dict[int, socket.socket] = {self._first: connection}
        self._link: _Link | None = None
        self._started_ns = time.monotonic_ns()
        self._stopping = False
        self._since_reset = SinceReset()
        self._handlers: dict[str, Callable[[Message, list[int]], Message]] = {
            "start": self._start,
            "attach": self._attach,
            "detach": self._detach,
            "bind": self._bind,
            "unbind": self._unbind,
            "mtu": self._set_mtu,
            "pmtu": self._set_pmtu,
            "del-pmtu": self._del_pmtu,
            "poll": self._set_poll,
            "report": self._report,
            "stats": self._stats,
            "reset-stats": self._reset_stats,
            "record": self._record,
            "debug": self._debug,
            "probe": self._probe,
            "stop": self._stop,
        }

    def run(self) -> None:
        """Serve until asked to stop.

        Raises:
            OSError: the chip of the lines is gone.
        """
        while self._link is None and not self._stopping:
            self._wait_for_start()
        if self._link is None:
            return
        pump = self._link.pump
        pump.watch(self._listener.fileno(), self._accept)
        for fd in self._connections:
            pump.watch(fd, partial(self._answer, fd))
        while not self._stopping:
            pump.turn()
        pump.close()

    def _wait_for_start(self) -> None:
        ready, _, _ = select.select([self._listener, *self._connections.values()], [], [])
        for sock in ready:
            if sock is self._listener:
                self._accept()
            else:
                self._answer(sock.fileno())

    # Connections.

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the client is gone again, or there are too many descriptors (EMFILE)
            connection, _ = self._listener.accept()
            if len(self._connections) >= MAX_CONNECTIONS:
                connection.close()
                return
            connection.setblocking(False)
            fd = connection.fileno()
            self._connections[fd] = connection
            if self._link is not None:
                self._link.pump.watch(fd, partial(self._answer, fd))

    def _hang_up(self, fd: int) -> None:
        if self._link is not None:
            with contextlib.suppress(KeyError):
                self._link.pump.unwatch(fd)
        elif fd == self._first:  # the daemon has gone before it could say what to run
            self._stopping = True
        self._connections.pop(fd).close()

    def _answer(self, fd: int) -> None:
        connection = self._connections[fd]
        try:
            message, fds = receive(connection)
        except BlockingIOError:
            return
        except (EOFError, ProtocolError, OSError):
            self._hang_up(fd)
            return
        try:
            send(connection, self._perform(message, fds))
        except (OSError, ProtocolError):
            self._hang_up(fd)

    def _perform(self, message: Message, fds: list[int]) -> Message:
        """Do what a message asks; descriptors that nobody took are closed."""
        do = str(message.get("do"))[:_SHOWN_CHARACTERS]
        try:
            handler = self._handlers.get(do)
            if handler is None:
                raise ProtocolError(f"datapath: unknown request {do}")
            if fds and do not in _TAKES_DESCRIPTORS:
                raise ProtocolError(f"datapath: request {do} came with {len(fds)} descriptors")
            return {"ok": handler(message, fds)}
        except GpiomuxError as err:
            close_all(fds)
            return {"error": {"message": err.message, "hint": err.hint}}
        except (LookupError, TypeError, ValueError, OSError) as err:  # a port may refuse its descriptors with any
            close_all(fds)
            return {"error": {"message": f"datapath: request {do} failed: {err}", "hint": ""}}

    # Requests.

    def _running(self) -> _Link:
        if self._link is None:
            raise ProtocolError("datapath: has not been started")
        return self._link

    def _start(self, message: Message, fds: list[int]) -> Message:
        """link, transport, mtu, port {method, kind, fds: count}, driver_fds: count; the port's descriptors first."""
        if self._link is not None:
            raise ProtocolError(f"datapath: runs link {self._link.name} already")
        transport, port, name = fields.transport(message), fields.port(message), fields.name(message, "link")
        mtu = fields.mtu(message, transport)
        count = fields.number(port, "fds", 0, MAX_FDS)
        if len(fds) != count + fields.number(message, "driver_fds", 0, MAX_FDS):
            raise ProtocolError(f"datapath: start came with {len(fds)} descriptors")
        main = _member(name, port, fds[:count], transport, mtu)
        pump: Pump | ChannelPump | PulsePump
        if isinstance(transport.medium, ShmMedium):
            pump = ChannelPump(fds[count:], transport, mtu, main, draw_epoch)
        elif isinstance(transport.code, GpioskCode):
            pump = PulsePump(open_driver(transport, fds[count:]), transport, main)
        else:
            pump = Pump(open_driver(transport, fds[count:]), transport, mtu, main, draw_epoch)
        recorder = Recorder(pump.set_tap)
        trace = Trace(mode=transport.mode.value, datagram=transport.delivery is Delivery.DATAGRAM)
        debug = Debug(name, trace, recorder)
        pump.interfaces.pmtus.set_mtu(mtu)
        poll = None if isinstance(pump, PulsePump) else Poll()
        self._link = _Link(name, transport, mtu, port["method"], pump, recorder, debug, poll)
        return self._report(message, fds)

    def _attach(self, message: Message, fds: list[int]) -> Message:
        """child, port {method, kind, fds}."""
        link = self._running()
        child = _member(fields.name(message, "child"), fields.port(message), fds, link.transport, link.mtu)
        link.pump.interfaces.attach(child)
        return {}

    def _detach(self, message: Message, _fds: list[int]) -> Message:
        """child."""
        child = fields.name(message, "child")
        self._running().pump.interfaces.detach(child)
        self._since_reset.forget(child)
        return {}

    def _bind(self, message: Message, _fds: list[int]) -> Message:
        """child, mark."""
        self._running().pump.interfaces.bind(fields.name(message, "child"), fields.mark(message))
        return {}

    def _unbind(self, message: Message, _fds: list[int]) -> Message:
        """mark."""
        self._running().pump.interfaces.unbind(fields.mark(message))
        return {}

    def _set_mtu(self, message: Message, _fds: list[int]) -> Message:
        """mtu, of the link's own interface."""
        link = self._running()
        link.mtu = fields.mtu(message, link.transport)
        link.pump.interfaces.pmtus.set_mtu(link.mtu)
        link.pump.set_mtu(link.mtu)
        if link.transport.rx_ring is not None:
            link.pump.interfaces.set_send_buffer(_ring_bytes(link.transport.rx_ring, link.mtu))
        return {}

    def _set_pmtu(self, message: Message, _fds: list[int]) -> Message:
        """mark, bytes: no longer IP packet leaves with the mark; takes the place of what was said before."""
        link, mark, limit_bytes = self._running(), fields.mark(message), fields.pmtu(message)
        pmtus = link.pump.interfaces.pmtus
        if mark not in pmtus.by_mark and len(pmtus.by_mark) >= MOST_PMTUS:
            raise disagreement(link.name, f"has {MOST_PMTUS} PMTUs already")
        pmtus.put(mark, limit_bytes)
        return {}

    def _del_pmtu(self, message: Message, _fds: list[int]) -> Message:
        """mark."""
        link, mark = self._running(), fields.mark(message)
        if mark not in link.pump.interfaces.pmtus.by_mark:
            raise disagreement(link.name, f"has no PMTU for mark {mark}")
        link.pump.interfaces.pmtus.remove(mark)
        return {}

    def _set_poll(self, message: Message, _fds: list[int]) -> Message:
        """poll, as a link of the file states it."""
        link, poll = self._running(), fields.poll(message)
        if isinstance(link.pump, PulsePump):
            raise disagreement(link.name, "line code gpiosk always waits for interrupts")
        link.pump.set_poll(poll)
        link.poll = poll
        return {}

    def _stop(self, _message: Message, _fds: list[int]) -> Message:
        """End the process; the interfaces stay."""
        self._stopping = True
        return {}

    def _stats(self, message: Message, _fds: list[int]) -> Message:
        """total: what was counted since the process began, or else since the last reset. first: see `_page`."""
        counted, following = _page(self._running().pump, message)
        return {**(counted if message.get("total") is True else self._since_reset.counted(counted)), "next": following}

    def _reset_stats(self, message: Message, _fds: list[int]) -> Message:
        """first. Answer with what was counted since the last such request, and count just that from here: nothing falls
        in between, whatever goes on before the next interfaces are asked for."""
        link = self._running()
        counted, following = _page(link.pump, message)
        since = self._since_reset.counted(counted)
        self._since_reset.reset(counted)
        return {"name": link.name, **since, "next": following}

    def _record(self, message: Message, _fds: list[int]) -> Message:
        """kinds, after. Answer: see `Recorder.ask`; the first one also tells what link it is."""
        kinds, after = fields.words(message, "kinds", KINDS), fields.number(message, "after", FROM_NOW, _HIGHEST_NUMBER)
        link = self._running()
        told = {"transport": transport_to_plain(link.transport), "mtu": link.mtu} if after == FROM_NOW else {}
        return {**link.recorder.ask(kinds, after), **told}

    def _debug(self, message: Message, _fds: list[int]) -> Message:
        """level, one of `LEVELS`, or empty to change nothing. Answer: level."""
        debug = self._running().debug
        level = fields.word(message, "level", ("", *LEVELS))
        if level:
            debug.switch(level)
        return {"level": debug.level}

    def _probe(self, message: Message, _fds: list[int]) -> Message:
        """size, after: see `gpiomux.datapath.probe`."""
        link = self._running()
        pump = link.pump
        if isinstance(pump, Pump):
            return probe.answer(pump.endpoint, message)
        what = "medium shm has no frames of its own" if isinstance(pump, ChannelPump) else "code gpiosk knows no probes"
        raise UnsupportedError(f"{link.name} cannot be probed: {what}", hint="ping the peer's address")

    def _report(self, _message: Message, _fds: list[int]) -> Message:
        """Everything that is known of a link but the counters of its interfaces; changes nothing."""
        link = self._running()
        interfaces = link.pump.interfaces
        return {
            "pid": os.getpid(),
            "link": link.name,
            "transport": transport_to_plain(link.transport),
            "mtu": link.mtu,
            "pmtu": sorted(interfaces.pmtus.by_mark.items()),
            "poll": None if link.poll is None else asdict(link.poll),
            "uptime_s": (time.monotonic_ns() - self._started_ns) / 1e9,
            "marks_method": link.marks_method,
            "gone": [member.name for member in interfaces if member.gone],
            "children": [{"name": child.name, "marks": child.marks} for child in interfaces.children()],
            **link.pump.report(),
        }


def _page(pump: Pump | ChannelPump | PulsePump, message: Message) -> tuple[dict[str, Any], int | None]:
    """Counters of a link from its interface number `first` on, 0 if the message does not say so."""
    return totals(pump, fields.number({"first": 0, **message}, "first", 0, _HIGHEST_NUMBER))


def _member(name: str, port: Mapping[str, Any], fds: list[int], transport: Transport, mtu: int) -> Member:
    if transport.rx_ring is not None and fds:
        set_send_buffer(fds[0], _ring_bytes(transport.rx_ring, mtu))
    return Member(name, open_port(port["method"], port["kind"], tuple(fds)))


def _ring_bytes(packets: int, mtu: int) -> int:
    """What an interface may hold so that it holds as many packets as may wait for it."""
    return packets * (mtu + PACKET_OVERHEAD_BYTES)


def run(listener: int, connection: int, user: int) -> None:
    """Be the datapath of one link, in a process that the fork server has made for it.

    Args:
        listener: its bound control socket.
        connection: from the daemon that wants it; until a link is started the process lives as long as that.
        user: id of the user to become.

    Raises:
        GpiomuxError: the privileges could not be dropped.
        OSError: the chip of the lines is gone.
    """
    process = DatapathProcess(socket.socket(fileno=listener), socket.socket(fileno=connection))
    log.set_up("gpiomux-datapath")
    ask_for_short_turns()
    drop_privileges(user, Path("/proc/self/uid_map"), Path("/proc/self/gid_map"))
    process.run()
