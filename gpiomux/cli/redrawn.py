"""Tables that are shown again and again: in the same place on a terminal, one block after the other elsewhere."""

from __future__ import annotations

import select
import sys

from gpiomux.cli import output

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpiomux.stats.report import Table


class Redrawn:
    """Shows tables in the place of those before."""

    def __init__(self) -> None:
        self._lines = 0
        """Lines above the cursor that are to be drawn over."""
        self._begun = False

    def show(self, tables: Sequence[Table]) -> None:
        """Show tables instead of the last ones; where nobody is looking, after them.

        What is longer than the terminal is cut off, because what has left its upper edge cannot be drawn over.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        if output.on_terminal(sys.stdout):
            shown = output.drawn(tables)
            # Up to the first line of the last tables, and everything away from there (ECMA-48, CPL and ED).
            back = f"\x1b[{self._lines}F\x1b[J" if self._lines else ""
            sys.stdout.write(back + "".join(f"{line}\n" for line in shown))
            self._lines = len(shown)
        else:
            if self._begun:
                output.line("")
            output.tables(tables)
        self._begun = True
        sys.stdout.flush()


def pause(seconds: float) -> None:
    """Wait, but not for one who looks no more.

    Raises:
        BrokenPipeError: nobody reads standard output any more.
    """
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # that the reader has gone (POLLERR) is told in any case
    if poll.poll(seconds * 1000):
        raise BrokenPipeError
