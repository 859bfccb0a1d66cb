"""What the daemon tells about the links, as tables of text: no layout, no colour, no terminal.

The dictionaries are the answers to the verbs `status` and `chips` on the control socket; with `--json` these
verbs print them as they are.
"""

from __future__ import annotations

from enum import StrEnum

from gpiomux.frozen import Frozen
from gpiomux.stats.whereabouts import difference_words, interface_words

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    Answer = dict[str, Any]


_PREFIXES = ("", "k", "M", "G", "T")


class Tone(StrEnum):
    """How good a piece of news is; a terminal shows it as a colour."""

    PLAIN = "plain"
    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


class Table(Frozen):
    """One table to be shown."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = ()
    """Heads of the columns; none for a list of properties, whose first column is the name of the property."""
    note: str = ""
    """Stands beside the title and bears the tone."""
    tone: Tone = Tone.PLAIN
    tones: tuple[Tone, ...] = ()
    """Of the second cell of each row; none: all are plain."""


def daemon_line(status: Answer) -> str:
    """Say in one line which daemon keeps the links running."""
    daemon = status["daemon"]
    if daemon is None:
        return "gpiomuxd is not running; the links run without it"
    return f"gpiomuxd {daemon['version']}, pid {daemon['pid']}, up {duration(daemon['uptime_s'])}"


def status_tables(status: Answer) -> tuple[Table, ...]:
    """One table of properties for each link, in the order of the configuration."""
    return tuple(_link_table(link) for link in status["links"])


def chips_tables(chips: Answer) -> tuple[Table, ...]:
    """One table of lines for each GPIO chip; its note is the link whose chip it is."""
    return tuple(
        Table(
            title=f"{chip['node'].rpartition('/')[2]} [{chip['label']}]",
            note=f"chip of {chip['link']}" if chip["link"] else "",
            tone=Tone.GOOD if chip["link"] else Tone.PLAIN,
            columns=("line", "name", "direction", "consumer", "link"),
            rows=tuple(_line_row(line) for line in chip["lines"]),
        )
        for chip in chips["chips"]
    )


def duration(seconds: float) -> str:
    """A time in its two largest units, for example `3 min 2 s`."""
    rest = int(seconds)
    words: list[str] = []
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length_s)
        if count or (unit == "s" and not words):
            words.append(f"{count} {unit}")
    return " ".join(words[:2])


def program_words(program: Answer) -> str:
    """An XDP program: what it is, where it runs, and by what the kernel knows it."""
    name = program["program"] or program["name"] or "without a name"
    text = f"{name}:{program['part']}" if program["part"] else name
    known = ", ".join([f"id {program['id']}", *([f"tag {program['tag']}"] if program["tag"] else [])])
    return f"{text}, {program['mode']} ({known}){'' if program['ours'] else ', not by gpiomux'}"


def _link_table(link: Answer) -> Table:
    note, tone = condition(link)
    rows = [
        ("mode", f"{link['mode']}, mtu {link['mtu']}"),
        ("medium", f"{link['medium']}, wire {link['wire']}" if link["wire"] else link["medium"]),
        ("interface", interface_words(link)),
        ("peer", peer_words(link["peer"])),
        *((("traffic", traffic_words(link["traffic"])),) if link["traffic"] else ()),
        *((("xdp", program_words(link["xdp"])),) if link["xdp"] else ()),
        *((("lines", _lines(link["line"])),) if link["line"] else ()),
        *((("channels", _channels(link["channel"])),) if link["channel"] else ()),
        *((("marks", marks_words(link["marks"])),) if link["marks"]["method"] else ()),
        ("datapath", datapath_words(link["datapath"])),
        *((f"child {child['name']}", child_words(child)) for child in link["children"]),
    ]
    return Table(title=link["name"], rows=tuple(rows), note=note, tone=tone)


def condition(link: Answer) -> tuple[str, Tone]:
    """Why a link carries packets or not: the first obstacle on the way from the process to the peer."""
    datapath = link["datapath"]
    if datapath["state"] == "failed":
        return f"datapath failed: {datapath['last_exit']}" if datapath["last_exit"] else "datapath failed", Tone.BAD
    if datapath["state"] != "running":
        return f"datapath {datapath['state']}", Tone.WAITING
    if not link["carrier"]:
        return f"no carrier: {link['reason']}" if link["reason"] else "no carrier", Tone.BAD
    if difference := difference_words(link):
        return f"carrier, but the interface is {difference}", Tone.WAITING
    return "carrier", Tone.GOOD


def peer_words(peer: Answer | None) -> str:
    """What is known of the peer."""
    if peer is None:
        return "not heard"
    if "heard_s" in peer:
        return f"heard {duration(peer['heard_s'])} ago"
    if "element_bytes" in peer:
        elements = f"{peer['elements']} elements of {peer['element_bytes']} bytes"
        return f"writes {peer['writer']:#x}, {elements}, epoch {epoch_words(peer['epoch'])}"
    return (
        f"{peer['mode']}, mtu {peer['mtu']}, "
        f"reads {peer['reader']:#x}, writes {peer['writer']:#x}, epoch {epoch_words(peer['epoch'])}"
    )


def traffic_words(traffic: Answer) -> str:
    """How fast a link goes, and what it has lost."""
    rates = f"in {bit_rate(traffic['rx_bytes_per_s'])}, out {bit_rate(traffic['tx_bytes_per_s'])}"
    errors, dropped, over_s = traffic["errors"], traffic["dropped"], traffic["over_s"]
    over = duration(over_s) if over_s >= 1 else f"{over_s:.1f} s"
    return f"{rates}, in the last {over}; {errors} errors, {dropped} dropped"


def bit_rate(bytes_per_s: int) -> str:
    """A rate as people speak of networks, for example `12.3 kbit/s`."""
    rate, prefix = float(bytes_per_s * 8), 0
    while rate >= 999.5 and prefix < len(_PREFIXES) - 1:
        rate, prefix = rate / 1000, prefix + 1
    digits = 0 if prefix == 0 or rate >= 99.95 else 1
    return f"{rate:.{digits}f} {_PREFIXES[prefix]}bit/s"


def _lines(line: Answer) -> str:
    state = "asleep" if line["sleeping"] else "polling"
    if "edges_out" in line:
        return (
            f"{state}, {line['interrupts']} interrupts, {line['polls']} polls, "
            f"edges in {line['edges_in']}, out {line['edges_out']}"
        )
    return (
        f"{state}, {line['interrupts']} interrupts, {line['polls']} polls, "
        f"words in {line['words_in']}, out {line['words_out']}"
    )


def _channels(channel: Answer) -> str:
    state = "asleep" if channel["sleeping"] else "polling"
    return f"{state}, {channel['interrupts']} interrupts, {channel['polls']} polls, {channel['sleeps']} sleeps"


def epoch_words(epoch: int | str) -> str:
    """An epoch as people compare it."""
    return f"{epoch:#x}" if isinstance(epoch, int) else epoch


def marks_words(marks: Answer) -> str:
    """How marks are carried, and what that way cannot do."""
    return f"{marks['method']}: {marks['limits']}" if marks["limits"] else str(marks["method"])


def datapath_words(datapath: Answer) -> str:
    """The process of a link, and how often it was started again."""
    words = []
    if datapath["pid"] is not None:
        words += [f"pid {datapath['pid']}", f"up {duration(datapath['uptime_s'])}"]
    else:
        words.append(datapath["state"])
    if datapath["restarts"]:
        restarts = f"{datapath['restarts']} restart{'s' if datapath['restarts'] != 1 else ''}"
        words.append(f"{restarts} (last exit: {datapath['last_exit']})" if datapath["last_exit"] else restarts)
    return ", ".join(words)


def child_words(child: Answer) -> str:
    """Marks and namespace of a child."""
    marks = ", ".join(str(mark) for mark in child["marks"])
    text = f"mark{'s' if len(child['marks']) != 1 else ''} {marks}" if marks else "no marks"
    text = f"{text}, {interface_words(child)}"
    return f"{text}, xdp {program_words(child['xdp'])}" if child["xdp"] else text


def _line_row(line: Answer) -> tuple[str, ...]:
    direction = f"{line['direction']}, active low" if line["active_low"] else line["direction"]
    consumer = line["consumer"] or ("unknown" if line["used"] else "-")
    return str(line["offset"]), line["name"] or "-", direction, consumer, line["link"] or "-"
