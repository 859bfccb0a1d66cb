"""Figures of a benchmark: the median of several rounds with their spread, a table, a file."""

from __future__ import annotations

import json
import os
import platform
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Figures = dict[str, float]


def summed(rounds: Iterable[Figures]) -> Figures:
    """The median of each figure over all rounds, and beside it how far the rounds lie apart."""
    values: dict[str, list[float]] = {}
    for found in rounds:
        for name, value in found.items():
            values.setdefault(name, []).append(value)
    figures = {}
    for name, several in values.items():
        figures[name] = median(several)
        figures[f"{name}_spread"] = max(several) - min(several)
    return figures


def report(figures: Figures, path: Path) -> None:
    """Print the table and write the file."""
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:>12,.3f}")
    path.parent.mkdir(exist_ok=True)
    about = {"machine": platform.machine(), "kernel": platform.release(), "python": platform.python_version()}
    path.write_text(json.dumps({"about": {**about, "cpus": os.cpu_count()}, "figures": figures}, indent=2) + "\n")
    print(f"written to {path.parent.name}/{path.name}")
