"""Where lines come from: found among the chips of a machine, or said why not; and as the kernel's sysfs door has it.

Pure. The grammar of the sysfs door is that of gpio_aggregator_parse in drivers/gpio/gpio-aggregator.c and of next_arg
in lib/cmdline.c: words, of which an integer list says that the word before it was the label of a chip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpiomux.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from gpiomux.aggregator.inventory import Chip, Line
    from gpiomux.config.gathered import Gathered

HIGHEST_OFFSET = 511
"""AGGREGATOR_MAX_GPIOS of the sysfs door concerns the offset."""
MOST_BYTES = 4095
"""sysfs cuts what is longer than a page."""


class Place(NamedTuple):
    """A line that was found."""

    chip: Chip
    line: Line


def find(lines: Iterable[Gathered], chips: Sequence[Chip]) -> tuple[list[Place], list[str]]:
    """Find lines; those that are not found are told why, in words."""
    found: list[Place] = []
    faults: list[str] = []
    for wanted in lines:
        places = candidates(wanted, chips)
        if len(places) == 1:
            found.append(places[0])
        else:
            faults.append(_missing(wanted, places, chips))
    return found, list(dict.fromkeys(faults))


def busy(places: Iterable[Place], own: AbstractSet[str]) -> list[str]:
    """Which lines somebody holds, and who, in words; holders in `own` do not count."""
    return [
        f"line {place.line.offset} of chip {place.chip.label} is in use{_holder(place.line)}"
        for place in places
        if place.line.used and place.line.consumer not in own
    ]


def doubles(places: Iterable[tuple[str, Place]]) -> list[str]:
    """Lines that two links take, in words: one by its name, one by its offset, which the file does not show."""
    first: dict[tuple[str, int], str] = {}
    faults = []
    for link, place in places:
        key = (str(place.chip.node), place.line.offset)
        if key in first:
            faults.append(f"line {key[1]} of chip {place.chip.label} is taken by {first[key]} and by {link}")
        first.setdefault(key, link)
    return faults


def sysfs_text(places: Sequence[Place]) -> str:
    """What is written into `new_device` for lines in this order.

    The kernel sorts a list of offsets, so one list holds a run of ascending ones only. Lines stand by chip and offset,
    never by name: a name in last place is dropped, and one that looks like a number taken for an offset.

    Raises:
        UnsupportedError: a label or an offset cannot be said there.
    """
    runs: list[tuple[str, list[int]]] = []
    for chip, line in places:
        if line.offset > HIGHEST_OFFSET:
            raise _unspeakable(f"line {line.offset} of chip {chip.label} is above {HIGHEST_OFFSET}")
        if runs and runs[-1][0] == chip.label and runs[-1][1][-1] < line.offset:
            runs[-1][1].append(line.offset)
        else:
            runs.append((chip.label, [line.offset]))
    text = " ".join(f"{_quoted(label)} {','.join(map(str, offsets))}" for label, offsets in runs)
    if len(text.encode()) > MOST_BYTES:
        raise _unspeakable(f"{len(places)} lines take more than {MOST_BYTES} bytes")
    return text


def mirrored(places: Iterable[Place]) -> tuple[tuple[str, int], ...]:
    """The same lines as configfs shows a chip that was made through sysfs."""
    return tuple((place.chip.label, place.line.offset) for place in places)


def candidates(wanted: Gathered, chips: Sequence[Chip]) -> list[Place]:
    """All lines that bear a name or place; there should be one."""
    if wanted.offset is None:
        return [Place(chip, line) for chip in chips for line in chip.lines if line.name == wanted.key]
    return [Place(chip, chip.lines[wanted.offset]) for chip in labelled(wanted.key, chips) if _has(chip, wanted.offset)]


def labelled(label: str, chips: Iterable[Chip]) -> list[Chip]:
    """The chips with a label; it need not be unique."""
    return [chip for chip in chips if chip.label == label]


def _has(chip: Chip, offset: int) -> bool:
    return offset < len(chip.lines)


def _missing(wanted: Gathered, places: list[Place], chips: Sequence[Chip]) -> str:
    if places:
        nodes = ", ".join(f"{place.chip.node} ({place.chip.label})" for place in places)
        return f"there is more than one {wanted.words}: {nodes}"
    if wanted.offset is None:
        return f"no line is named {wanted.key}"
    same = labelled(wanted.key, chips)
    if not same:
        labels = ", ".join(dict.fromkeys(chip.label for chip in chips)) or "none"
        return f"no chip is labelled {wanted.key}; labels here: {labels}"
    return f"chip {wanted.key} has no line {wanted.offset}, only 0..{len(same[0].lines) - 1}"


def _holder(line: Line) -> str:
    return f" by {line.consumer}" if line.consumer else ", its user does not say who it is"


def _quoted(label: str) -> str:
    if '"' in label or "=" in label:
        raise _unspeakable(f"label {label} holds a quote or an equals sign")
    return f'"{label}"' if any(letter.isspace() for letter in label) else label


def _unspeakable(what: str) -> UnsupportedError:
    hint = "Linux 6.16 or newer has a door without such limits; or set `aggregate: false`"
    return UnsupportedError(f"the aggregator of this kernel cannot gather these lines: {what}", hint=hint)
