"""What a link carries, packet by packet and frame by frame, in one line of text each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpiomux.wire import frame as frames
from gpiomux.wire.frame import POSITION_MODULUS, Ack, Data, Hello, Probe
from gpiomux.wire.packet import HEADER as PACKET_HEADER
from gpiomux.wire.peering import mode_name
from gpiomux.wire.record import FIRST, LAST, Record, RecordReader
from gpiomux.wire.summary import summary

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS: Mapping[str, tuple[str, ...]] = {
    "off": (),
    "on": ("packet",),
    "packets": ("packet",),
    "frames": ("packet", "frame"),
}
"""How much debug output there can be: the kinds of records that it tells of. Each level holds those before it."""
SHOWN_BYTES = 16
"""Of what is damaged, or of an unknown kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Words for the records of one link."""

    mode: str
    """Of the link: eth, net_hdr or raw."""
    datagram: bool
    """The link resends nothing, so its data frames have longer positions."""

    def text(self, kind: str, *fields: Any) -> str:
        """One line.

        Args:
            kind: `packet` or `frame`.
            fields: of a record of that kind, as `gpiomux.datapath.recorder.Recorder` describes them.
        """
        if kind == "packet":
            return self._packet(*fields)
        direction, damage, data = fields
        return f"wire {direction.capitalize():3} {self.frame(damage, data)}"

    def _packet(self, direction: str, interface: str, mark: int, length: int, head: bytes) -> str:
        said = f" mark {mark:#x}" if mark else ""
        return f"{interface} {direction.capitalize():3}{said} {summary(self.mode, head, length)}"

    def frame(self, damage: str, data: bytes) -> str:
        """What a frame says.

        Args:
            damage: what is wrong with it; empty if nothing.
            data: its bytes, without the check sequence.
        """
        frame = None if damage or not data else frames.decode(data)
        if damage:
            words = f"damaged frame ({damage}), {data[:SHOWN_BYTES].hex()}"
        elif isinstance(frame, Hello):
            words = _hello(frame)
        elif isinstance(frame, Data):
            words = self._data(frame)
        elif isinstance(frame, Ack):
            ranges = "".join(f" {start}:{(start + length) % POSITION_MODULUS}" for start, length in frame.ranges)
            words = f"ack {frame.acknowledgement}{', and' if ranges else ''}{ranges}"
        elif isinstance(frame, Probe):
            words = _probe(frame)
        else:
            words = f"frame of an unknown kind, {data[:SHOWN_BYTES].hex()}"
        return f"{words}, length {len(data)}"

    def _data(self, frame: Data) -> str:
        position = frame.position + (frame.acknowledgement * POSITION_MODULUS if self.datagram else 0)
        ack = "" if self.datagram else f", ack {frame.acknowledgement}"
        records = RecordReader().feed(frame.data) or []
        # A frame may begin within a record; only where records fill it, they are certainly records.
        whole = sum(len(record.encode()) for record in records) == len(frame.data)
        return f"data {position}, {len(frame.data)} bytes{ack}{''.join(map(_record, records)) if whole else ''}"


def _hello(hello: Hello) -> str:
    way = ", datagram" if hello.datagram else ""
    return (
        f"hello version {hello.version}, {mode_name(hello.mode)}{way}, mtu {hello.mtu}, reads {hello.reader:#x}, "
        f"writes {hello.writer:#x}, epoch {hello.epoch:#x}, hears {hello.peer_epoch:#x}"
    )


def _probe(probe: Probe) -> str:
    return (
        f"{'reply to ' if probe.reply else ''}probe {probe.number}, received {probe.received}, "
        f"damaged {probe.damaged}, {probe.wrong_bits} of {probe.pattern_bits} bits wrong"
    )


def _record(record: Record) -> str:
    """A piece of a packet; the first one tells the mark and how long the packet is."""
    place = ("middle", "first", "last", "whole")[record.flags & (FIRST | LAST)]
    text = f"; {place} on lane {record.lane}, {len(record.piece)} bytes"
    if record.flags & FIRST and len(record.piece) >= PACKET_HEADER.size:
        mark, length, _, _ = PACKET_HEADER.unpack_from(record.piece)
        return f"{text}: mark {mark:#x}, packet of {length}"
    return text
