"""A waveform as a value change dump (IEEE 1364, section 18), which GTKWave and PulseView open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from vcd import VCDWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vcd.writer import Variable

    from gpiomux.waveform.decoded import Span, Word
    from gpiomux.waveform.waveform import Waveform

    _Variable = Variable[Any]
    _Change = tuple[int, int, _Variable, int | str | None]
    """Time, rank among those of the same time, what changes, and to what."""


def write_vcd(
    file: TextIO, link: str, shown: Waveform, words: Sequence[Word], spans: Sequence[Span], *, program: str
) -> None:
    """Write a waveform; time begins with its first change.

    A scope for each direction holds its lines, its word, unknown between two, and its frame as text. A word is a wire
    for each of its bits, because PulseView's library (libsigrok 0.5) ends at the first value of several bits; GTKWave
    makes one of them by their names. Text is skipped there with a warning.

    Args:
        file: to write to.
        link: name of the link, the outermost scope.
        shown: the waveform, with one change at least.
        words: moved on it.
        spans: the frames.
        program: what wrote the file.
    """
    begin_ns = shown.changes[0][0]
    widths = {way: shown.data(way)[1] for way in dict.fromkeys(word.direction for word in words)}
    with VCDWriter(file, timescale="1 ns", version=program, comment=f"link {link}", init_timestamp=0) as writer:
        lines = {
            line.bit: writer.register_var(
                (link, line.direction), f"{line.direction}_{line.role}", "wire", size=1, init="x"
            )
            for line in shown.lines
        }
        shown_words = {
            way: [
                writer.register_var((link, way), f"{way}_word[{bit}]", "wire", size=1, init="x") for bit in range(width)
            ]
            for way, width in widths.items()
        }
        frames = {
            way: writer.register_var((link, way), f"{way}_frame", "string", init="")
            for way in dict.fromkeys(span.direction for span in spans)
        }
        changes: list[_Change] = [
            *_line_changes(shown, lines),
            *(change for word in words for change in _word_changes(word, shown_words[word.direction])),
            *((span.begin_ns, 1, frames[span.direction], span.text) for span in spans),
            *((span.end_ns, 0, frames[span.direction], "") for span in spans),
        ]
        # What ends at the time at which the next begins ends first.
        for time_ns, _, variable, value in sorted(changes, key=lambda change: change[:2]):
            writer.change(variable, max(time_ns - begin_ns, 0), value)


def _word_changes(word: Word, variables: Sequence[_Variable]) -> Iterator[_Change]:
    for bit, variable in enumerate(variables):
        yield word.begin_ns, 1, variable, word.value >> bit & 1
        yield word.end_ns, 0, variable, "x"


def _line_changes(shown: Waveform, lines: dict[int, _Variable]) -> Iterator[_Change]:
    before: tuple[int, int] | None = None
    for time_ns, levels in shown.changes:
        if before is not None and shown.follows_gap(before[0], time_ns):
            yield from ((before[0] + 1, 2, variable, "x") for variable in lines.values())
            before = None
        for bit, variable in lines.items():
            level = levels >> bit & 1
            if before is None or before[1] >> bit & 1 != level:
                yield time_ns, 2, variable, level
        before = time_ns, levels
