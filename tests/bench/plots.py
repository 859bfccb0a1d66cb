"""Pictures: goodput against packet size, in words and as measured, and against the bit-error rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from tests.bench.words import ERROR_RATES, SIZES, goodput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(directory: Path) -> list[Path]:
    """Write the pictures; their paths."""
    return [_against_size(directory / "goodput-size.png"), _against_errors(directory / "goodput-errors.png")]


def draw_media(directory: Path, sizes: Sequence[int], media: Mapping[str, Mapping[str, Sequence[float]]]) -> Path:
    """Draw goodput as it was measured on several media; the path of the picture.

    Args:
        directory: where the picture goes.
        sizes: of packets, in bytes.
        media: name of a medium -> way -> for each size the share of what the bare word loop carries one way.
    """
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for (medium, ways), colour in zip(media.items(), ("C0", "C1"), strict=True):
        for (way, shares), style in zip(ways.items(), ("-", "--"), strict=True):
            axes.plot(sizes, shares, style, color=colour, marker="o", label=f"{medium}, {way}")
    axes.set(
        title="Goodput against packet size, measured, 8 data lines each way",
        xlabel="packet size (bytes)",
        ylabel="of the bare word loop, one way",
        ylim=(0, 2.1),
        xlim=(0, 1600),
    )
    return _save(figure, axes, directory / "goodput-media.png")


def _against_size(path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for both, label in ((False, "one way"), (True, "both ways, the sum")):
        axes.plot(SIZES, [goodput(size, both=both) for size in SIZES], marker="o", label=label)
    axes.set(
        title="Goodput against packet size, 8 data lines each way",
        xlabel="packet size (bytes)",
        ylabel="payload bytes for each word of one direction",
        ylim=(0, 2.1),
        xlim=(0, 1600),
    )
    return _save(figure, axes, path)


def _against_errors(path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for size in (1500, 256):
        shares = [goodput(size, both=False, error_rate=rate) for rate in ERROR_RATES]
        axes.plot(ERROR_RATES, shares, marker="o", label=f"packets of {size} bytes")
    axes.set(
        title="Goodput on noisy data lines, one way",
        xlabel="bit-error rate",
        ylabel="payload bytes for each word",
        xscale="log",
        ylim=(0, 1.05),
    )
    return _save(figure, axes, path)


def _save(figure: Figure, axes: Axes, path: Path) -> Path:
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
