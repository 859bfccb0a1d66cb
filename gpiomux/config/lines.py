"""Rules of the lines of a link, and of the chips that lines are taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config import offsets
from gpiomux.config.defaults import sim_lines
from gpiomux.config.model import Lines
from gpiomux.config.plain import bundle_from_plain, code_from_plain
from gpiomux.config.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault

WIDTHS = (1, 2, 4, 8)
"""Numbers of data lines: a byte is a whole number of words."""
SIM_CHIP_LINES = 32
SIM_FIRST_INPUT = 16
"""Offsets below are outputs, the others inputs. Line i of one end is wired to line (i+16) mod 32 of the other, so no
output ever meets an output."""
HIGHEST_GATHERED = 512
"""AGGREGATOR_MAX_GPIOS of the kernel's gpio-aggregator."""

_OUTPUTS = {
    "handshake": (("out", "data"), ("out", "req"), ("in", "ack")),
    "gpiosk": (("out", "ctl"), ("out", "data")),
}
_INPUTS = {
    "handshake": (("in", "data"), ("in", "req"), ("out", "ack")),
    "gpiosk": (("in", "ctl"), ("in", "data")),
}
"""Direction and part of the roles by line code."""


def line_faults(links: list[Spot]) -> Iterator[Fault]:
    """Everything that is wrong with lines, except how the two ends of a wire fit."""
    taken: dict[str, int] = {}
    devices: dict[str, int] = {}
    for link in links:
        yield from _writing_faults(link)
        yield from _width_faults(link)
        yield from _role_faults(link)
        yield from _stuck_faults(link)
        yield from _setting_faults(link)
        yield from _origin_faults(link, devices)
        yield from _source_faults(link, taken)


def lines_of(link: Spot) -> Lines | None:
    """The lines of a link, stated or by default; None if there are none, or if what is stated has a fault."""
    name = code_of(link)
    code = code_from_plain(name)
    if link.get("medium") == "sim" and not link.mentions("lines"):
        return sim_lines(code)
    stated = [link.below("lines", *role) for role in (*_OUTPUTS[name], *_INPUTS[name])]
    if (
        not link.sound("lines")
        or None in stated
        or any(_data_count(link, side) not in WIDTHS for side in ("out", "in"))
    ):
        return None
    sides = (bundle_from_plain(link.get("lines", side), code) for side in ("out", "in"))
    return Lines(out=next(sides), into=next(sides))


def code_of(link: Spot) -> str:
    """The name of a link's line code, stated or by default."""
    code = link.below("code")
    name = code.get("name") if code is not None and isinstance(code.value, dict) else code and code.value
    return "gpiosk" if name == "gpiosk" else "handshake"


def _data_count(link: Spot, direction: str) -> int:
    """The number of data lines; 0 if it cannot be told."""
    data = link.below("lines", direction, "data")
    if data is None or not data.sound():
        return 0
    if isinstance(data.value, int):
        return 1
    return 0 if offsets.check(data.value) is not None else offsets.count(data.value)


def _writing_faults(link: Spot) -> Iterator[Fault]:
    """Offsets that are written so that they mean nothing."""
    written = [link.below("lines", direction, "data") for direction in ("out", "in")]
    written += [source.below("offsets") for source in link.items("lines", "from")]
    written.append(link.below("lines", "active_low"))
    for spot in written:
        refusal = None if spot is None or isinstance(spot.value, int) else offsets.check(spot.value)
        if spot is not None and refusal is not None:
            yield spot.fault(*refusal)


def _width_faults(link: Spot) -> Iterator[Fault]:
    for direction in ("out", "in"):
        data, width = link.below("lines", direction, "data"), _data_count(link, direction)
        if data is not None and width and width not in WIDTHS:
            yield data.fault(f"there are {width} data lines", "expected 1, 2, 4 or 8")


def _role_faults(link: Spot) -> Iterator[Fault]:
    """Lines that the link uses twice, that its chip does not have, or that would drive against another output."""
    used: dict[int, str] = {}
    last = _last_offset(link)
    code = code_of(link)
    for roles, direction in ((_OUTPUTS, "output"), (_INPUTS, "input")):
        for role in roles[code]:
            for spot, offset in _role_offsets(link, role):
                if offset in used:
                    yield spot.fault(f"line {offset} is {used[offset]} already", "use each line once")
                elif last is not None and offset > last:
                    yield spot.fault(f"the chip of this link has no line {offset}", f"expected 0..{last}")
                elif link.get("medium") == "sim" and (offset < SIM_FIRST_INPUT) != (direction == "output"):
                    yield _wrong_half(spot, offset, direction)
                used.setdefault(offset, ".".join(role))


def _role_offsets(link: Spot, role: tuple[str, str]) -> list[tuple[Spot, int]]:
    """The offsets of one role, each with its place; none where the file does not say them soundly."""
    direction, part = role
    spot = link.below("lines", direction, part)
    if spot is None:
        return []
    if isinstance(spot.value, int):
        return [(spot, spot.value)]
    if isinstance(spot.value, list):
        return [(item, item.value) for item in spot.items()]
    return [(spot, offset) for offset in offsets.parse(spot.value)] if _data_count(link, direction) in WIDTHS else []


def _wrong_half(spot: Spot, offset: int, direction: str) -> Fault:
    outputs, inputs = f"0..{SIM_FIRST_INPUT - 1}", f"{SIM_FIRST_INPUT}..{SIM_CHIP_LINES - 1}"
    message = f"line {offset} of a simulated chip cannot be an {direction}"
    half = outputs if direction == "output" else inputs
    return spot.fault(message, f"expected {half}: {outputs} are outputs and {inputs} inputs, so that no outputs meet")


def _last_offset(link: Spot) -> int | None:
    """The last offset of the link's chip, or None if that is not known."""
    if link.get("medium") == "sim":
        return SIM_CHIP_LINES - 1
    counts = [_source_count(source) for source in link.items("lines", "from")]
    return sum(counts) - 1 if counts and all(counts) and link.sound("lines", "from") else None


def _origin_faults(link: Spot, devices: dict[str, int]) -> Iterator[Fault]:
    """Real lines that come from nowhere, or from two places. `devices` maps each device to where it was named."""
    lines = link.below("lines")
    if lines is None or link.get("medium") != "gpio":
        return
    device = lines.below("device")
    if lines.mentions("device") and lines.mentions("from"):
        yield lines.key_fault("device", "key 'device' does not fit here", "remove it, or `from`: lines have one origin")
    elif not lines.mentions("device") and not lines.mentions("from"):
        expected = "expected `from`: where the lines come from; they are gathered into one chip in this order"
        yield lines.fault("key 'from' is missing", f"{expected}, offset 0 first")
    elif device is not None:
        if device.value in devices:
            message = f"device {quoted(device.value)} is taken already, in line {devices[device.value]}"
            yield device.fault(message, "name another device: it makes one chip, and each link has a chip of its own")
        devices.setdefault(device.value, device.line)
    if lines.get("aggregate") is False:
        yield from _bare_faults(link, lines)


def _bare_faults(link: Spot, lines: Spot) -> Iterator[Fault]:
    """What a link cannot have that runs on its source chip itself."""
    if lines.mentions("device"):
        yield lines.key_fault("aggregate", "key 'aggregate' does not fit here", "remove it: a device is an aggregator")
    if link.mentions("access"):
        expected = "remove it: without aggregator the link has no node of its own"
        yield link.key_fault("access", "key 'access' does not fit here", expected)
    first = None
    for source in lines.items("from"):
        if isinstance(source.value, str):
            expected = "name it by chip and offset: without aggregator the link runs on the source chip itself"
            yield source.fault(f"line {quoted(source.value)} is given by its name", expected)
            continue
        chip = source.get("chip")
        first = first or chip
        if chip is not None and chip != first:
            message = f"chip {quoted(chip)} is a second one, after {quoted(str(first))}"
            yield source.fault(message, "take all lines from one chip, or remove `aggregate: false`")


def _setting_faults(link: Spot) -> Iterator[Fault]:
    """`active_low` of lines that the link does not use, or twice."""
    low, lines = link.below("lines", "active_low"), lines_of(link)
    if low is None or lines is None or link.get("medium") != "gpio" or not link.sound("lines", "active_low"):
        return
    if offsets.check(low.value) is not None or offsets.count(low.value) > HIGHEST_GATHERED:
        return
    used = (*lines.inputs, *lines.outputs)
    seen: set[int] = set()
    for offset in offsets.parse(low.value):
        if offset not in used:
            expected = f"expected some of {offsets.text(tuple(sorted(used)))}"
            yield low.fault(f"line {offset} is no line of this link", expected)
        elif offset in seen:
            yield low.fault(f"line {offset} is named twice", "name each line once")
        seen.add(offset)


def _source_count(source: Spot) -> int:
    """How many lines an entry of `from` gathers; 0 if it cannot be told."""
    if isinstance(source.value, str):
        return 1
    written = source.below("offsets")
    if written is None or not written.sound() or offsets.check(written.value) is not None:
        return 0
    return offsets.count(written.value)


def _source_faults(link: Spot, taken: dict[str, int]) -> Iterator[Fault]:
    """Lines of source chips that the file takes twice. `taken` maps each line to where it was taken, and grows."""
    sources = link.items("lines", "from")
    count = sum(_source_count(source) for source in sources)
    if count > HIGHEST_GATHERED:
        message = f"{count} lines are gathered into one chip"
        yield link.source.fault((*link.path, "lines", "from"), message, f"expected at most {HIGHEST_GATHERED}")
        return
    for source in sources:
        for spot, name in _gathered(source):
            if name in taken:
                yield spot.fault(f"{name} is taken already, in line {taken[name]}", "take each line once")
            taken.setdefault(name, spot.line)


def _gathered(source: Spot) -> Iterator[tuple[Spot, str]]:
    """Every line that an entry of `from` gathers, in the words of a message, with its place."""
    if isinstance(source.value, str):
        yield source, f"line {quoted(source.value)}"
    elif source.get("chip") is not None and _source_count(source):
        chip = quoted(source.get("chip"))
        written = source.below("offsets")
        for item in source.items("offsets"):
            yield item, f"line {item.value} of chip {chip}"
        if written is not None and isinstance(written.value, str):
            for offset in offsets.parse(written.value):
                yield written, f"line {offset} of chip {chip}"


def _stuck_faults(link: Spot) -> Iterator[Fault]:
    """Only an input can be stuck: an output reads as it is driven."""
    stuck, lines = link.below("faults", "stuck"), lines_of(link)
    if stuck is None or lines is None or link.get("medium") != "sim":
        return
    inputs = lines.inputs
    for key in stuck.value:
        if (*stuck.path, key) not in stuck.broken and int(key) not in inputs:
            yield stuck.key_fault(
                key, f"line {key} is no input of this link", f"expected one of {offsets.text(inputs)}"
            )
