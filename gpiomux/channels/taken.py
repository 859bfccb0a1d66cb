"""How far the reader of a channel has come, told to its writer where both are ours.

SHMStream has no flow control: who writes faster than the other reads overwrites what has not been read, and the reader
then loses all that waited. Where both ends run on one run directory, the reader writes two words beside the channel,
and the writer leaves packets in the queue of their interface while the channel is full. Nothing depends on it: a
reader of another make never writes them, and one that has stopped is waited for once.

The words: the epoch of the stream that is read, and how many of its elements were taken.
"""

from __future__ import annotations

TAKEN_BYTES = 16
_EPOCH, _COUNT = 0, 1


class Taken:
    """The reader's side.

    *Threads and processes:* one thread. Borrows the words; `close` lets them go.
    """

    def __init__(self, region: memoryview) -> None:
        """Write into a region of TAKEN_BYTES."""
        self._words = region.cast("Q")

    def tell(self, epoch: int, count: int) -> None:
        """Tell how many elements of a stream were taken; epoch 0: none is read."""
        words = self._words
        if words[_EPOCH] != epoch:
            words[_EPOCH] = 0  # the count of one stream is never seen with the epoch of another
            words[_COUNT] = count
            words[_EPOCH] = epoch
        else:
            words[_COUNT] = count

    def close(self) -> None:
        """Let the words go."""
        self._words.release()


class Room:
    """The writer's side. Whatever the words say, it only ever makes the writer wait, and not for long.

    *Threads and processes:* one thread. Borrows the words; `close` lets them go.
    """

    def __init__(self, region: memoryview) -> None:
        """Read from a region of TAKEN_BYTES."""
        self._words = region.cast("Q")
        self._stood = -1
        """The count of a reader that was waited for in vain."""

    def left(self, *, epoch: int, written: int, elements: int) -> int:
        """How many elements can be written so that the reader loses none; all of them if nobody tells.

        Args:
            epoch: of the stream that is written.
            written: elements of it so far.
            elements: how many the channel holds.
        """
        count = self._words[_COUNT]
        if self._words[_EPOCH] != epoch or count == self._stood:
            return elements
        return min(max(elements - (written - count), 0), elements)

    def waited_in_vain(self) -> None:
        """Wait for this reader no more until it goes on."""
        self._stood = self._words[_COUNT]

    def close(self) -> None:
        """Let the words go."""
        self._words.release()
