"""The stream for `delivery: datagram`: nothing is acknowledged or sent again, and what is lost stays lost.

The frames are those of a reliable stream, with whole records in each, so that a lost frame spoils no other. Positions
are said modulo 2^32, because no window bounds how much may be lost in a row. The verbs are those of
`gpiomux.wire.stream`.
"""

from __future__ import annotations

from gpiomux.wire.frame import DATAGRAM_POSITION_MODULUS, Ack
from gpiomux.wire.stream import Arrival
from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES


class SendDatagrams:
    """The sending side."""

    has_lost = False

    def __init__(self) -> None:
        self._base = 0
        self._bytes = b""
        self._going = 0
        """Bytes of the frame whose words are going out."""

    def data_bytes(self) -> int:
        """The data that the next frame should carry at most."""
        return MAX_FRAME_DATA_BYTES

    def room(self) -> int:
        """Bytes that `append` takes."""
        return MAX_FRAME_DATA_BYTES - len(self._bytes)

    def unsent(self) -> int:
        """Bytes that were appended and never sent."""
        return len(self._bytes)

    @property
    def base(self) -> int:
        """All bytes before this position have left; counted from 0 without end."""
        return self._base

    @property
    def end(self) -> int:
        """Position after the last byte that was appended."""
        return self._base + self._going + len(self._bytes)

    def append(self, data: bytes) -> None:
        """Add a record; at most `room`."""
        self._bytes += data

    def take(self, _most_bytes: int = MAX_FRAME_DATA_BYTES) -> tuple[int, bytes] | None:
        """Position (modulo DATAGRAM_POSITION_MODULUS) and data of the next frame: all that was appended."""
        if not self._bytes:
            return None
        self._base += self._going
        data, self._bytes = self._bytes, b""
        self._going = len(data)
        return self._base % DATAGRAM_POSITION_MODULUS, data

    def gone_out(self, _now_ns: int) -> None:
        """The last word of the frame from `take` has gone out: nothing more is known of it."""
        self._base += self._going
        self._going = 0

    def acknowledged(self, _ack: Ack, _now_ns: int) -> bool:
        """Datagrams are not acknowledged; what a peer says all the same is of no use."""
        return True

    def deadline_ns(self) -> int | None:
        """There is nothing to wait for."""
        return None

    def on_deadline(self, _now_ns: int) -> bool:
        """There is nothing to wait for."""
        return False


class ReceiveDatagrams:
    """The receiving side."""

    has_gap = crowded = False
    expected = 0
    """Datagrams are not acknowledged."""

    def __init__(self) -> None:
        self._expected = 0

    def accept(self, position: int, data: bytes) -> Arrival:
        """Take the data of one frame."""
        lost = position != self._expected
        self._expected = (position + len(data)) % DATAGRAM_POSITION_MODULUS
        return Arrival(data, lost=lost)

    def hold(self, on: bool) -> None:
        """Nothing is acknowledged anyway."""

    def ack(self) -> Ack:
        """Says nothing."""
        return Ack(self.expected)
