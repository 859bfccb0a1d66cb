"""The far end of a handshake in a process of its own: sends every word back, inverted, and ends after as many as told.

python -m tests.kernel.far_end CHIP ATOMIC WORDS
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from gpiomux.lines.handshake import Handshake
from tests.kernel.raw_lines import RawLines

WIDTH = 8
INPUTS = (*range(16, 24), 24, 25)
"""The word that comes, its `req`, the `ack` of what goes out."""
OUTPUTS = (*range(8), 8, 9)
"""The word that goes out, its `req`, the `ack` of what comes."""
SPIN, MOST = 1000, 100_000
READY = "ready"


def answer(chip: Path, atomic: bool, count: int) -> None:
    """Send `count` words back."""
    with closing(RawLines(chip, inputs=INPUTS, outputs=OUTPUTS, atomic=atomic)) as lines:
        handshake = Handshake(lines, width_in=WIDTH, width_out=WIDTH)
        print(READY, flush=True)
        answers = bytearray()
        answered = 0
        while answered < count or not handshake.idle:
            handshake.run(SPIN, MOST)
            answers += bytes(word ^ 0xFF for word in handshake.received)
            handshake.received.clear()
            if handshake.idle and answers:
                answered += len(answers)
                handshake.load(bytes(answers))
                answers.clear()
        # The lines are released with the process: the last word must have been taken before.
        sys.stdin.read()


if __name__ == "__main__":
    answer(Path(sys.argv[1]), sys.argv[2] == "True", int(sys.argv[3]))
