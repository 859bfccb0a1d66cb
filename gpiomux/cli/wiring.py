"""The verb `wiring`: what must be wired for a configuration, as a table or as a drawing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpiomux.cli import ask
from gpiomux.cli.output import line, tables
from gpiomux.errors import UsageError
from gpiomux.stats.report import Table
from gpiomux.wiring.joining import wiring_of_one, wiring_of_two

if TYPE_CHECKING:
    from gpiomux.wiring.ends import End, Place
    from gpiomux.wiring.joining import Cable, Wiring


def wiring(file: str, peer_file: str | None, output: str | None) -> int:
    """Print the wiring of one board, or of two to each other; with `output`, draw it into that file instead.

    Raises:
        UsageError: a file cannot be read or written, or there is nothing to wire.
        ConfigError: something is wrong with a configuration.
    """
    found = _wiring(file, peer_file)
    if output is not None:
        _draw(found, output)
        return 0
    tables([_table(cable, found, number) for number, cable in enumerate(found.cables)])
    line("")
    for note in found.notes:
        line(f"- {note}")
    return 0


def _wiring(file: str, peer_file: str | None) -> Wiring:
    from gpiomux.config import load

    text, name = ask.read_text(file)
    config = load.load_text(text, name, ask.path_of(file))
    if peer_file is None:
        return wiring_of_one(config, os.path.basename(name))
    peer_text, peer_name = ask.read_text(peer_file)
    peer = load.load_text(peer_text, peer_name, ask.path_of(peer_file))
    if os.path.basename(name) != os.path.basename(peer_name):  # else only the directories tell the boards apart
        name, peer_name = os.path.basename(name), os.path.basename(peer_name)
    return wiring_of_two(config, name, peer, peer_name)


def _draw(found: Wiring, path: str) -> None:
    from gpiomux.wiring.layout import draw
    from gpiomux.wiring.svg import svg_text

    text = svg_text(draw(found))
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as err:
        raise UsageError(f"cannot write {path}: {err.strerror}", hint="name a file that this user may write") from err


def _table(cable: Cable, found: Wiring, number: int) -> Table:
    """One row for each wire; ground, which all links share, stands below the first."""
    rows = [
        (_place(wire.first.place), wire.first.role, _arrow(wire.first), wire.second.role, _place(wire.second.place))
        for wire in cable.wires
    ]
    if not number:
        rows.append((_place(found.first_ground), "ground", "--", "ground", _place(found.second_ground)))
    ends = cable.first if cable.second in ("", cable.first) else f"{cable.first} to {cable.second}"
    return Table(
        title=ends,
        columns=(found.first, "role", "", "role", found.second or "the other board"),
        rows=tuple(rows),
    )


def _place(place: Place | None) -> str:
    return "" if place is None else place.words


def _arrow(first: End) -> str:
    return "->" if first.drives else "<-"
