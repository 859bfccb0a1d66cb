"""The writing end of an SHMStream channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.wire import elements as layout
from gpiomux.wire.elements import HEADER_BYTES

if TYPE_CHECKING:
    from gpiomux.channels.fence import Fence


class ChannelWriter:
    """Writes elements into a region, of which it is the only writer.

    There is no flow control: an element that nobody has read is overwritten after a whole turn.

    *Threads and processes:* one thread. Borrows the region; `close` lets it go.

    Attributes:
        element_bytes: size of an element; 0 while stopped.
        elements: how many the region holds; 0 while stopped.
        written: elements of the stream so far.
    """

    def __init__(self, region: memoryview, fence: Fence) -> None:
        """Use a writable region of at least HEADER_BYTES, as bytes."""
        self._region = region
        self._header = region[:HEADER_BYTES].cast("Q")
        self._fence = fence
        self.written = 0
        self.element_bytes = self.elements = 0

    def start(self, *, protocol: int, element_bytes: int, epoch: int) -> bool:
        """Begin a new stream; False if the region has no room for a single element.

        Args:
            protocol: id of what the stream carries, 1..2^64-1.
            element_bytes: size of an element.
            epoch: 1..2^64-1, another than any before.
        """
        self.stop()
        elements = (len(self._region) - HEADER_BYTES) // element_bytes
        if elements < 1:
            return False
        header = self._header
        header[layout.TRANSPORT] = layout.MARKER
        header[layout.PROTOCOL] = protocol
        header[layout.SIZE] = element_bytes
        header[layout.ELEMENTS] = elements
        header[layout.RESERVED] = header[layout.WRITE_START] = header[layout.WRITE] = 0
        self._fence()
        header[layout.EPOCH] = epoch
        self.written, self.element_bytes, self.elements = 0, element_bytes, elements
        return True

    def write(self, element: bytes) -> None:
        """Write one element, of exactly `element_bytes`; the writer has been started."""
        at = HEADER_BYTES + self.written % self.elements * self.element_bytes
        begun = self.written + 1
        self._header[layout.WRITE_START] = begun
        self._fence()
        self._region[at : at + self.element_bytes] = element
        self._fence()
        self._header[layout.WRITE] = begun
        self.written = begun

    def stop(self) -> None:
        """Declare the channel inactive."""
        self._header[layout.EPOCH] = 0
        self._fence()
        self.element_bytes = self.elements = 0

    def close(self) -> None:
        """Stop, and let the region go."""
        self.stop()
        self._header.release()
        self._region.release()
