"""How things are printed: results on standard output, progress and notes on standard error.

On a terminal with colours, a progress line, and tables by rich (imported for these only); elsewhere plain, so that a
pipe never sees an escape sequence. Nothing that comes from a file or from the daemon can drive the terminal: see
`visible`.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Any, TextIO

    from rich.console import Console
    from rich.table import Table as RichTable

    from gpiomux.stats.report import Table

SIGN_COLOURS = {"+": 32, "-": 31, "~": 33}
"""Green, red, yellow, as a terminal numbers them (ECMA-48, SGR)."""
BAR_COLUMNS = 30
NO_TERMINAL_COLUMNS = 132
TONE_STYLES = {"plain": "bold", "good": "bold green", "waiting": "bold yellow", "bad": "bold red"}


def on_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person is looking; a stream that was closed before we started is None."""
    return stream is not None and stream.isatty()


def columns() -> int:
    """How wide the terminal is now; where nobody is looking, wide enough."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return NO_TERMINAL_COLUMNS


def can_write(text: str) -> bool:
    """Tell whether standard output has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def visible(text: str) -> str:
    """The text with everything but printable characters and line ends written as an escape, such as `\\x1b`."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def line(text: str) -> None:
    """Print a line of the result."""
    print(visible(text))


def note(text: str) -> None:
    """Print a line that is not part of the result, such as a warning, on standard error."""
    print(visible(text), file=sys.stderr)


def as_json_line(answer: object) -> None:
    """Print one of many answers for programs, in a line of its own."""
    print(json.dumps(answer), flush=True)


def as_json(answer: object) -> None:
    """Print an answer for programs."""
    print(json.dumps(answer, indent=2))


def changes(answer: dict[str, Any], stream: TextIO) -> None:
    """Print the operations of a plan, one in a line, each with its sign; what is to be known besides on stderr."""
    for text in answer["notes"]:
        note(f"gpiomux: note: {text}")
    coloured = on_terminal(stream) and not os.environ.get("NO_COLOR")
    for operation in answer["operations"]:
        text = visible(operation["text"])
        print(_with_coloured_sign(text) if coloured else text, file=stream)
    if not answer["operations"]:
        print("nothing to do", file=stream)


def _with_coloured_sign(text: str) -> str:
    return f"\x1b[{SIGN_COLOURS[text[0]]}m{text[0]}\x1b[0m{text[1:]}"


def tables(shown: Iterable[Table]) -> None:
    """Print tables, an empty line between two."""
    from gpiomux.stats import render

    if not on_terminal(sys.stdout):
        line(render.plain_text(shown))
        return
    from rich.console import Console

    _print_tables(Console(highlight=False), shown)


def drawn(shown: Iterable[Table]) -> list[str]:
    """Tables as lines for the terminal, no more of them than it has."""
    from rich.console import Console

    console = Console(highlight=False)
    with console.capture() as captured:
        _print_tables(console, shown)
    return captured.get().splitlines()[: max(console.size.height - 1, 1)]


def _print_tables(console: Console, shown: Iterable[Table]) -> None:
    from rich.padding import Padding

    from gpiomux.stats import render

    for number, table in enumerate(shown):
        if number:
            console.print()
        console.print(_rich_title(table), soft_wrap=True)
        console.print(Padding(_rich_table(table), (0, 0, 0, len(render.INDENT))))


class Progress:
    """A line on standard error that follows operations while they run; nothing at all if that is no terminal.

    Not by rich, whose import takes longer than most changes. Used as a context manager; the line is gone after it.
    """

    def __init__(self) -> None:
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            _draw("")

    def update(self, step: dict[str, Any]) -> None:
        """Show how far the operations came: `done` of `total`, and the `operation` that runs now."""
        if on_terminal(sys.stderr):
            self._shown = True
            _draw(visible(f"{step['done']}/{step['total']} {step['operation']}").replace("\n", " "))

    def bar(self, done: int, total: int, text: str) -> None:
        """Show how far something has come that has no steps: `done` of `total`, and a few words."""
        if on_terminal(sys.stderr):
            self._shown = True
            filled = BAR_COLUMNS * done // max(total, 1)
            _draw(f"[{'#' * filled}{'.' * (BAR_COLUMNS - filled)}] {done}/{total} {visible(text)}")


def _draw(text: str) -> None:
    """Put text in the place of the line in which the cursor of the terminal is."""
    columns = os.get_terminal_size(sys.stderr.fileno()).columns
    # A line that is as wide as the terminal would move the cursor to the next one. Width 0: the terminal knows none.
    print(f"\r\x1b[2K{text[: columns - 1] if columns else text}", end="", file=sys.stderr, flush=True)


def _rich_title(table: Table) -> Any:
    from rich.text import Text

    style = TONE_STYLES[table.tone]
    title = Text(visible(table.title), style=style if table.note else "bold")
    return title.append(f"  {visible(table.note)}", style=style) if table.note else title


def _rich_table(table: Table) -> RichTable:
    from rich.table import Table as RichTable
    from rich.text import Text

    from gpiomux.stats import render

    made = RichTable(box=None, show_header=bool(table.columns), header_style="dim", padding=(0, 1), pad_edge=False)
    for number, right in enumerate(render.numeric_columns(table)):
        head = visible(table.columns[number]) if table.columns else ""
        made.add_column(head, justify="right" if right else "left", style="dim" if not number else "", overflow="fold")
    tones = table.tones or ("plain",) * len(table.rows)
    for row, tone in zip(table.rows, tones, strict=True):
        cells = [Text(visible(cell)) for cell in row]
        if tone != "plain":
            cells[1].stylize(TONE_STYLES[tone])
        made.add_row(*cells)
    return made
