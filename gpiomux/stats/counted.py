"""What was counted, as tables of text, and how fast it grows. Pure.

The dictionaries are answers to `stats` and `reset-stats`; words and their order are those of `gpiomux.stats.counters`.
"""

from __future__ import annotations

from gpiomux.stats.counters import COUNTER, COUNTERS
from gpiomux.stats.report import Table, Tone

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    from gpiomux.stats.report import Answer

_WAYS = ("rx", "tx")
_RATE = "/s"


def rates(before: Answer, now: Answer, elapsed_s: float) -> Answer:
    """What of an answer was counted in each second since another one, in the same shape.

    Where a number is less than before, somebody has reset it, or its process began anew: all of it is new then.

    Args:
        before: the earlier answer, of the same verb.
        now: the later one.
        elapsed_s: from one to the other.
    """
    earlier = {link["name"]: link for link in before["links"]}
    return {"links": [_rates(earlier.get(link["name"], {}), link, elapsed_s) for link in now["links"]]}


def _rates(before: Answer, now: Answer, elapsed_s: float) -> Answer:
    found: Answer = {}
    for name, value in now.items():
        if isinstance(value, dict):
            found[name] = _rates(before.get(name, {}), value, elapsed_s)
        elif isinstance(value, bool) or not isinstance(value, int):
            found[name] = value
        else:
            grown = value - before.get(name, 0)
            found[name] = round((grown if grown >= 0 else value) / elapsed_s)
    return found


def stats_tables(stats: Answer, growth: Answer | None = None) -> tuple[Table, ...]:
    """The tables of each link: what went each way, what happened, and its interfaces by themselves and by protocol.

    Args:
        stats: an answer to `stats`.
        growth: its `rates`, to stand beside the numbers; None: they stand alone.
    """
    slow = [None] * len(stats["links"]) if growth is None else growth["links"]
    return tuple(
        table
        for link, rate in zip(stats["links"], slow, strict=True)
        for table in (_ways_table(link, rate), _events_table(link, rate), *_interface_tables(link, rate))
        if table.rows or table.note
    )


def _ways_table(link: Answer, rate: Answer | None) -> Table:
    """What a link counts in both directions, or could: a row for each word, a column for each direction."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for part, name in _names("counters", "line"):
        way, word = _way_of(name)
        if way and name in link[part]:
            found.setdefault(word, {})[way] = (link[part][name], 0 if rate is None else rate[part][name])
    columns = [column for way in _WAYS for column in ((way,) if rate is None else (way, way + _RATE))]
    rows = [
        (word, *(cell for way in _WAYS for cell in _cells(counted.get(way), with_rate=rate is not None)))
        for word, counted in found.items()
    ]
    error = link.get("error", "")  # an answer to `reset-stats` has none: it is an error as a whole
    if error:
        return Table(title=link["name"], rows=(), note=error, tone=Tone.BAD)
    return Table(title=link["name"], columns=("counter", *columns), rows=tuple(rows))


def _cells(counted: tuple[int, int] | None, *, with_rate: bool) -> tuple[str, ...]:
    """A number and its rate; empty for what this direction does not have."""
    number, rate = ("", "") if counted is None else map(str, counted)
    return (number, rate) if with_rate else (number,)


def _events_table(link: Answer, rate: Answer | None) -> Table:
    """What happens to a link as a whole."""
    rows = tuple(
        (name, *_cells((link[part][name], 0 if rate is None else rate[part][name]), with_rate=rate is not None))
        for part, name in _names("line", "channel", "counters")
        if name in link[part] and not _way_of(name)[0]
    )
    columns = () if rate is None else ("event", "count", "count" + _RATE)
    return Table(title=f"{link['name']} events", columns=columns, rows=rows)


def _interface_tables(link: Answer, rate: Answer | None) -> tuple[Table, Table]:
    """For each interface a row of each direction, and beneath it how fast these numbers grow."""
    interfaces: dict[str, dict[str, Any]] = link["interfaces"]
    protocols = {name: counted.get("protocols", {}) for name, counted in interfaces.items()}
    growing = {} if rate is None else rate["interfaces"]
    growing_protocols = {name: counted.get("protocols", {}) for name, counted in growing.items()}
    return (
        _by_interface(f"{link['name']} interfaces", "interfaces", interfaces, growing),
        _by_interface(f"{link['name']} protocols", "protocols", protocols, growing_protocols),
    )


def _by_interface(title: str, part: str, interfaces: Answer, growing: Answer) -> Table:
    known = {name for counted in interfaces.values() for name in counted}
    words = tuple(dict.fromkeys(_way_of(name)[1] for _, name in _names(part) if name in known))
    rows = []
    for interface, counted in interfaces.items():
        for way in _WAYS:
            for label, numbers in ((way, counted), (way + _RATE, growing.get(interface))):
                if numbers is not None:
                    rows.append((interface, label, *(str(numbers.get(f"{way}_{word}", "")) for word in words)))
    return Table(title=title, columns=("interface", "way", *words), rows=tuple(rows) if words else ())


def _names(*parts: str) -> list[tuple[str, str]]:
    """Part and name of what is counted, of some parts in this order; states are for `status`."""
    return [(part, it.name) for part in parts for it in COUNTERS if it.part == part and it.kind == COUNTER]


def _way_of(name: str) -> tuple[str, str]:
    """Direction and word of a counter: `rx_packets` and `words_in` are both of what comes; empty: it has none."""
    for way, prefix, suffix in (("rx", "rx_", "_in"), ("tx", "tx_", "_out")):
        if name.startswith(prefix):
            return way, name.removeprefix(prefix)
        if name.endswith(suffix):
            return way, name.removesuffix(suffix)
    return "", name
