"""The one loop of a datapath: interfaces on one side, the lines on the other, the endpoint between.

A turn moves words as long as they flow. When they stop, edge detection goes on and the process sleeps until a line
moves, a packet comes, the daemon asks, or a timer of the protocol is due (the NAPI way: interrupts when idle, polling
when busy).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gpiomux.config.model import Bundle, Delivery, Poll
from gpiomux.datapath import recorder as recorders
from gpiomux.datapath.edges import Edges
from gpiomux.datapath.interfaces import Interfaces
from gpiomux.datapath.polling import STUCK_NS, Polling
from gpiomux.datapath.serving import Serving
from gpiomux.lines.handshake import Handshake
from gpiomux.lines.noted import NotedLines
from gpiomux.wire.endpoint import Endpoint, Settings
from gpiomux.wire.events import LinkDown, LinkUp, PacketReceived
from gpiomux.wire.peering import mode_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.config.model import Transport
    from gpiomux.datapath.interfaces import Member
    from gpiomux.datapath.recorder import Recorder
    from gpiomux.lines.driver import LineDriver

PACKETS_PER_TURN = 32
"""Taken from one interface at most, so that a flood does not keep the lines waiting."""
OFFER_AGAIN_NS = 2_000_000
"""How long what an interface does not take waits until it is offered again, when nothing else happens."""


class Pump(Serving):
    """Runs one link.

    *Threads and processes:* one thread. Owns the driver and, through `interfaces`, the ports.

    Attributes:
        endpoint: what is said on the wire.
        handshake: what moves on the lines.
        edges: edges that were noted while edge detection was on.
    """

    def __init__(
        self, driver: LineDriver, transport: Transport, mtu: int, main: Member, draw_epoch: Callable[[], int]
    ) -> None:
        """Take the lines and the link's own interface into use.

        Raises:
            OSError: the chip is gone.
        """
        super().__init__(driver.fileno())
        lines, protocol = transport.lines, transport.protocol
        assert lines is not None
        assert protocol is not None
        assert isinstance(lines.into, Bundle)
        assert isinstance(lines.out, Bundle)
        width_in, width_out = len(lines.into.data), len(lines.out.data)
        settings = Settings(
            mode=transport.mode.value,
            mtu=mtu,
            reader=protocol.reader,
            writer=protocol.writer,
            width_in=width_in,
            width_out=width_out,
            datagram=transport.delivery is Delivery.DATAGRAM,
            tx_ring=transport.tx_ring,
        )
        self._driver = driver
        self._lines = lines
        self._noted: NotedLines | None = None
        """Between handshake and driver while somebody looks at the levels."""
        self._edges = Edges(driver)
        self._polling = Polling(Poll(), time.monotonic_ns())
        self.endpoint = Endpoint(settings, draw_epoch, time.monotonic_ns())
        self.handshake = Handshake(driver, width_in=width_in, width_out=width_out)
        self.interfaces = Interfaces(
            self._poller, transport.mode, main, rx_ring=transport.rx_ring, datagram=settings.datagram
        )
        self.edges = 0
        self._loaded = False
        """The frame that was loaded last has not been reported as gone out."""

    def turn(self) -> None:
        """Move what can be moved; sleep if there is nothing.

        Raises:
            OSError: the chip is gone.
        """
        busy = self._move_words()
        if self._noted is not None:
            self._noted.flush()
        if busy and not self._polling.keeps_edges:
            self._edges.lines_are_busy()
        told = self._tell_events()
        ready = self._poller.poll(0)
        if not ready and not busy and not told:
            ready = self._sleep()
        self._serve(ready)

    def _move_words(self) -> bool:
        """Send and receive what goes without waiting; False if the lines have nothing more to say for now."""
        endpoint, handshake, polling = self.endpoint, self.handshake, self._polling
        now_ns = time.monotonic_ns()
        endpoint.on_deadline(now_ns)
        if handshake.idle:
            if self._loaded:
                endpoint.gone_out(now_ns)
                self._loaded = False
            words = endpoint.to_send(now_ns)
            if words:
                handshake.load(words)
                self._loaded = True
        busy = handshake.run(polling.looks, polling.budget)
        if busy:
            polling.words_moved(now_ns)
        else:
            busy = polling.goes_on(handshake, now_ns)
        if handshake.received:
            endpoint.receive(handshake.received, time.monotonic_ns())
            handshake.received.clear()
        return busy

    def _tell_events(self) -> bool:
        told = False
        while (event := self.endpoint.next_event()) is not None:
            told = True
            if isinstance(event, PacketReceived):
                self.interfaces.deliver(event.packet)
            elif isinstance(event, LinkUp | LinkDown):
                self.interfaces.set_carrier(isinstance(event, LinkUp))
        if self.interfaces.waiting:
            self.interfaces.offer_again()
        self.endpoint.hold(self.interfaces.full, time.monotonic_ns())
        return told

    def _sleep(self) -> list[tuple[int, int]]:
        """Sleep until something happens. Edges are switched on first and the lines looked at again, twice: a level
        that changes meanwhile is seen by one look or the other, or raises an edge. Where edges cost much, a short
        pause is slept through by the clock.
        """
        if not self._polling.keeps_edges and self._edges.nap():
            return []
        self._edges.switch_on()
        ready: list[tuple[int, int]] = []
        if not self.handshake.pending():
            ready = self._poller.poll(0)
            if not ready and not self.handshake.pending():
                self.sleeping = True
                self.sleeps += 1
                ready = self._poller.poll(self._timeout_ms())
                if not ready and not self.handshake.idle:
                    self.handshake.repeat()
        self._edges.woke_up()
        return ready

    def _timeout_ms(self) -> int | None:
        now_ns = time.monotonic_ns()
        deadline_ns = self.endpoint.deadline_ns(can_send=self.handshake.idle)
        if not self.handshake.idle:
            stuck_ns = now_ns + STUCK_NS
            deadline_ns = stuck_ns if deadline_ns is None else min(deadline_ns, stuck_ns)
        if self.interfaces.waiting:
            again_ns = now_ns + OFFER_AGAIN_NS
            deadline_ns = again_ns if deadline_ns is None else min(deadline_ns, again_ns)
        if deadline_ns is None:
            return None
        return max(0, -((now_ns - deadline_ns) // 1_000_000))

    def _answer_peer(self) -> None:
        # Edges that were noted while asleep; a chip that is gone says so here (ENODEV).
        self.edges += len(self._driver.read_events())

    def _take_packets(self, member: Member) -> None:
        """Queue packets that leave through an interface, whether there is room or not: the endpoint knows better than
        the interface's own queue which one to drop, and a small packet does not wait in front of it.
        """
        for packet in self.interfaces.leaving(member, PACKETS_PER_TURN):
            self.endpoint.send(packet)

    def set_poll(self, poll: Poll) -> None:
        """Wait for the lines in another way from now on."""
        self._polling.set(poll)

    def set_mtu(self, mtu: int) -> None:
        """Tell the MTU of the link's own interface."""
        self.endpoint.set_mtu(mtu)

    def set_tap(self, kind: str, recorder: Recorder | None) -> None:
        """Hand everything of a kind, which is one of `KINDS`, to `recorder` from now on; None: to nobody."""
        match kind:
            case recorders.PACKET:
                self.interfaces.tap = recorder
            case recorders.FRAME:
                self.endpoint.set_tap(recorder)
            case recorders.LEVELS:
                self._note_levels(recorder)

    def _note_levels(self, recorder: Recorder | None) -> None:
        self._noted = None if recorder is None else NotedLines(self._driver, self._lines, recorder.levels)
        self.handshake.set_driver(self._noted or self._driver)

    def report(self) -> dict[str, Any]:
        """What `status` and `stats` tell of the link beyond its interfaces."""
        peering, handshake = self.endpoint.peering, self.handshake
        peer = peering.peer
        return {
            "carrier": peering.up,
            "reason": peering.reason,
            "epoch": peering.own.epoch,
            "peer": None
            if peer is None
            else {
                "epoch": peer.epoch,
                "reader": peer.reader,
                "writer": peer.writer,
                "mode": mode_name(peer.mode),
                "mtu": peer.mtu,
            },
            "rings": {**self.endpoint.rings(), **self.interfaces.rings()},
            "counters": self.endpoint.counters.as_dict(),
            "line": {
                "words_in": handshake.words_in,
                "words_out": handshake.words_out,
                "edges_in": self.edges,
                "interrupts": self.interrupts,
                "polls": handshake.polls,
                "sleeps": self.sleeps,
                "sleeping": self.sleeping,
            },
        }

    def close(self) -> None:
        """Give lines and interfaces back."""
        self.interfaces.close()
        self._driver.close()
