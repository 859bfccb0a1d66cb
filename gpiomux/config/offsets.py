"""Offsets of lines as the file writes them, a list or a text such as "0-7,9", and as the model holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.text import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_RANGE = 3
"""Offsets in a row from which on a range reads better than a list."""


def parse(written: list[int] | str) -> tuple[int, ...]:
    """The offsets, in the order written; `written` follows the schema, and `check` finds nothing wrong with it."""
    if not isinstance(written, str):
        return tuple(written)
    return tuple(offset for first, last in _ranges(written) for offset in range(first, last + 1))


def count(written: list[int] | str) -> int:
    """How many offsets there are, without making them: a short text can say a million."""
    if not isinstance(written, str):
        return len(written)
    return sum(last + 1 - first for first, last in _ranges(written))


def check(written: list[int] | str) -> Refusal | None:
    """What is wrong with offsets that follow the schema, if anything."""
    if isinstance(written, str):
        for first, last in _ranges(written):
            if last < first:
                expected = f'expected "{last}-{first}", or a list if the order matters'
                return Refusal(f"the range {first}-{last} goes down", expected)
    return None


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


def _ranges(written: str) -> Iterator[tuple[int, int]]:
    """First and last offset of each part."""
    for part in written.split(","):
        first, _, last = part.partition("-")
        yield int(first), int(last or first)
