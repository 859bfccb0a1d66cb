"""The one loop of a datapath whose link speaks gpiosk's pulse code.

There is no hello, no acknowledgement and no flow control: frames go out one after another and come in whole or not at
all. Edges are always watched; while they come they are read in batches, as the kernel queues up to 1,024.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gpiomux.config.model import GpioskCode
from gpiomux.datapath import recorder as recorders
from gpiomux.datapath.interfaces import Interfaces
from gpiomux.datapath.pulse_sender import PulseSender
from gpiomux.datapath.serving import Serving
from gpiomux.errors import UsageError
from gpiomux.lines.noted import NotedLines
from gpiomux.wire.answers import Answers
from gpiomux.wire.checksums import complete_checksum
from gpiomux.wire.flow import flow_of
from gpiomux.wire.packet import Packet
from gpiomux.wire.pulses import CTL, DATA, MOST_FRAME_BYTES, Edge, PulseCounters, PulseReceiver
from gpiomux.wire.schedule import Schedule

if TYPE_CHECKING:
    from gpiomux.config.model import Transport
    from gpiomux.datapath.interfaces import Member
    from gpiomux.datapath.recorder import Recorder
    from gpiomux.lines.driver import LineDriver

PACKETS_PER_TURN = 32
"""Taken from one interface at most, so that a flood does not keep the lines waiting."""
NAP_S = 0.002
"""Between two readings while edges come: to be woken by each of them would cost more than all the rest."""
STREAM_NS = 20_000_000
"""Edges come while the last was read so short ago."""
_LINES = (CTL, DATA)
"""By bit of a request; see `lines.backends.chip_offsets`."""


class PulsePump(Serving):
    """Runs one link; see `gpiomux.datapath.pump.Pump`, whose place it takes.

    *Threads and processes:* the main thread. Owns the driver and, through `interfaces`, the ports.
    """

    def __init__(self, driver: LineDriver, transport: Transport, main: Member) -> None:
        """Take the lines and the link's own interface into use; the outputs are low from now on.

        Raises:
            OSError: the chip is gone, or an input has no interrupt.
        """
        super().__init__(driver.fileno())
        code = transport.code
        assert isinstance(code, GpioskCode)
        assert transport.lines is not None
        self._driver = driver
        self._lines = transport.lines
        self._noted: NotedLines | None = None
        """In the place of the driver while somebody looks at the levels."""
        self._ring = transport.tx_ring
        self._schedule = Schedule(transport.tx_ring)
        self._counters = PulseCounters()
        self._receiver = PulseReceiver(self._counters)
        self._sender = PulseSender(driver, code.interval_us, self._receive)
        self._sending = b""
        self._answers = Answers()
        self.interfaces = Interfaces(self._poller, transport.mode, main)
        self._edges_in = self._polls = 0
        self._edge_ns = 0
        """When edges were read last."""
        driver.set_edges(True)
        self._carrier = True
        self.interfaces.set_carrier(True)

    def turn(self) -> None:
        """Send a part of a frame, take what has come; sleep if there is neither.

        Raises:
            OSError: the chip is gone.
        """
        busy = self._send()
        self._receive()
        if self._noted is not None:
            self._noted.flush()
        self._follow_peer()
        ready = self._poller.poll(0) if busy else self._sleep()
        self._serve(ready)

    def _send(self) -> bool:
        """Go on with a frame, or begin the next; False if there is none."""
        if not self._sender.busy:
            cut = self._schedule.next(MOST_FRAME_BYTES)
            if cut is None:
                return False
            self._sending = cut.record.piece
            self._sender.begin(self._sending)
        self._sender.send_some()
        if not self._sender.busy:
            self._counters.tx_packets += 1
            self._counters.tx_bytes += len(self._sending)
            self._answers.sent(self._sending, time.monotonic_ns())
        return True

    def _receive(self) -> None:
        events = (self._noted or self._driver).read_events()
        self._polls += 1
        now_ns = time.monotonic_ns()
        if events:
            self._edges_in += len(events)
            self._edge_ns = now_ns
        edges = [Edge(event.timestamp_ns, _LINES[event.bit], event.seqno) for event in events]
        for frame in self._receiver.hear(edges, now_ns):
            completed = complete_checksum(frame)
            if completed is not None:
                self._counters.rx_checksums_completed += 1
            self._counters.rx_packets += 1
            self._counters.rx_bytes += len(frame)
            self._answers.heard(now_ns)
            self.interfaces.deliver(Packet(0, completed or frame))

    def _follow_peer(self) -> None:
        """Take the carrier from a peer that has stopped answering, and give it back when it is heard."""
        if self._answers.up == self._carrier:
            return
        self._carrier = self._answers.up
        self._counters.carrier_changes += 1
        self.interfaces.set_carrier(self._carrier)
        if not self._carrier:
            self._counters.tx_dropped += len(self._schedule)
            self._schedule = Schedule(self._ring)

    def _sleep(self) -> list[tuple[int, int]]:
        """Sleep until something happens; but while edges come, for a moment only."""
        now_ns = time.monotonic_ns()
        if now_ns - self._edge_ns < STREAM_NS:
            time.sleep(NAP_S)
            return self._poller.poll(0)
        deadline_ns = self._receiver.deadline_ns()
        self.sleeping = True
        self.sleeps += 1
        return self._poller.poll(None if deadline_ns is None else max(0, -((now_ns - deadline_ns) // 1_000_000)))

    def _answer_peer(self) -> None:
        pass  # what came is read at the next turn

    def _take_packets(self, member: Member) -> None:
        for packet in self.interfaces.leaving(member, PACKETS_PER_TURN):
            frame = packet.payload
            if len(frame) > MOST_FRAME_BYTES or not self._carrier:
                self._counters.tx_dropped += 1
            elif self._schedule.put(flow_of("eth", 0, frame), frame):
                self._counters.tx_ring_full += 1

    def set_mtu(self, mtu: int) -> None:
        """Nothing hangs on the MTU of the link's own interface: no frame is longer than a gpiosk board can take."""

    def set_tap(self, kind: str, recorder: Recorder | None) -> None:
        """Hand everything of a kind to `recorder` from now on; None: to nobody.

        Raises:
            UsageError: the link has nothing of that kind.
        """
        match kind:
            case recorders.PACKET:
                self.interfaces.tap = recorder
            case recorders.LEVELS:
                self._noted = None if recorder is None else NotedLines(self._driver, self._lines, recorder.levels)
                self._sender.set_driver(self._noted or self._driver)
            case _:
                raise UsageError(
                    f"a link of code gpiosk has nothing of the kind {kind}: what crosses it is packets, as they are",
                    hint="gpiomux scope shows its pulses",
                )

    def report(self) -> dict[str, Any]:
        """What `status` and `stats` tell of the link beyond its interfaces."""
        answers = self._answers
        heard_ns = answers.heard_ns
        return {
            "carrier": answers.up,
            "reason": answers.reason,
            "peer": None if heard_ns is None else {"heard_s": (time.monotonic_ns() - heard_ns) / 1e9},
            "rings": {"tx_ring": {"filled": len(self._schedule), "size": self._ring, "unit": "packets"}},
            "counters": self._counters.as_dict(),
            "line": {
                "edges_in": self._edges_in,
                "edges_out": self._sender.edges,
                "interrupts": self.interrupts,
                "polls": self._polls,
                "sleeps": self.sleeps,
                "sleeping": self.sleeping,
            },
        }

    def close(self) -> None:
        """End the frame that has begun, and give lines and interfaces back.

        Raises:
            OSError: the chip is gone.
        """
        self._sender.finish()
        self.interfaces.close()
        self._driver.close()
