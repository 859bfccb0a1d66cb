"""Tests of `gpiomux.aggregator.sources`: which lines there are, why others are not, and the text of the sysfs door."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpiomux.aggregator.inventory import Chip, Line
from gpiomux.aggregator.sources import Place, busy, doubles, find, mirrored, sysfs_text
from gpiomux.config.gathered import Gathered
from gpiomux.errors import UnsupportedError


def chip(number: int, label: str, *names: str, used: dict[int, str] | None = None, lines: int = 32) -> Chip:
    holders = used or {}
    return Chip(
        node=Path(f"/dev/gpiochip{number}"),
        label=label,
        lines=tuple(
            Line(
                offset=offset,
                name=names[offset] if offset < len(names) else "",
                used=offset in holders,
                consumer=holders.get(offset, ""),
            )
            for offset in range(lines)
        ),
    )


SOC = chip(0, "soc", "A", "B", "17", used={2: "kettle", 3: ""})
MORE = chip(1, "two words", "C", lines=4)


def by_offset(label: str, *offsets: int) -> tuple[Gathered, ...]:
    return tuple(Gathered(key=label, offset=offset) for offset in offsets)


def by_name(*names: str) -> tuple[Gathered, ...]:
    return tuple(Gathered(key=name, offset=None) for name in names)


def text(*lines: Gathered) -> str:
    places, faults = find(lines, (SOC, MORE))
    assert not faults
    return sysfs_text(places)


def test_the_order_is_kept() -> None:
    assert text(*by_offset("soc", 5, 3, 4, 9, 1)) == "soc 5 soc 3,4,9 soc 1"


def test_lines_by_name_stand_by_chip_and_offset() -> None:
    """The kernel drops a name in last place, and takes one that looks like a number for an offset."""
    assert text(*by_name("A", "17"), *by_offset("soc", 1), *by_name("C")) == 'soc 0,2 soc 1 "two words" 0'


@pytest.mark.parametrize("label", ['a"b', "a=b"])
def test_a_label_that_cannot_be_said(label: str) -> None:
    odd = chip(0, label)
    with pytest.raises(UnsupportedError, match="holds a quote or an equals sign"):
        sysfs_text([Place(odd, odd.lines[0])])


def test_an_offset_that_cannot_be_said() -> None:
    large = chip(0, "large", lines=600)
    assert sysfs_text([Place(large, large.lines[511])]) == "large 511"
    with pytest.raises(UnsupportedError, match="line 512 of chip large is above 511") as caught:
        sysfs_text([Place(large, large.lines[512])])
    assert caught.value.hint


def test_more_than_a_page_cannot_be_said() -> None:
    long = chip(0, "x" * 60)
    with pytest.raises(UnsupportedError, match="more than 4095 bytes"):
        sysfs_text([Place(long, line) for line in reversed(long.lines)] * 3)


def test_what_the_kernel_will_show() -> None:
    places, _ = find((*by_offset("soc", 5), *by_name("C")), (SOC, MORE))
    assert mirrored(places) == (("soc", 5), ("two words", 0))


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (by_offset("sock", 1), "no chip is labelled sock; labels here: soc, two words"),
        (by_offset("soc", 32, 40), "chip soc has no line 32, only 0..31; chip soc has no line 40, only 0..31"),
        (by_name("D"), "no line is named D"),
    ],
)
def test_lines_that_are_not_there(lines: tuple[Gathered, ...], fault: str) -> None:
    places, faults = find(lines, (SOC, MORE))
    assert (places, "; ".join(faults)) == ([], fault)


def test_a_fault_is_told_once() -> None:
    assert find(by_offset("sock", 1, 2), ())[1] == ["no chip is labelled sock; labels here: none"]


def test_labels_and_names_need_not_be_unique() -> None:
    twin = chip(2, "soc", "A")
    _, faults = find((*by_offset("soc", 1), *by_name("A")), (SOC, MORE, twin))
    assert faults == [
        "there is more than one line 1 of chip soc: /dev/gpiochip0 (soc), /dev/gpiochip2 (soc)",
        "there is more than one line A: /dev/gpiochip0 (soc), /dev/gpiochip2 (soc)",
    ]


def test_who_holds_a_line() -> None:
    places, _ = find(by_offset("soc", 1, 2, 3), (SOC,))
    assert busy(places, frozenset()) == [
        "line 2 of chip soc is in use by kettle",
        "line 3 of chip soc is in use, its user does not say who it is",
    ]
    assert busy(places[:2], {"kettle"}) == []


def test_a_line_that_two_links_take() -> None:
    (first,), (second,) = find(by_offset("soc", 0), (SOC,))[0], find(by_name("A"), (SOC,))[0]
    assert doubles([("g0", first), ("g1", second)]) == ["line 0 of chip soc is taken by g0 and by g1"]
    assert doubles([("g0", first)]) == []
