"""Packets waiting for the wire, cut into pieces, flow by flow; and which packet goes when there are too many.

Three rules, those of Linux' fq_codel (RFC 8290), fitted to a slow wire:

- Bulk takes turns. Packets are sent in pieces, and the pieces of packets of different flows are mixed, one packet on
  each lane, so that no packet waits for the end of a long one. Flows share the wire by bytes (deficit round robin).
- Who sends little goes first. A short packet of a flow that has no other here is *sparse*: a ping, an acknowledgement
  of TCP, a question to a name server. Sparse packets have a lane of their own, so that they need not wait until one is
  free; bulk gets every second turn, so that no number of them can stop it.
- Who holds most loses. A ring with too many packets drops the oldest packet of the flow that holds most bytes, so that
  a flood costs nobody but itself; the oldest, because TCP then learns of it soonest.

Packets of one flow never overtake each other: a flow has at most one packet on a lane. A packet of which a piece has
left is never dropped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from operator import attrgetter

from gpiomux.wire.record import FIRST, LANE_SHIFT, LANES, LAST, MAX_PIECE_BYTES, Record
from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES

SPARSE_LANE = 0
SPARSE_BYTES = MAX_FRAME_DATA_BYTES
"""A longer packet is not sparse; and after so many bytes of sparse packets in a row it is the turn of the others."""
TURN_BYTES = MAX_PIECE_BYTES
"""What a lane sends in one turn, on the average."""
QUANTUM_BYTES = 1536
"""What a flow sends, on the average, before another gets its lane: one packet of the usual MTU."""


@dataclass(slots=True, eq=False)
class _Flow:
    key: bytes
    packets: deque[bytes] = field(default_factory=deque)
    """On no lane yet."""
    held_bytes: int = 0
    """Of `packets`."""
    credit_bytes: int = 0
    """What it may still send before another gets its lane; after a long packet less than nothing."""


_HELD_BYTES = attrgetter("held_bytes")


@dataclass(slots=True, eq=False)
class _Lane:
    flow: _Flow
    data: bytes
    """Header and payload of the packet."""
    turn_bytes: int
    """What is left of its turn; after a long piece less than nothing."""
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
        self._flows: dict[bytes, _Flow] = {}
        """Flows that have any packet, on a lane or not."""
        self._sparse: deque[_Flow] = deque()
        """Flows without a lane whose only packet, when it came, was a short one."""
        self._waiting: deque[_Flow] = deque()
        """Other flows that have a packet ready and no lane."""
        self._lanes: list[_Lane | None] = [None] * LANES
        self._turn = SPARSE_LANE + 1
        self._sparse_turn_bytes = SPARSE_BYTES
        """What sparse packets may still go ahead of bulk."""
        self._packets = 0

    def __len__(self) -> int:
        """Packets that are not wholly cut up yet."""
        return self._packets

    @property
    def full(self) -> bool:
        """True if a further packet costs one."""
        return self._packets >= self._ring

    def put(self, key: bytes, data: bytes) -> bool:
        """Add a packet (header and payload) at the end of the flow `key`. Returns True if one was dropped for it."""
        flow = self._flows.get(key)
        if flow is None:
            flow = self._flows[key] = _Flow(key)
            (self._sparse if len(data) <= SPARSE_BYTES else self._waiting).append(flow)
        flow.packets.append(data)
        flow.held_bytes += len(data)
        self._packets += 1
        if self._packets <= self._ring:
            return False
        self._drop()
        return True

    def _drop(self) -> None:
        """Drop a packet that is on no lane; what has come last is on none."""
        # Looks at every flow; but flows are no more than packets, and the ring is full only under a flood.
        flow = max(self._flows.values(), key=_HELD_BYTES)
        flow.held_bytes -= len(flow.packets.popleft())
        self._packets -= 1
        if not flow.packets and not self._has_lane(flow):
            (self._sparse if flow in self._sparse else self._waiting).remove(flow)
            del self._flows[flow.key]

    def _has_lane(self, flow: _Flow) -> bool:
        return any(lane is not None and lane.flow is flow for lane in self._lanes)

    def sparse_next(self) -> bool:
        """True if `next` gives a piece of a sparse packet."""
        self._fill_lanes()
        return self._lanes[SPARSE_LANE] is not None and (
            self._sparse_turn_bytes > 0 or not any(self._lanes[SPARSE_LANE + 1 :])
        )

    def next(self, most_bytes: int = MAX_PIECE_BYTES) -> Cut | None:
        """The next piece to be sent, of `most_bytes` at most, or None if there is no packet."""
        if not self._packets:
            return None
        number = SPARSE_LANE if self.sparse_next() else self._bulk_turn()
        lane = self._lanes[number]
        assert lane is not None
        piece = lane.data[lane.position : lane.position + most_bytes]
        flags = number << LANE_SHIFT | (0 if lane.position else FIRST)
        lane.position += len(piece)
        lane.turn_bytes -= len(piece)
        gained = -len(piece) if number == SPARSE_LANE else len(piece)
        self._sparse_turn_bytes = max(min(self._sparse_turn_bytes + gained, SPARSE_BYTES), 0)
        if lane.position < len(lane.data):
            return Cut(Record(flags, piece), 0)
        self._end_packet(number, lane)
        return Cut(Record(flags | LAST, piece), len(lane.data))

    def _bulk_turn(self) -> int:
        """The lane of bulk whose turn it is; there is one."""
        while True:
            lane = self._lanes[self._turn]
            if lane is not None:
                if lane.turn_bytes > 0:
                    return self._turn
                lane.turn_bytes += TURN_BYTES
            self._turn = self._turn + 1 if self._turn + 1 < LANES else SPARSE_LANE + 1

    def _fill_lanes(self) -> None:
        while self._sparse and self._lanes[SPARSE_LANE] is None:
            flow = self._sparse.popleft()
            if len(flow.packets[0]) <= SPARSE_BYTES:
                self._lanes[SPARSE_LANE] = self._load(flow)
            else:  # the short one that it came with was dropped
                self._waiting.append(flow)
        for number in range(SPARSE_LANE + 1, LANES):
            while self._waiting and self._lanes[number] is None:
                flow = self._waiting.popleft()
                flow.credit_bytes += QUANTUM_BYTES
                if flow.credit_bytes > 0:
                    self._lanes[number] = self._load(flow)
                else:
                    self._waiting.append(flow)

    def _load(self, flow: _Flow, turn_bytes: int = TURN_BYTES) -> _Lane:
        data = flow.packets.popleft()
        flow.held_bytes -= len(data)
        return _Lane(flow, data, turn_bytes)

    def _end_packet(self, number: int, lane: _Lane) -> None:
        """A packet has left: its flow goes on with the next one, or waits for another lane, or is over."""
        flow = lane.flow
        self._lanes[number] = None
        self._packets -= 1
        flow.credit_bytes -= len(lane.data)
        if not flow.packets:
            del self._flows[flow.key]
        elif number != SPARSE_LANE and (flow.credit_bytes > 0 or not self._waiting):
            flow.credit_bytes = max(flow.credit_bytes, 0)  # nobody has waited for what it sent beyond
            self._lanes[number] = self._load(flow, lane.turn_bytes)
        else:
            self._waiting.append(flow)
