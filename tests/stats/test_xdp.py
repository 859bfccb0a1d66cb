"""gpiomux.stats.xdp: one row for each interface, whoever has attached its program."""

from __future__ import annotations

from typing import Any

from gpiomux.stats.xdp import programs_table

OURS = {"id": 7, "name": "only", "tag": "00ff", "mode": "native", "ours": True, "program": "/f.o", "part": "only"}
THEIRS = {"id": 8, "name": "", "tag": "", "mode": "generic", "ours": False, "program": "", "part": ""}


def interface(name: str, xdp: dict[str, Any] | None, kept: int | None = 3, obstacle: str = "") -> dict[str, Any]:
    program = None if xdp is None else {**xdp, "obstacle": obstacle}
    return {"interface": name, "link": "geth0", "netns": None, "rx_xdp": kept, "xdp": program}


def test_a_row_says_what_is_attached_and_by_whom() -> None:
    rows = programs_table(
        {
            "interfaces": [
                interface("geth0", OURS),
                interface("child1", THEIRS, None),
                interface("child2", None, 0),
                interface("child3", OURS, 0, "rx_ring"),
            ]
        }
    ).rows
    assert rows == (
        ("geth0", "/f.o:only", "native", "7", "only", "00ff", "gpiomux", "3", ""),
        ("child1", "-", "generic", "8", "-", "-", "others", "-", ""),
        ("child2", "none", "-", "-", "-", "-", "-", "0", ""),
        ("child3", "/f.o:only", "native", "7", "only", "00ff", "gpiomux", "0", "really generic: rx_ring"),
    )
