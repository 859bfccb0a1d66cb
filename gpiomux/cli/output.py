"""How things are printed: results on standard output, progress and notes on standard error.

On a terminal with colour and a progress line (rich, imported only there), elsewhere plain, so that a pipe never sees
an escape sequence. Nothing that comes from a file or from the daemon can drive the terminal: see `visible`.
"""

from __future__ import annotations

import json
import sys

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Any, TextIO

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID
    from rich.table import Table as RichTable

    from gpiomux.stats.report import Table

SIGN_STYLES = {"+": "green", "-": "red", "~": "yellow"}
TONE_STYLES = {"plain": "bold", "good": "bold green", "waiting": "bold yellow", "bad": "bold red"}


def on_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person is looking; a stream that was closed before we started is None."""
    return stream is not None and stream.isatty()


def visible(text: str) -> str:
    """The text with everything but printable characters and line ends written as an escape, such as `\\x1b`."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def line(text: str) -> None:
    """Print a line of the result."""
    print(visible(text))


def note(text: str) -> None:
    """Print a line that is not part of the result, such as a warning, on standard error."""
    print(visible(text), file=sys.stderr)


def as_json(answer: object) -> None:
    """Print an answer for programs."""
    print(json.dumps(answer, indent=2))


def plan(answer: dict[str, Any]) -> None:
    """Print the operations of a plan, one in a line, each with its sign; what is to be known besides on stderr."""
    for text in answer["notes"]:
        note(f"gpiomux: note: {text}")
    _operations(answer["operations"])


def _operations(listed: list[dict[str, Any]]) -> None:
    if not on_terminal(sys.stdout):
        for operation in listed:
            line(operation["text"])
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for operation in listed:
        text = Text(visible(operation["text"]))
        text.stylize(SIGN_STYLES[operation["sign"]], 0, 1)
        console.print(text, soft_wrap=True)


def tables(shown: Iterable[Table]) -> None:
    """Print tables, an empty line between two."""
    from gpiomux.stats import render

    if not on_terminal(sys.stdout):
        line(render.plain_text(shown))
        return
    from rich.console import Console
    from rich.padding import Padding

    console = Console(highlight=False)
    for number, table in enumerate(shown):
        if number:
            console.print()
        console.print(_rich_title(table), soft_wrap=True)
        console.print(Padding(_rich_table(table), (0, 0, 0, len(render.INDENT))))


class Progress:
    """A line on standard error that follows operations while they run; nothing at all if that is no terminal.

    *Threads and processes:* used by one thread, as a context manager; the line is gone after the block. rich draws it
    from a thread of its own, which ends with the block.
    """

    def __init__(self) -> None:
        self._shown: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            self._shown.stop()

    def update(self, step: dict[str, Any]) -> None:
        """Show how far the operations came: `done` of `total`, and the `operation` that runs now."""
        if not on_terminal(sys.stderr):
            return
        if self._shown is None or self._task is None:
            self._shown = _rich_progress()
            self._task = self._shown.add_task("", total=None)
            self._shown.start()
        self._shown.update(
            self._task, completed=step["done"], total=step["total"], description=visible(step["operation"])
        )


def _rich_progress() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    # markup off: an operation may well say "[...]", and rich would take it for a style.
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    return RichProgress(*columns, console=Console(stderr=True), transient=True)


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
    for row in table.rows:
        made.add_row(*(Text(visible(cell)) for cell in row))
    return made
