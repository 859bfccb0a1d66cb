"""One end of a wire in a process of its own: sends words and compares those that come (`test_handshake`)."""

from __future__ import annotations

import random
import select
import sys
from pathlib import Path

from gpiomux.lines.handshake import Handshake
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import open_wire

WIDTHS = {"a": 8, "b": 4}
"""Width of the words that each end sends."""
GIVE_UP_MS = 20_000


def words_of(end: str, count: int) -> bytes:
    return bytes(random.Random(end).choices(range(1 << WIDTHS[end]), k=count))


def main(directory: str, end: str, count: int) -> int:
    other = "b" if end == "a" else "a"
    width_in, width_out = WIDTHS[other], WIDTHS[end]
    outputs, inputs = range(width_out + 2), [16 + offset for offset in range(width_in + 2)]
    # The lines opposite to our data and req are the other's inputs; our ack answers its req.
    lines = SimulatedLines(open_wire(Path(directory), end), end, inputs=inputs, outputs=outputs)
    handshake = Handshake(lines, width_in=width_in, width_out=width_out)
    # An end takes the lines as it finds them, so a word that stands there already would pass it by: say that we are
    # there, and begin when both are.
    print("ready", flush=True)
    sys.stdin.readline()
    handshake.load(words_of(end, count))
    expected = words_of(other, count)
    while True:
        more = handshake.run(50, 4096)
        if handshake.idle and len(handshake.received) >= count:
            break
        if more:
            continue
        lines.set_edges(True)
        if not handshake.pending() and not select.select([lines], [], [], GIVE_UP_MS / 1000)[0]:
            print(f"{end}: nothing comes any more, after {len(handshake.received)} words", file=sys.stderr)
            return 1
        lines.set_edges(False)
        lines.read_events()
    lines.close()
    if handshake.received != expected:
        print(f"{end}: other words came than were sent", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
