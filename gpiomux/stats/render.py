"""Tables as plain text, columns aligned: what a pipe, a log or a terminal without colours gets."""

from __future__ import annotations

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpiomux.stats.report import Table

INDENT = "  "
GAP = "  "


def plain_text(tables: Iterable[Table]) -> str:
    """The tables one below the other, an empty line between two; no trailing newline."""
    return "\n\n".join(_table(table) for table in tables)


def numeric_columns(table: Table) -> tuple[bool, ...]:
    """Tell which columns hold numbers only, and gaps; those stand at the right, all others at the left."""
    width = len(table.rows[0]) if table.rows else len(table.columns)
    filled = [[row[column] for row in table.rows if row[column]] for column in range(width)]
    return tuple(bool(cells) and all(cell.isdigit() for cell in cells) for cells in filled)


def _table(table: Table) -> str:
    head = f"{table.title}: {table.note}" if table.note else table.title
    rows = (table.columns, *table.rows) if table.columns else table.rows
    numeric = numeric_columns(table)
    widths = [max(len(row[column]) for row in rows) for column in range(len(numeric))] if rows else []
    lines = [head]
    for row in rows:
        cells = zip(row, widths, numeric, strict=True)
        text = GAP.join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells)
        lines.append(INDENT + text.rstrip())
    return "\n".join(lines)
