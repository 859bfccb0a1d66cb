"""Frames: fields to bytes and back. All numbers are in network byte order.

    hello  0x10 | flags    version u8, mode u8, mtu u16, reader u64, writer u64, epoch u64, peer epoch u64
    data   0x20            position u16, acknowledgement u16, then bytes of the stream
    ack    0x30            acknowledgement u16, then ranges received beyond it: position u16, length u16 each
    probe  0x40 | flags    number u32, received u32, damaged u32, bits u32, wrong bits u32, 0 u8, pattern, 0 u8

Flag of a hello: 1, this end sends datagrams, that is, resends nothing. `position` is that of the first byte of data;
`acknowledgement` is the position expected next: all before it has arrived. Positions count from 0 in each session and
are said modulo 2^16. Between ends that send datagrams they are said modulo 2^32, and `acknowledgement` is the upper
half of the position. Flag of a probe: 1, it is the reply to one. The bytes are described for other implementations in
gpiomux-wire(7).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

VERSION = 1
DATAGRAM = 1
REPLY = 1
POSITION_MODULUS = 1 << 16
DATAGRAM_POSITION_MODULUS = 1 << 32

_HELLO = struct.Struct(">BBBHQQQQ")
_DATA = struct.Struct(">BHH")
_ACK = struct.Struct(">BH")
_RANGE = struct.Struct(">HH")
_PROBE = struct.Struct(">BIIIII")

PROBE_FIELDS_BYTES = _PROBE.size
MIN_PATTERN_BYTES, MAX_PATTERN_BYTES = 16, 512
"""Of a probe: enough to be recognised when it is damaged, and no more than a frame of data has."""


class Kind(IntEnum):
    """High half of a frame's first byte."""

    HELLO = 1
    DATA = 2
    ACK = 3
    PROBE = 4


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
    """Bytes of the stream.

    Attributes:
        position: of the first byte, modulo POSITION_MODULUS.
        acknowledgement: the position that the sender of this frame expects next; of datagrams, the upper half of
            `position`.
    """

    position: int
    acknowledgement: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """What has arrived.

    Attributes:
        acknowledgement: the position expected next.
        ranges: position and length of what has arrived beyond a gap, in order.
    """

    acknowledgement: int
    ranges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """A question whether the peer is there, or the reply to one. All numbers are said modulo 2^32.

    Attributes:
        number: chosen by whoever asks, and said again in the reply.
        received: right frames that the sender of this one has received.
        damaged: frames that came damaged to it.
        pattern_bits: bits that it has compared, of the patterns of right and damaged probes and replies.
        wrong_bits: those of them that were wrong.
        body: the pattern between two zero bytes.
        reply: this is the reply.
    """

    number: int
    received: int
    damaged: int
    pattern_bits: int
    wrong_bits: int
    body: bytes
    reply: bool = False


Frame = Hello | Data | Ack | Probe


def encode(frame: Frame) -> bytes:
    """The bytes of a frame, without check sequence."""
    if isinstance(frame, Data):
        return _DATA.pack(Kind.DATA << 4, frame.position, frame.acknowledgement) + frame.data
    if isinstance(frame, Ack):
        ranges = b"".join([_RANGE.pack(position, length) for position, length in frame.ranges])
        return _ACK.pack(Kind.ACK << 4, frame.acknowledgement) + ranges
    if isinstance(frame, Probe):
        counted = (frame.received, frame.damaged, frame.pattern_bits, frame.wrong_bits)
        return _PROBE.pack(Kind.PROBE << 4 | (REPLY if frame.reply else 0), frame.number, *counted) + frame.body
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
    if kind == Kind.DATA and len(data) > _DATA.size:
        _, position, acknowledgement = _DATA.unpack_from(data)
        return Data(position, acknowledgement, data[_DATA.size :])
    if kind == Kind.ACK and len(data) >= _ACK.size and (len(data) - _ACK.size) % _RANGE.size == 0:
        _, acknowledgement = _ACK.unpack_from(data)
        return Ack(acknowledgement, tuple(_RANGE.iter_unpack(data[_ACK.size :])))
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
    if kind == Kind.PROBE and MIN_PATTERN_BYTES <= len(data) - _PROBE.size - 2 <= MAX_PATTERN_BYTES:
        _, number, received, damaged, pattern_bits, wrong_bits = _PROBE.unpack_from(data)
        return Probe(number, received, damaged, pattern_bits, wrong_bits, data[_PROBE.size :], bool(flags & REPLY))
    return None
