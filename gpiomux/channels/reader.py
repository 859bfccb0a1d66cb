"""The reading end of an SHMStream channel. Whoever writes it may be hostile: every number is checked before use."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from gpiomux.wire import elements as layout
from gpiomux.wire.elements import HEADER_BYTES
from gpiomux.wire.peering import show_id

if TYPE_CHECKING:
    from gpiomux.channels.fence import Fence

MAX_ELEMENT_BYTES = 1 << 20
"""What muennet reads at most."""


class Outcome(Enum):
    """What reading brought, if no element. The words are the specification's."""

    INACTIVE = "inactive"
    """Nobody writes."""
    INCOMPATIBLE = "incompatible interface"
    """What is written cannot be read; `ChannelReader.fault` says why."""
    EPOCH_CHANGED = "epoch changed"
    """A new stream has begun; the next reading brings its elements."""
    NO_DATA = "no data"
    OVERRUN = "overrun detected"
    """The writer has come round: all that waited is lost."""


class ChannelReader:
    """Reads the elements that one other process writes into a region.

    *Threads and processes:* one thread. Borrows the region; `close` lets it go.

    Attributes:
        epoch: of the stream that is read; 0 for none.
        element_bytes: size of its elements.
        elements: how many the region holds.
        protocol: id that the writer states, also where it is not the one we read.
        taken: elements of the stream that were read, or lost.
        written: elements of it that the writer had written when it was looked at last.
        fault: why the channel is incompatible.
    """

    def __init__(self, region: memoryview, protocol: int, fence: Fence) -> None:
        """Read a stream of a protocol from a region of at least HEADER_BYTES."""
        self._region = region
        self._header = region[:HEADER_BYTES].cast("Q")
        self._wanted = protocol
        self._fence = fence
        self.taken = self.written = 0
        self._seen = 0
        """The epoch that was looked at last, also one whose stream cannot be read."""
        self.epoch = self.element_bytes = self.elements = self.protocol = 0
        self.fault = ""

    def waiting(self) -> bool:
        """Whether `read` would bring anything but what it brought last; costs next to nothing."""
        header = self._header
        return header[layout.EPOCH] != self._seen or (self.epoch != 0 and header[layout.WRITE] > self.taken)

    def filled(self) -> int:
        """Elements that wait to be read; as many as there are, if the writer has come round or says so."""
        if self.epoch == 0:
            return 0
        return max(0, min(self._header[layout.WRITE] - self.taken, self.elements))

    def read(self) -> bytes | Outcome:
        """The next element, or why there is none."""
        header, fence = self._header, self._fence
        epoch = self._seen = header[layout.EPOCH]
        if epoch == 0:
            self.epoch = 0
            return Outcome.INACTIVE
        fence()
        if epoch != self.epoch:
            return self._synchronised(epoch)
        write = self.written = header[layout.WRITE]
        if self.taken >= write:
            return Outcome.NO_DATA
        fence()
        at = HEADER_BYTES + self.taken % self.elements * self.element_bytes
        element = self._region[at : at + self.element_bytes].tobytes()
        fence()
        if header[layout.WRITE_START] > self.taken + self.elements:
            self.taken = write
            return Outcome.OVERRUN
        if header[layout.EPOCH] != epoch:
            self.epoch = 0
            return Outcome.EPOCH_CHANGED
        self.taken += 1
        return element

    def _synchronised(self, epoch: int) -> Outcome:
        """Take over what the header says of a new stream, if it can be true; then it is not looked at again."""
        header = self._header
        transport, protocol = header[layout.TRANSPORT], header[layout.PROTOCOL]
        element_bytes, elements = header[layout.SIZE], header[layout.ELEMENTS]
        self._fence()
        if header[layout.EPOCH] != epoch:  # it was being filled in
            self.epoch = 0
            return Outcome.EPOCH_CHANGED
        self.protocol = protocol
        self.fault = self._fault(transport, element_bytes, elements)
        if self.fault:
            self.epoch = 0
            return Outcome.INCOMPATIBLE
        self.epoch, self.element_bytes, self.elements = epoch, element_bytes, elements
        self.taken = self.written = 0
        return Outcome.EPOCH_CHANGED

    def _fault(self, transport: int, element_bytes: int, elements: int) -> str:
        if transport != layout.MARKER:
            return f"the channel holds no SHMStream version 2 (its first word is {transport:#x})"
        if self.protocol != self._wanted:
            return f"peer writes {show_id(self.protocol)}, this link reads {show_id(self._wanted)}"
        stated_bytes = HEADER_BYTES + element_bytes * elements
        fits = 0 < element_bytes <= MAX_ELEMENT_BYTES and elements > 0 and stated_bytes <= len(self._region)
        if not fits:
            return f"peer states {elements} elements of {element_bytes} bytes in a channel of {len(self._region)} bytes"
        return ""

    def close(self) -> None:
        """Let the region go."""
        self._header.release()
        self._region.release()
