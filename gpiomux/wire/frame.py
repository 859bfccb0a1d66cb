"""Frames: fields to bytes and back. All numbers are in network byte order.

    hello  0x10 | flags    version u8, mode u8, mtu u16, reader u64, writer u64, epoch u64, peer epoch u64
    data   0x20 | flags    sequence u16, acknowledgement u16, then a fragment of a packet
    ack    0x30            acknowledgement u16, received u64

Flag of a hello: 1, this end sends datagrams, that is, resends nothing. Flags of a data frame: 1 first fragment of a
packet, 2 last, 4 and 8 the lane (0..3): fragments of packets on different lanes may be mixed. `acknowledgement` is the
sequence number expected next; bit i of `received` tells that acknowledgement + 1 + i has come. The bytes are described
for other implementations in gpiomux-wire(7).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

VERSION = 1
DATAGRAM = 1
FIRST, LAST, LANE_SHIFT, LANES = 1, 2, 2, 4
SEQUENCE_MODULUS = 1 << 16

_HELLO = struct.Struct(">BBBHQQQQ")
_DATA = struct.Struct(">BHH")
_ACK = struct.Struct(">BHQ")
DATA_HEADER_BYTES = _DATA.size


class Kind(IntEnum):
    """High half of a frame's first byte."""

    HELLO = 1
    DATA = 2
    ACK = 3


class WireMode(IntEnum):
    """What a link carries, as told in the hello; the names are those of the configuration."""

    eth = 1
    net_hdr = 2
    raw = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What an end tells of itself."""

    mode: int
    """A `WireMode`, or a number that only a later version knows."""
    mtu: int
    reader: int
    """Protocol id that this end reads."""
    writer: int
    """Protocol id that this end writes."""
    epoch: int
    """Random and not 0; another one is another run of that end."""
    peer_epoch: int = 0
    """Epoch of the peer that this end has heard last; 0: none yet."""
    datagram: bool = False
    """This end resends nothing."""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Data:
    """One fragment of a packet.

    Attributes:
        sequence: modulo 2^16, from 0 in each session.
        acknowledgement: the sequence number that the sender of this frame expects next.
        flags: FIRST, LAST and the lane.
    """

    sequence: int
    acknowledgement: int
    flags: int
    fragment: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """What has arrived.

    Attributes:
        acknowledgement: the sequence number expected next.
        received: bit i: acknowledgement + 1 + i has arrived already.
    """

    acknowledgement: int
    received: int


Frame = Hello | Data | Ack


def encode(frame: Frame) -> bytes:
    """The bytes of a frame, without check sequence."""
    if isinstance(frame, Data):
        head = _DATA.pack(Kind.DATA << 4 | frame.flags, frame.sequence, frame.acknowledgement)
        return head + frame.fragment
    if isinstance(frame, Ack):
        return _ACK.pack(Kind.ACK << 4, frame.acknowledgement, frame.received)
    return _HELLO.pack(
        Kind.HELLO << 4 | (DATAGRAM if frame.datagram else 0),
        frame.version,
        frame.mode,
        frame.mtu,
        frame.reader,
        frame.writer,
        frame.epoch,
        frame.peer_epoch,
    )


def decode(data: bytes) -> Frame | None:
    """The frame in `data`, or None if its kind is unknown or its length wrong.

    A hello of another version may be longer than ours: only the fields we know are read.
    """
    kind, flags = data[0] >> 4, data[0] & 15
    if kind == Kind.DATA and len(data) >= _DATA.size:
        _, sequence, acknowledgement = _DATA.unpack_from(data)
        return Data(sequence, acknowledgement, flags, data[_DATA.size :])
    if kind == Kind.ACK and len(data) == _ACK.size:
        _, acknowledgement, received = _ACK.unpack(data)
        return Ack(acknowledgement, received)
    if kind == Kind.HELLO and len(data) >= _HELLO.size:
        _, version, mode, mtu, reader, writer, epoch, peer_epoch = _HELLO.unpack_from(data)
        return Hello(
            version=version,
            mode=mode,
            mtu=mtu,
            reader=reader,
            writer=writer,
            epoch=epoch,
            peer_epoch=peer_epoch,
            datagram=bool(flags & DATAGRAM),
        )
    return None
