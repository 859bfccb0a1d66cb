"""All links at a glance, as `top` shows them: how they are, how fast they go, and how fast they went before. Pure."""

from __future__ import annotations

import re

from gpiomux.stats.counters import dropped, errors
from gpiomux.stats.report import Table, Tone, bit_rate, condition, daemon_line

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpiomux.stats.report import Answer

    Line = Callable[[Sequence[int]], str]

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=+*%#"
"""For a terminal that cannot show the others."""
SAMPLES = 30
"""Of the past that are shown at most."""
LEAST_SAMPLES = 8
_OTHER_COLUMNS = 84
"""What a table takes beside the past of both directions, with short names."""
_TONES = {Tone.BAD: 0, Tone.WAITING: 1, Tone.GOOD: 2, Tone.PLAIN: 3}


def top_tables(status: Answer, past: Sequence[Answer], *, columns: int, blocks: str = BLOCKS) -> tuple[Table, ...]:
    """A table of links and, where there are any, one of reasons why links are not as they should be, one of children.

    Args:
        status: an answer to `status`.
        past: the `rates` of answers to `stats`, one interval after the other, the newest last; empty at first.
        columns: of the terminal; what is left of them shows the past.
        blocks: eight characters, from the lowest to the highest.
    """
    samples = min(max((columns - _OTHER_COLUMNS) // 2, LEAST_SAMPLES), SAMPLES)

    def line(values: Sequence[int]) -> str:
        return sparkline(values[-samples:], blocks).rjust(samples)

    conditions = [condition(link) for link in status["links"]]
    # A reason is longer than everything else in the row of a link, and would take the place of the past.
    split = [re.split("[:,] ", note, maxsplit=1) for note, _ in conditions]
    rows = tuple(
        _link_row(link, state[0], _history(link["name"], past), line)
        for link, state in zip(status["links"], split, strict=True)
    )
    reasons = tuple((row[0], state[1]) for row, state in zip(rows, split, strict=True) if len(state) > 1)
    tones = tuple(tone for _, tone in conditions)
    worst = min(tones, key=lambda tone: _TONES[tone], default=Tone.PLAIN)
    good = sum(tone is Tone.GOOD for tone in tones)
    links = Table(
        title=daemon_line(status),
        note=f"{good} of {len(rows)} with a carrier",
        tone=worst,
        columns=("link", "state", "in", "", "out", "", "errors/s", "drops/s", "restarts"),
        rows=rows,
        tones=tones,
    )
    heads = ("child", "of", "marks", "in", "", "out", "")
    children = tuple(_child_row(link, child, past, line) for link in status["links"] for child in link["children"])
    return (
        links,
        *((Table(title="reasons", rows=reasons),) if reasons else ()),
        *((Table(title="children", columns=heads, rows=children),) if children else ()),
    )


def sparkline(values: Sequence[int], blocks: str = BLOCKS) -> str:
    """Values as a line of blocks, each as high as its share of the greatest; zero is empty."""
    most, highest = max(values, default=0), len(blocks) - 1
    return "".join(" " if not value else blocks[round(highest * value / most)] for value in values)


def _history(link: str, past: Sequence[Answer]) -> list[Answer]:
    """What of the past is about one link; empty for the time before it was there."""
    return [next((it for it in rates["links"] if it["name"] == link), {}) for rates in past]


def _link_row(link: Answer, note: str, history: list[Answer], line: Line) -> tuple[str, ...]:
    ways = _ways([it.get("interfaces", {}) for it in history], None, line)
    last = history[-1] if history else {}
    return (
        link["name"],
        note,
        *ways,
        str(_sum(last, errors)),
        str(_sum(last, dropped)),
        str(link["datapath"]["restarts"]),
    )


def _child_row(link: Answer, child: Answer, past: Sequence[Answer], line: Line) -> tuple[str, ...]:
    history = [it.get("interfaces", {}) for it in _history(link["name"], past)]
    marks = ", ".join(map(str, child["marks"]))
    return (child["name"], link["name"], marks, *_ways(history, child["name"], line))


def _ways(history: list[Answer], interface: str | None, line: Line) -> tuple[str, ...]:
    """Rate and past of what comes in, then of what goes out; of all interfaces of a link if none is named."""
    cells: list[str] = []
    for counter in ("rx_bytes", "tx_bytes"):
        values = [
            sum(counted.get(counter, 0) for name, counted in interfaces.items() if interface in (None, name))
            for interfaces in history
        ]
        cells += [bit_rate(values[-1] if values else 0), line(values)]
    return tuple(cells)


def _sum(rates: Answer, of: Callable[[Answer], int]) -> int:
    """Of a link and of its interfaces."""
    return sum(map(of, [rates.get("counters", {}), *rates.get("interfaces", {}).values()]))
