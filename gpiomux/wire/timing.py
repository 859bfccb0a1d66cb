"""What a sender learns: how long a round trip takes, how often frames are lost, and how fast the line is."""

from __future__ import annotations

from math import isqrt

INITIAL_TIMEOUT_NS = 1_000_000_000
MIN_TIMEOUT_NS = 30_000_000
"""More than the receiver may wait with its acknowledgement, and than a scheduler is usually late."""
MAX_TIMEOUT_NS = 8_000_000_000

OVERHEAD_BYTES = 16
"""Of a data frame: header 5, record 3, check sequence 4, start 1, stuffing 1 or more, end 2."""
MIN_FRAME_DATA_BYTES = 32
MAX_FRAME_DATA_BYTES = 512
"""A packet of another flow waits so long at most."""
FRAME_NS = 400_000_000
"""No frame should be on its way for longer: only whole frames show the peer that we live, and of its patience
(`peering.SILENCE_NS`) most is to be left for a line or a process that stands still for a while."""
FIRST_BYTES = 1024
LOSS_MEMORY_BYTES = 32 * 1024
"""After so many bytes, earlier losses count half."""


class RoundTrip:
    """Smoothed round trip and the timeout derived from it (RFC 6298, section 2)."""

    def __init__(self) -> None:
        self.timeout_ns = INITIAL_TIMEOUT_NS
        self.least_ns = 0
        """Shortest measurement so far."""
        self._measured_timeout_ns = INITIAL_TIMEOUT_NS
        self._smoothed_ns = 0
        self._variation_ns = 0

    def sample(self, measured_ns: int) -> None:
        """Take one measurement, of a frame that was sent once only."""
        if self._smoothed_ns == 0:
            self._smoothed_ns, self._variation_ns = measured_ns, measured_ns // 2
            self.least_ns = measured_ns
        else:
            self._variation_ns += (abs(self._smoothed_ns - measured_ns) - self._variation_ns) // 4
            self._smoothed_ns += (measured_ns - self._smoothed_ns) // 8
        self.least_ns = min(self.least_ns, measured_ns)
        self.timeout_ns = min(max(self._smoothed_ns + 4 * self._variation_ns, MIN_TIMEOUT_NS), MAX_TIMEOUT_NS)
        self._measured_timeout_ns = self.timeout_ns

    def back_off(self) -> None:
        """A timeout has passed: wait twice as long for the next."""
        self.timeout_ns = min(self.timeout_ns * 2, MAX_TIMEOUT_NS)

    def recover(self) -> None:
        """Something has arrived: undo one `back_off`.

        RFC 6298 keeps the long timeout until the next measurement. On a line where most frames are lost hardly any
        arrives by its first transmission, so that would be for ever.
        """
        self.timeout_ns = max(self.timeout_ns // 2, self._measured_timeout_ns)


class LossRate:
    """How often frames are lost, and how much data a frame should carry to waste least.

    A frame costs OVERHEAD_BYTES besides its data and is lost with a probability that grows with its length. With a
    loss for each `b` bytes, frames of sqrt(OVERHEAD_BYTES * b) bytes carry most: the overhead shrinks as the frame
    grows, the loss grows with it, and their sum is least where both are equal.
    """

    def __init__(self) -> None:
        # As if one frame had been lost before: frames begin short, and grow while none is.
        self._bytes = FIRST_BYTES
        self._losses = 1

    def sent(self, data_bytes: int) -> None:
        """Count a frame that goes out."""
        self._bytes += data_bytes + OVERHEAD_BYTES
        if self._bytes > LOSS_MEMORY_BYTES:
            self._bytes //= 2
            self._losses //= 2

    def lost(self) -> None:
        """Count a frame that was lost."""
        self._losses += 1

    def data_bytes(self) -> int:
        """The data that the next frame should carry at most."""
        if not self._losses:
            return MAX_FRAME_DATA_BYTES
        best = isqrt(OVERHEAD_BYTES * self._bytes // self._losses)
        return min(max(best, MIN_FRAME_DATA_BYTES), MAX_FRAME_DATA_BYTES)


class Pace:
    """How fast the peer takes our words, and how much data a frame may carry so that it is over soon.

    A line that has become slower is believed at once, one that has become faster by half with each frame: a frame that
    is too long costs the carrier, one that is too short a few bytes.
    """

    def __init__(self) -> None:
        self._byte_ns = 0
        """What a byte on the line is thought to take; nothing is known at first."""

    def sent(self, line_bytes: int, took_ns: int) -> None:
        """Count a frame of so many bytes on the line, at least 1, whose words took so long."""
        self._byte_ns = max(took_ns // line_bytes, self._byte_ns // 2)

    def data_bytes(self) -> int:
        """The data that the next frame should carry at most."""
        if self._byte_ns * (MAX_FRAME_DATA_BYTES + OVERHEAD_BYTES) <= FRAME_NS:
            return MAX_FRAME_DATA_BYTES
        return max(FRAME_NS // self._byte_ns - OVERHEAD_BYTES, MIN_FRAME_DATA_BYTES)
