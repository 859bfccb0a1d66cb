"""The XDP programs of interfaces as a table: the answer to `xdp show`."""

from __future__ import annotations

from gpiomux.stats.report import Table

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from gpiomux.stats.report import Answer

NONE = "-"


def programs_table(answer: Answer) -> Table:
    """One row for each interface; notes on modes that are not what the kernel says stand in the last column."""
    rows = tuple(_row(it) for it in answer["interfaces"])
    columns = ("interface", "program", "mode", "id", "name", "tag", "by", "rx_xdp", "note")
    return Table(title="XDP programs", columns=columns, rows=rows)


def _row(interface: Answer) -> tuple[str, ...]:
    program = interface["xdp"]
    kept = NONE if interface["rx_xdp"] is None else str(interface["rx_xdp"])
    if program is None:
        return (interface["interface"], "none", NONE, NONE, NONE, NONE, NONE, kept, "")
    what = f"{program['program']}:{program['part']}" if program["part"] else program["program"]
    note = f"really generic: {program['obstacle']}" if program["obstacle"] else ""
    return (
        interface["interface"],
        what or NONE,
        program["mode"],
        str(program["id"]),
        program["name"] or NONE,
        program["tag"] or NONE,
        "gpiomux" if program["ours"] else "others",
        kept,
        note,
    )
