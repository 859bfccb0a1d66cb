"""Offsets of lines as the file writes them, a list or a text such as "0-7,9", and as the model holds them."""

from __future__ import annotations

SHORTEST_RANGE = 3
"""Offsets in a row from which on a range reads better than a list."""


def parse(written: list[int] | str) -> tuple[int, ...]:
    """The offsets, in the order written; `written` follows the schema. A range that descends has none."""
    if not isinstance(written, str):
        return tuple(written)
    offsets: list[int] = []
    for part in written.split(","):
        first, _, last = part.strip().partition("-")
        offsets.extend(range(int(first), int(last or first) + 1))
    return tuple(offsets)


def descending_range(written: list[int] | str) -> str:
    """The first range that goes down, or nothing."""
    if isinstance(written, str):
        for part in written.split(","):
            first, _, last = part.strip().partition("-")
            if last and int(last) < int(first):
                return part.strip()
    return ""


def write(offsets: tuple[int, ...]) -> list[int] | str:
    """The offsets as the file would write them: a text if they hold a longer range, otherwise a list."""
    runs: list[list[int]] = []
    for offset in offsets:
        if runs and offset == runs[-1][-1] + 1:
            runs[-1].append(offset)
        else:
            runs.append([offset])
    if all(len(run) < SHORTEST_RANGE for run in runs):
        return list(offsets)
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def text(offsets: tuple[int, ...]) -> str:
    """The offsets for a message."""
    written = write(offsets)
    return written if isinstance(written, str) else ",".join(map(str, written))
