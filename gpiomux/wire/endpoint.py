"""One end of a link: everything that is said on the wire, without a file, a clock or a thread.

Words from the lines and the time go in; words for the lines, a deadline and events come out. The caller draws the
random numbers, so that a run can be repeated. Times are in nanoseconds of any clock that never goes back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gpiomux.wire import frame as frames
from gpiomux.wire.codec import Decoder, Encoder
from gpiomux.wire.counters import Counters
from gpiomux.wire.events import Event, LinkDown, LinkUp, PacketReceived
from gpiomux.wire.flow import flow_of
from gpiomux.wire.frame import Data, Hello, Probe, WireMode
from gpiomux.wire.packet import MAX_PACKET_BYTES, Packet
from gpiomux.wire.peering import BROKEN, Peering
from gpiomux.wire.probing import Probing
from gpiomux.wire.session import Session
from gpiomux.wire.stream import WINDOW_BYTES
from gpiomux.wire.tap import Damage
from gpiomux.wire.timing import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.wire.tap import FrameTap

_MODE_EXTRA_BYTES = {"eth": 18, "net_hdr": 0, "raw": 2}
"""What a packet may be longer than the MTU: Ethernet header with one VLAN tag; protocol number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an endpoint is made with."""

    mode: str
    """Name of a `WireMode`."""
    mtu: int
    reader: int
    writer: int
    width_in: int
    """Data lines towards us: 1, 2, 4 or 8."""
    width_out: int
    datagram: bool = False
    """Resend nothing; both ends must agree."""
    tx_ring: int = 256
    """Packets that may wait here for the wire; of more, the flow that holds most loses its oldest."""


class _Going(NamedTuple):
    """A frame whose words are going out."""

    begun_ns: int
    line_bytes: int
    hello: bool


class Endpoint:
    """One end of a link.

    Attributes:
        counters: what has been counted so far.
        peering: the state of the carrier, to be read only.
        probing: whoever wants to probe the line asks here.
    """

    def __init__(self, settings: Settings, draw_epoch: Callable[[], int], now_ns: int) -> None:
        """Begin without a carrier; `draw_epoch` gives a random number, 1..2^64-1, at each call."""
        self.counters = Counters()
        own = Hello(
            mode=WireMode[settings.mode],
            mtu=settings.mtu,
            reader=settings.reader,
            writer=settings.writer,
            epoch=draw_epoch(),
            datagram=settings.datagram,
        )
        self.peering = Peering(own, draw_epoch, now_ns)
        self._settings = settings
        self._encoder = Encoder(settings.width_out)
        self._pace = Pace()
        self.probing = Probing(self.counters, self._pace)
        self._decoder = Decoder(settings.width_in, self.counters, self.probing.on_damaged)
        self._tap: FrameTap | None = None
        self._events: deque[Event] = deque()
        self._session: Session | None = None
        """While there is a carrier."""
        self._held = False
        self._going: _Going | None = None
        """The frame that `to_send` gave last, until it has gone out."""

    def set_tap(self, tap: FrameTap | None) -> None:
        """Let `tap` see every frame from now on; None: nobody looks."""
        self._tap = self._decoder.tap = tap

    # Packets in.

    def can_send(self) -> bool:
        """True if `send` takes another packet and drops none for it. Without a carrier it drops any number."""
        return self._session is None or not self._session.full

    def send(self, packet: Packet) -> None:
        """Queue a packet for the peer; without a carrier, or if it is too long, it is dropped and counted.

        If too many wait already, the flow that holds most loses its oldest packet, which is counted.
        """
        if self._session is None or len(packet.payload) > self._longest_packet():
            self.counters.tx_dropped += 1
            return
        self._session.put(flow_of(self._settings.mode, packet.mark, packet.payload), packet)

    def packets(self) -> int:
        """Packets that were given to `send` and are not known to have arrived."""
        return 0 if self._session is None else self._session.packets()

    def rings(self) -> dict[str, dict[str, int | str]]:
        """How full it is, by name: `filled` of `size`, and the `unit` of both."""
        session, settings = self._session, self._settings
        packets, window_bytes = (0, 0) if session is None else (session.waiting(), session.window_bytes())
        rings: dict[str, dict[str, int | str]] = {
            "tx_ring": {"filled": packets, "size": settings.tx_ring, "unit": "packets"}
        }
        if not settings.datagram:
            rings["window"] = {"filled": window_bytes, "size": WINDOW_BYTES, "unit": "bytes"}
        return rings

    def set_mtu(self, mtu: int) -> None:
        """Take another MTU; there is no carrier until the peer has the same."""
        self.peering.set_mtu(mtu)
        self._lose_carrier(self.peering.reason)

    # Words in.

    def receive(self, words: bytes | bytearray, now_ns: int) -> None:
        """Take words that have come over the in lines. Faults are counted, never raised."""
        for data in self._decoder.decode(words):
            received = frames.decode(data)
            if received is None:
                self.counters.rx_unknown += 1
                continue
            self.counters.rx_frames += 1
            self.peering.hears_frame(now_ns)
            if isinstance(received, Hello):
                self._on_hello(received, now_ns)
            elif isinstance(received, Probe):
                self.probing.on_probe(received, now_ns)
            elif self._session is not None:
                if isinstance(received, Data):
                    self._on_data(self._session, received, now_ns)
                else:
                    self._session.on_ack(received, now_ns)

    def hold(self, on: bool, now_ns: int) -> None:
        """Let the peer wait, because nobody takes the packets that come: it sends one window more at most.

        Datagrams go on coming.
        """
        if on != self._held:
            self._held = on
            if self._session is not None:
                self._session.hold(on, now_ns)

    def _on_hello(self, hello: Hello, now_ns: int) -> None:
        restarted = self.peering.hears(hello, now_ns)
        if restarted:
            self.counters.peer_restarts += 1
            self._lose_carrier("peer restarted")
        if not self.peering.up:
            self._lose_carrier(self.peering.reason)
        elif self._session is None:
            settings = self._settings
            self._session = Session(self.counters, self._pace, settings.tx_ring, now_ns, datagram=settings.datagram)
            if self._held:
                self._session.hold(True, now_ns)
            self.counters.carrier_changes += 1
            self._events.append(LinkUp(hello))

    def _on_data(self, session: Session, data: Data, now_ns: int) -> None:
        packets = session.on_data(data, self._longest_packet(), now_ns)
        if packets is None:
            self.counters.rx_length_errors += 1
            self.peering.reject(BROKEN)
            self._lose_carrier(BROKEN)
            return
        self._events.extend(PacketReceived(packet) for packet in packets)

    def _lose_carrier(self, reason: str) -> None:
        """End the session, if there is one, and forget what it held."""
        if self._session is not None:
            self.counters.carrier_changes += 1
            self.counters.tx_dropped += self._session.packets()
            self._session = None
            self._events.append(LinkDown(reason))

    # Words out.

    def to_send(self, now_ns: int) -> bytes:
        """Words of the next frame for the out lines, or none. To be called when the frame before has gone out."""
        frame = self._next_frame(now_ns)
        if frame is None:
            return b""
        self.counters.tx_frames += 1
        hello = isinstance(frame, Hello)
        data = frames.encode(frame)
        if self._tap is not None:
            self._tap.frame(True, data, Damage.NONE)
        words = self._encoder.encode(data, resynchronise=hello)
        self._going = _Going(now_ns, len(words) * self._settings.width_out // 8, hello)
        return words

    def _next_frame(self, now_ns: int) -> frames.Frame | None:
        if self.peering.hello_due(now_ns):
            return self.peering.say_hello(now_ns)
        session = None if self.probing.first else self._session
        frame = None if session is None else session.next_frame(now_ns)
        if frame is None:
            return self.probing.next_frame(now_ns)
        self.probing.give_way()
        return frame

    def gone_out(self, now_ns: int) -> None:
        """The peer has taken the last word of what `to_send` gave: timers of that frame start."""
        if self._going is not None:
            self._pace.sent(self._going.line_bytes, now_ns - self._going.begun_ns)
            if self._going.hello:
                self.peering.hello_gone_out(now_ns)
            self._going = None
        if self._session is not None:
            self._session.gone_out(now_ns)

    # Time.

    def deadline_ns(self, *, can_send: bool) -> int | None:
        """When `on_deadline` and then `to_send` must be called at the latest; None: not before words come.

        Args:
            can_send: the frame before has gone out. While it has not, the line sets the pace, not the clock.
        """
        deadlines_ns = [self.peering.deadline_ns(can_say=can_send)]
        if self._session is not None and can_send:
            deadlines_ns.append(self._session.deadline_ns())
        if self.probing.waits and can_send:
            deadlines_ns.append(0)
        return min((time_ns for time_ns in deadlines_ns if time_ns is not None), default=None)

    def on_deadline(self, now_ns: int) -> None:
        """Look at the timers; may be called at any time."""
        if self.peering.silent_since(now_ns):
            self._lose_carrier(self.peering.reason)
        elif self._session is not None:
            self._session.on_deadline(now_ns)

    # Events out.

    def next_event(self) -> Event | None:
        """What has happened, oldest first; None when all is told."""
        return self._events.popleft() if self._events else None

    def _longest_packet(self) -> int:
        return min(self.peering.own.mtu + _MODE_EXTRA_BYTES[self._settings.mode], MAX_PACKET_BYTES)
