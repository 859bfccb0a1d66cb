"""Packets waiting for the wire, cut into pieces, flow by flow.

A long packet must not hold up a short one by its own length. So packets are sent in pieces, and the pieces of up to
LANES packets of different flows take turns. Packets of one flow never overtake each other: a flow has at most one
packet on a lane.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gpiomux.wire.record import FIRST, LANE_SHIFT, LANES, LAST, MAX_PIECE_BYTES, Record


@dataclass(slots=True)
class _Lane:
    flow: bytes
    data: bytes
    """Header and payload of the packet."""
    position: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """What comes off the schedule.

    Attributes:
        record: the next piece of a packet.
        packet_bytes: length of the packet (with its header) that this piece ends; 0 for any other piece.
    """

    record: Record
    packet_bytes: int


class Schedule:
    """A bounded ring of packets and the order in which they leave."""

    def __init__(self, ring: int) -> None:
        """Hold at most `ring` packets."""
        self._ring = ring
        self._flows: dict[bytes, deque[bytes]] = {}
        """Flow to packets that are on no lane yet; a flow is here as long as it has any packet, on a lane or not."""
        self._waiting: deque[bytes] = deque()
        """Flows that have a packet ready and no lane."""
        self._lanes: list[_Lane | None] = [None] * LANES
        self._turn = 0
        self._packets = 0

    def __len__(self) -> int:
        """Packets that are not wholly cut up yet."""
        return self._packets

    @property
    def full(self) -> bool:
        """True if no further packet is taken."""
        return self._packets >= self._ring

    def put(self, flow: bytes, data: bytes) -> None:
        """Add a packet (header and payload) at the end of its flow."""
        queue = self._flows.get(flow)
        if queue is None:
            self._flows[flow] = deque([data])
            self._waiting.append(flow)
        else:
            queue.append(data)
        self._packets += 1

    def next(self, most_bytes: int = MAX_PIECE_BYTES) -> Cut | None:
        """The next piece to be sent, of `most_bytes` at most, or None if there is no packet."""
        if not self._packets:
            return None
        self._fill_lanes()
        for step in range(LANES):
            number = (self._turn + step) % LANES
            lane = self._lanes[number]
            if lane is not None:
                self._turn = number + 1
                return self._cut(number, lane, most_bytes)
        return None

    def _fill_lanes(self) -> None:
        for number in range(LANES):
            if self._lanes[number] is None and self._waiting:
                flow = self._waiting.popleft()
                self._lanes[number] = _Lane(flow, self._flows[flow].popleft())

    def _cut(self, number: int, lane: _Lane, most_bytes: int) -> Cut:
        flags = number << LANE_SHIFT
        if lane.position == 0:
            flags |= FIRST
        piece = lane.data[lane.position : lane.position + most_bytes]
        lane.position += len(piece)
        if lane.position < len(lane.data):
            return Cut(Record(flags, piece), 0)
        self._lanes[number] = None
        self._packets -= 1
        if self._flows[lane.flow]:
            self._waiting.append(lane.flow)
        else:
            del self._flows[lane.flow]
        return Cut(Record(flags | LAST, piece), len(lane.data))
