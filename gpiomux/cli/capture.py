"""The verb capture: the frames of a running link into a file for Wireshark."""

from __future__ import annotations

import os
import sys
import time

from gpiomux.cli import ask, output, pcapng
from gpiomux.cli.interruption import until_interrupted
from gpiomux.cli.recording import Recording, made_file
from gpiomux.errors import UsageError
from gpiomux.version import VERSION

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import BinaryIO

    from gpiomux.cli.recording import Turn

STANDARD_OUTPUT = "-"


def capture(link: str, write: str | None, count: int | None, seconds: int | None) -> int:
    """Write frames until so many are written, so long is over, or Ctrl-C.

    Raises:
        UsageError: there is no file to write to, or it cannot be made.
        GpiomuxError: there is no such link, it does not run (any more), or it has no frames.
    """
    if write is None:
        hint = f"name a file with -w; 'gpiomux debug {link} frames --follow' shows them here"
        raise UsageError("capture: there is no file to write to", hint=hint)
    if write == STANDARD_OUTPUT and output.on_terminal(sys.stdout):
        raise UsageError("capture: it would not be read on a terminal", hint="name a file with -w, or pipe it")
    with ask.keeper("capture") as asked:
        recording = Recording(asked, link, ("frame",))
        description = _description(recording)
        with _opened(write) as file:
            captured = Capture(file, link, description)
            try:
                with until_interrupted():
                    _run(recording, captured, count, seconds)
            finally:
                captured.end()
    return 0


class Capture:
    """A file that is being written."""

    def __init__(self, file: BinaryIO, link: str, description: str) -> None:
        """Begin it."""
        self._file = file
        self._link = link
        self._begun_ns = time.time_ns()
        self.written = 0
        self._lost = 0
        self._write(pcapng.header(f"gpiomux {VERSION}", link, description))

    def add(self, turn: Turn, most: int | None) -> None:
        """Add what came in a turn; `most` frames in all."""
        if turn.lost is None:
            output.note(f"gpiomux: note: the recording of {self._link} had ended; frames are missing here")
        self._lost += turn.lost or 0
        room = None if most is None else most - self.written
        frames = [
            pcapng.frame(time_ns, direction, damage, data)
            for time_ns, _, direction, damage, data in turn.records[:room]
        ]
        self._write(b"".join(frames))
        self.written += len(frames)

    def end(self) -> None:
        """End it, and say what is in it."""
        received = self.written + self._lost
        self._write(pcapng.statistics(self._begun_ns, time.time_ns(), received=received, dropped=self._lost))
        output.note(f"gpiomux: {self.written} frames captured, {self._lost} lost")

    def _write(self, blocks: bytes) -> None:
        self._file.write(blocks)
        self._file.flush()


def _run(recording: Recording, captured: Capture, count: int | None, seconds: int | None) -> None:
    for turn in recording.turns(seconds):
        captured.add(turn, count)
        if count is not None and captured.written >= count:
            return


def _description(recording: Recording) -> str:
    """What is to be known of a link to read its frames; the dissector reads it too."""
    transport = recording.transport
    return f"mode {transport['mode']}, delivery {transport.get('delivery', 'reliable')}, mtu {recording.mtu}"


def _opened(path: str) -> BinaryIO:
    if path == STANDARD_OUTPUT:
        return os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    return made_file(path)
