"""The verb scope: the waveform of a running link's lines, as a logic analyser would show it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from gpiomux.cli import ask
from gpiomux.cli.interruption import until_interrupted
from gpiomux.cli.output import can_write, columns, line, note
from gpiomux.cli.recording import Recording, made_file
from gpiomux.config.model import PulseLines
from gpiomux.config.plain import transport_from_plain
from gpiomux.errors import UnsupportedError, UsageError
from gpiomux.version import VERSION
from gpiomux.waveform import drawing
from gpiomux.waveform.decoded import pulse_spans_of, spans_of, words_of
from gpiomux.waveform.waveform import IN, OUT, SAMPLE, first_ns, waveform
from gpiomux.wire.trace import Trace

if TYPE_CHECKING:
    from gpiomux.config.model import Lines, Transport
    from gpiomux.waveform.decoded import Span, Word
    from gpiomux.waveform.waveform import Waveform

WORDS = 100
"""How many are taken if nobody says."""


def scope(link: str, seconds: int | None, words: int | None, output: str | None, png: str | None) -> int:
    """Take what the lines do until so many words were moved, so long is over, or Ctrl-C; then write or draw it.

    Raises:
        UsageError: the options do not go together, or a file cannot be made.
        UnsupportedError: a library for pictures is not there.
        GpiomuxError: there is no such link, it does not run (any more), or it has no lines.
    """
    if seconds is not None and words is not None:
        raise UsageError("scope takes --seconds or --words, not both", hint="leave one of them out")
    if png is not None:
        _require_pictures()
    with ask.keeper("scope") as asked:
        recording = Recording(asked, link, ("levels",))
        taken = _Taken(transport_from_plain(recording.transport))
        with until_interrupted():
            taken.take(recording, seconds, words if words is not None or seconds is not None else WORDS)
    shown = taken.waveform()
    note(taken.cost(shown))
    if not shown.changes:
        return 0
    moved, spans = taken.meaning(shown)
    if output is not None:
        from gpiomux.waveform.vcd import write_vcd

        with made_file(output) as file, io.TextIOWrapper(file, "utf-8") as text:
            write_vcd(text, link, shown, moved, spans, program=f"gpiomux {VERSION}")
    if png is not None:
        from gpiomux.waveform.picture import picture

        with made_file(png) as file:
            picture(link, shown, moved, spans).save(file, "PNG")
    if output is None and png is None:
        _draw(shown, moved, spans)
    return 0


class _Taken:
    """What was recorded of the lines."""

    def __init__(self, transport: Transport) -> None:
        assert transport.lines is not None  # a link without has nothing of the kind, which its datapath has said
        self._transport = transport
        self._lines: Lines = transport.lines
        self._chunks: list[bytes] = []
        self._gaps_ns: list[int] = []
        self._note_ns = 0

    def take(self, recording: Recording, seconds: int | None, words: int | None) -> None:
        """Take turns until it is enough. A word takes two changes at least, so they are counted only then."""
        for turn in recording.turns(seconds):
            if turn.records and turn.lost != 0:
                self._gaps_ns.append(first_ns(turn.records[0][-1]))
            for _, _, note_ns, samples in turn.records:
                self._note_ns = note_ns
                self._chunks.append(samples)
            if words is not None and turn.records and self._moved(words):
                return

    @property
    def _samples(self) -> int:
        return sum(map(len, self._chunks)) // SAMPLE.size

    def _moved(self, words: int) -> bool:
        pulses = isinstance(self._lines.into, PulseLines)
        if self._samples < (words if pulses else 2 * words):  # to put them together takes longer than to count them
            return False
        shown = self.waveform()
        return (len(shown.changes) if pulses else len(words_of(shown))) >= words

    def waveform(self) -> Waveform:
        """All of it."""
        return waveform(self._lines, self._chunks, self._gaps_ns)

    def meaning(self, shown: Waveform) -> tuple[list[Word], list[Span]]:
        """Words and frames."""
        if isinstance(self._lines.into, PulseLines):
            return [], pulse_spans_of(shown)
        words = words_of(shown)
        widths = {way: shown.data(way)[1] for way in (OUT, IN)}
        trace = Trace(mode=self._transport.mode.value, datagram=self._transport.delivery.value == "datagram")
        return words, spans_of(words, widths, trace, shown.gaps_ns)

    def cost(self, shown: Waveform) -> str:
        """What the link has paid for being looked at."""
        if len(shown.changes) < 2:
            return "gpiomux: no level has changed"
        took_ns = shown.changes[-1][0] - shown.changes[0][0]
        share = self._samples * self._note_ns / max(took_ns, 1)
        lost = f", with {len(self._gaps_ns)} gaps" if self._gaps_ns else ""
        return (
            f"gpiomux: {len(shown.changes)} changes of levels in {took_ns / 1e6:.1f} ms{lost}; "
            f"noting one took the link about {self._note_ns / 1000:.1f} us, {share:.1%} of this time"
        )


def _draw(shown: Waveform, words: list[Word], spans: list[Span]) -> None:
    strokes = drawing.UNICODE if can_write(drawing.UNICODE.rising + drawing.UNICODE.high) else drawing.ASCII
    for row in drawing.drawn(shown, words, columns=columns(), strokes=strokes):
        line(row)
    rows = drawing.span_rows(shown, spans, columns=columns())
    for row in ("", *rows) if rows else ():
        line(row)


def _require_pictures() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError as err:
        # Where pip is not installed, as in Debian's package, one of another environment can do it.
        hint = f"pip --python {sys.executable} install pillow, or use -o and look at the file with GTKWave or PulseView"
        raise UnsupportedError("scope --png needs the library Pillow", hint=hint) from err
