"""From the stream back to packets: records are collected lane by lane until a packet is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.wire.packet import HEADER, Packet
from gpiomux.wire.record import FIRST, LANES, LAST, Record, RecordReader

if TYPE_CHECKING:
    from gpiomux.wire.counters import Counters


class Reassembly:
    """Packets on their way in. Holds no more than one packet for each lane, and one record."""

    def __init__(self, counters: Counters) -> None:
        """Count faults in `counters`."""
        self._counters = counters
        self._reader = RecordReader()
        self._lanes: list[bytearray | None] = [None] * LANES

    def feed(self, data: bytes, longest_bytes: int) -> list[Packet] | None:
        """The packets that `data` completes, or None if the stream cannot be one of records.

        Args:
            data: the next bytes of the stream.
            longest_bytes: a packet that becomes longer is dropped and counted.
        """
        records = self._reader.feed(data)
        if records is None:
            return None
        return [packet for record in records if (packet := self._add(record, longest_bytes)) is not None]

    def interrupt(self) -> None:
        """Bytes of the stream are lost: nothing that has begun will be finished."""
        self._reader.forget()
        self._counters.rx_sequence_errors += sum(lane is not None for lane in self._lanes)
        self._lanes = [None] * LANES

    def _add(self, record: Record, longest_bytes: int) -> Packet | None:
        lane = self._lanes[record.lane]
        if bool(record.flags & FIRST) == (lane is not None):  # cut short by another packet, or continues nothing
            self._counters.rx_sequence_errors += 1
        if record.flags & FIRST:
            lane = self._lanes[record.lane] = bytearray()
        if lane is None:
            return None
        lane += record.piece
        if len(lane) > HEADER.size + longest_bytes:
            self._counters.rx_length_errors += 1
            self._lanes[record.lane] = None
            return None
        if not record.flags & LAST:
            return None
        self._lanes[record.lane] = None
        packet = Packet.decode(bytes(lane))
        if packet is None:
            self._counters.rx_length_errors += 1
            return None
        self._counters.rx_packets += 1
        self._counters.rx_bytes += len(packet.payload)
        return packet
