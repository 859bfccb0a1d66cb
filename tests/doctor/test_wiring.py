"""Lines that are moved, on wires in memory that are right, crossed, cut, or touch each other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.load import load_file, load_text
from gpiomux.config.model import Bundle, Lines
from gpiomux.doctor import calls, wiring
from gpiomux.doctor.finding import State
from gpiomux.doctor.wires import wires_of
from gpiomux.doctor.wiring import End, check_wiring
from gpiomux.errors import UnsupportedError, UsageError
from tests.plan.test_diff import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpiomux.doctor.finding import Finding

LINES = Lines(out=Bundle(data=(0,), req=1, ack=5), into=Bundle(data=(3,), req=4, ack=2))
WIRES = wires_of(LINES, [(own, f"line {own}") for own in range(6)])
INPUTS = ("in.data0", "in.req", "out.ack")
STRAIGHT = ((0, 3), (1, 4), (2, 5), (3, 0), (4, 1), (5, 2))
"""Bit of one end, bit of the other: each output, 3 to 5, at the input that waits for it."""


class Cable:
    """Wires between two ends, as sets of places that are one piece of metal; a place is (end, bit)."""

    def __init__(self, pairs: Sequence[tuple[int, int]] = STRAIGHT, touching: Sequence[tuple[int, int]] = ()) -> None:
        """Join pairs of bits; each of the places `touching` is joined with the next."""
        self.metal = [{(0, near), (1, far)} for near, far in pairs]
        joined = [metal for metal in self.metal if metal & set(touching)]
        self.metal = [metal for metal in self.metal if metal not in joined] + ([set().union(*joined)] if joined else [])
        self.driven: dict[tuple[int, int], int] = {}
        self.high: set[tuple[int, int]] = set()
        """Places that touch the supply."""

    def level(self, place: tuple[int, int]) -> int:
        metal: set[tuple[int, int]] = next((it for it in self.metal if place in it), {place})
        return int(bool(metal & self.high) or any(self.driven.get(it) for it in metal))


class CableEnd:
    """Toggles of one end."""

    def __init__(self, cable: Cable, number: int) -> None:
        self.cable, self.number = cable, number

    def get(self) -> int:
        return sum(self.cable.level((self.number, bit)) << bit for bit in range(len(WIRES)))

    def drive(self, bit: int, level: int) -> None:
        self.cable.driven[self.number, bit] = level

    def rest(self, bit: int) -> None:
        self.cable.driven.pop((self.number, bit))

    def close(self) -> None:
        raise AssertionError("who has not opened it does not close it")


def ends(cable: Cable) -> list[End]:
    return [
        End(link=link, wires=WIRES, toggles=CableEnd(cable, number), heard=[set() for _ in WIRES])
        for number, link in enumerate(("near", "far"))
    ]


def causes(findings: Sequence[Finding]) -> dict[str, str]:
    """What is said of lines with which something is wrong, `near in.data0` -> what."""
    return {f"{it.about} {it.subject.split()[0]}": it.cause for it in findings if it.state is not State.OK}


def moved(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is found by one command."""
    monkeypatch.setattr(wiring, "SETTLE_S", 0.0)
    found = wiring._in_turn(ends(cable))
    assert cable.driven == {}, "all lines are inputs again"
    return causes(found)


def test_a_whole_cable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert moved(Cable(), monkeypatch) == {}


def test_swapped_wires(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = ((0, 4), (1, 3), *STRAIGHT[2:])
    assert moved(Cable(swapped), monkeypatch) == {
        "near in.data0": "hears out.req (line 1) of the far end instead of out.data0",
        "near in.req": "hears out.data0 (line 0) of the far end instead of out.req",
    }


def test_a_cut_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    assert moved(Cable(STRAIGHT[:-1]), monkeypatch) == {"far out.ack": "never hears in.ack"}


def test_a_wire_at_the_supply(monkeypatch: pytest.MonkeyPatch) -> None:
    cable = Cable()
    cable.high = {(0, 0)}
    assert moved(cable, monkeypatch) == {"near in.data0": "is high all the time, and never hears out.data0"}


def test_wires_that_touch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one direction: both are heard on both, also at the end that drives them."""
    found = moved(Cable(touching=((0, 0), (0, 1))), monkeypatch)
    assert list(found) == ["near in.data0", "near in.req", "far out.data0", "far out.req"]
    assert "these wires touch" in found["near in.data0"]
    assert found["far out.req"].endswith("out.data0 (line 0) of this end itself: they touch")


def test_a_cable_that_joins_like_with_like(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each output at the output of the other end, each input at the input: nothing arrives where it should."""
    found = moved(Cable([(bit, bit) for bit in range(6)]), monkeypatch)
    assert len(found) == 12
    assert found["near in.data0"] == "never hears out.data0"
    assert found["far in.ack"] == "is an output, and hears in.ack (line 2) of the far end"


def test_a_simulated_link_with_its_faults() -> None:
    config = load_file(EXAMPLES["two-links.yaml"])
    found = check_wiring(config, ["geth1"], 1, tell=pytest.fail)
    assert [it.about for it in found] == ["geth1"] * 10 + ["geth0"] * 10
    assert causes(found) == {}
    faulty = (
        EXAMPLES["two-links.yaml"].read_text().replace("netns: far", "netns: far\n    faults: {stuck: {17: 1, 24: 0}}")
    )
    assert causes(check_wiring(load_text(faulty, "x"), ["geth0", "geth1"], 1, tell=pytest.fail)) == {
        "geth1 in.data1": "is high all the time, and never hears out.data1",
        "geth1 in.req": "never hears out.req",
    }


def test_two_ends_that_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a thread of its own, as they are on two machines; whatever is heard wrong would be the calls' fault."""
    swapped = Cable(((0, 4), (1, 3), *STRAIGHT[2:]))
    found: dict[str, list[Finding]] = {}

    def listen(end: End) -> None:
        found[end.link] = wiring._listen(end, 300)

    def enough(end: End) -> bool:
        return all(len(heard) == 1 for wire, heard in zip(end.wires, end.heard, strict=True) if not wire.drives)

    monkeypatch.setattr(End, "complete", property(enough))
    for module in (calls, wiring):
        monkeypatch.setattr(module, "UNIT_S", 0.005)
    threads = [threading.Thread(target=listen, args=(end,)) for end in ends(swapped)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert causes([*found["near"], *found["far"]]) == {
        "near in.data0": "hears out.req (line 1) of the far end instead of out.data0",
        "near in.req": "hears out.data0 (line 0) of the far end instead of out.req",
    }


def test_nobody_at_the_other_end() -> None:
    end = ends(Cable())[0]
    found = wiring._listen(end, 0.05)
    assert [it.subject.split()[0] for it in found] == list(INPUTS)
    assert {it.cause for it in found} == {"nothing is heard from the far end"}


@pytest.mark.parametrize(
    ("name", "links", "kind", "message"),
    [
        ("two-links.yaml", ["geth7"], UsageError, "there is no link geth7"),
        ("two-links.yaml", ["geth0", "geth7"], UsageError, "there is no link geth7"),
        ("gpiosk-peer.yaml", ["geth0"], UnsupportedError, "wedges the gpiosk board"),
        ("shm-pair.yaml", ["shm0"], UnsupportedError, "has no lines"),
    ],
)
def test_lines_that_are_not_moved(name: str, links: list[str], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        check_wiring(load_file(EXAMPLES[name]), links, 1, tell=pytest.fail)


def test_a_wire_whose_other_end_is_elsewhere() -> None:
    text = EXAMPLES["two-links.yaml"].read_text().partition("  - name: geth1")[0]
    config = load_text(text.replace("wire: cable0", "wire: {name: cable0, external: true}"), "x")
    with pytest.raises(UnsupportedError, match="the other end of simulated wire cable0 is not in the file"):
        check_wiring(config, ["geth0"], 1, tell=pytest.fail)


def test_a_link_that_is_not_the_other_end() -> None:
    text = EXAMPLES["two-links.yaml"].read_text()
    more = text.partition("links:\n")[2].replace("cable0", "cable1").replace("geth", "other").replace("10.10", "10.11")
    config = load_text(text + more.replace("fd00:10:", "fd00:11:"), "x")
    with pytest.raises(UsageError, match="other1 is not the other end of wire cable0"):
        check_wiring(config, ["geth0", "other1"], 1, tell=pytest.fail)


def test_lines_of_a_device_are_not_moved() -> None:
    text = EXAMPLES["raspberry-pi-a.yaml"].read_text()
    head, _, rest = text.partition("      from:\n")
    tail = rest.partition("      bias:")[2]
    config = load_text(f"{head}      device: gate\n      bias:{tail}", "x")
    with pytest.raises(UnsupportedError, match="those of the device gate"):
        check_wiring(config, ["geth0"], 1, tell=pytest.fail)
