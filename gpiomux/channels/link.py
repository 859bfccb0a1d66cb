"""A link over two channels: packets in, packets out, and what became of them. It neither waits nor knows a clock."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gpiomux.channels.reader import ChannelReader, Outcome
from gpiomux.channels.taken import Room, Taken
from gpiomux.channels.writer import ChannelWriter
from gpiomux.wire.elements import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.channels.fence import Fence
    from gpiomux.config.model import Mode, ProtocolIds
    from gpiomux.wire.packet import Packet

NOBODY = "nobody writes the channel that this link reads"


@dataclass(slots=True)
class ChannelCounters:
    """Counted at both channels; they only grow. `tx` is towards the peer, `rx` from it."""

    tx_packets: int = 0
    """Packets that were written."""
    tx_bytes: int = 0
    """Bytes of these packets."""
    tx_dropped: int = 0
    """Packets that do not fit into an element, or have no place in one; fragments for which there was no room."""
    rx_packets: int = 0
    """Packets that were read."""
    rx_bytes: int = 0
    """Bytes of these packets."""
    rx_overruns: int = 0
    """Times that the peer came round before we had read; each loses everything that waited."""
    rx_length_errors: int = 0
    """Elements that cannot be what they say."""
    rx_incompatible: int = 0
    """Streams that could not be read: another protocol, or impossible sizes."""
    carrier_changes: int = 0
    """Times that the carrier came or went."""
    peer_stops: int = 0
    """Times that the peer stopped writing."""
    peer_restarts: int = 0
    """New epochs of a peer that was read before."""

    def as_dict(self) -> dict[str, int]:
        """Name to value, in the order above."""
        return asdict(self)


class ChannelLink:
    """One end of a link over channels.

    *Threads and processes:* one thread. Borrows all regions.

    Attributes:
        counters: of this end.
        epoch: of what we write.
        up: whether the peer writes what we can read: the carrier.
        reason: why not; empty if it does.
        reader: the channel from the peer.
    """

    def __init__(
        self,
        *,
        out: memoryview,
        into: memoryview,
        out_taken: memoryview,
        into_taken: memoryview,
        mode: Mode,
        protocol: ProtocolIds,
        mtu: int,
        draw_epoch: Callable[[], int],
        fence: Fence,
    ) -> None:
        """Begin to write.

        Args:
            out: region that we write.
            into: region that we read.
            out_taken: the words in which the reader of `out` tells how far it is.
            into_taken: the words in which we tell how far we are with `into`.
            mode: how packets stand in elements.
            protocol: ids of both streams.
            mtu: of the link's own interface; settles the size of the elements that we write.
            draw_epoch: a new random number, 1..2^64-1.
            fence: of this machine.

        Raises:
            ValueError: the region that we write has no room for one element.
        """
        self._layout = LAYOUTS[mode.value]
        self._protocol = protocol
        self._draw_epoch = draw_epoch
        self._writer = ChannelWriter(out, fence)
        self.reader = ChannelReader(into, protocol.reader, fence)
        self._room = Room(out_taken)
        self._taken = Taken(into_taken)
        self._told = 0
        self.counters = ChannelCounters()
        self.epoch = 0
        self.up = False
        self.reason = NOBODY
        self._peer_epoch = 0
        self.set_mtu(mtu)

    def set_mtu(self, mtu: int) -> None:
        """Write elements that hold packets of this size; another size than before begins a new stream.

        Raises:
            ValueError: the region has no room for one element; nothing is written any more.
        """
        element_bytes = self._layout.element_bytes(mtu)
        if element_bytes == self._writer.element_bytes:
            return
        self.epoch = self._draw_epoch()
        if not self._writer.start(protocol=self._protocol.writer, element_bytes=element_bytes, epoch=self.epoch):
            raise ValueError(f"the channel has no room for an element of {element_bytes} bytes")

    def send(self, packet: Packet) -> None:
        """Write a packet into the channel. It is gone then, whoever reads it or not."""
        element = self._layout.encode(packet, self._writer.element_bytes)
        if element is None:
            self.counters.tx_dropped += 1
            return
        self._writer.write(element)
        self.counters.tx_packets += 1
        self.counters.tx_bytes += len(packet.payload)

    def room(self) -> int:
        """How many packets can be sent so that the peer loses none."""
        writer = self._writer
        return self._room.left(epoch=self.epoch, written=writer.written, elements=writer.elements)

    def waited_in_vain(self) -> None:
        """The peer has made no room for long: send without regard to it until it goes on."""
        self._room.waited_in_vain()

    def receive(self) -> Packet | None:
        """The next packet from the peer; None if there is none now, or something else has happened instead."""
        element = self.reader.read()
        if isinstance(element, Outcome):
            self._note(element)
            return None
        packet = self._layout.decode(element)
        if packet is None:
            self.counters.rx_length_errors += 1
            return None
        self.counters.rx_packets += 1
        self.counters.rx_bytes += len(packet.payload)
        return packet

    @property
    def element_bytes(self) -> int:
        """Size of the elements that we write."""
        return self._writer.element_bytes

    def rings(self) -> dict[str, dict[str, int | str]]:
        """How full both channels are, the one that we read while it has a writer: `filled` of `size`, and their unit.

        Where the peer does not tell how far it has read, what we write counts as read.
        """
        elements = self._writer.elements
        rings: dict[str, dict[str, int | str]] = {
            "out": {"filled": elements - self.room(), "size": elements, "unit": "elements"}
        }
        if self.up:
            rings["in"] = {"filled": self.reader.filled(), "size": self.reader.elements, "unit": "elements"}
        return rings

    def waiting(self) -> bool:
        """Whether `receive` has anything to do."""
        return self.reader.waiting()

    def tell(self) -> bool:
        """Tell the peer how far we have read; True if it may be waiting for that."""
        reader, told = self.reader, self._told
        self._told = reader.taken
        self._taken.tell(reader.epoch, reader.taken)
        return reader.written - told > reader.elements // 2

    def _note(self, outcome: Outcome) -> None:
        if outcome is Outcome.NO_DATA:
            return
        if outcome is Outcome.OVERRUN:
            self.counters.rx_overruns += 1
            return
        was_up = self.up
        self.up = bool(self.reader.epoch)
        self.counters.carrier_changes += self.up != was_up
        if self.up:
            self.reason = ""
            self.counters.peer_restarts += bool(self._peer_epoch)
            self._peer_epoch = self.reader.epoch
        elif outcome is Outcome.INACTIVE:
            self.reason = NOBODY
            self.counters.peer_stops += was_up
        elif outcome is Outcome.INCOMPATIBLE:
            self.reason = self.reader.fault
            self.counters.rx_incompatible += 1

    def close(self) -> None:
        """Stop writing and reading, and let all regions go."""
        self._taken.tell(0, 0)
        for end in (self._writer, self.reader, self._taken, self._room):
            end.close()
