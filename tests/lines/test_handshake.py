"""The handshake: every word once and in order, whatever the chip, the width and the order of steps.

Two ends run in one process on a chip that sets and reads its lines one after another, in any order; between any two of
these steps the other end may take a turn, and either end may die and be started again.
"""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from gpiomux.lines.handshake import Handshake
from gpiomux.wire.codec import WIDTHS
from tests.lines.conftest import sim_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gpiomux.lines.driver import EdgeEvent

MANY = 1 << 20
TURNS = 20_000


class DiedError(Exception):
    """A process was killed in the middle of something."""


class Cable:
    """What both chips drive, by end and line; an end reads the lines of the other through its faults."""

    def __init__(self) -> None:
        self.driven: dict[str, dict[str, int]] = {"a": {}, "b": {}}
        self.stuck: dict[str, dict[str, int]] = {"a": {}, "b": {}}

    def reads(self, end: str, line: str) -> int:
        other = "b" if end == "a" else "a"
        return self.stuck[end].get(line, self.driven[other].get(line, 0))


class SlowChip:
    """Lines by role, set and read one after another in a random order of lines; a `LineDriver` without edges."""

    def __init__(self, cable: Cable, end: str, widths: tuple[int, int], draws: random.Random, *, atomic: bool) -> None:
        width_in, width_out = widths
        self.atomic = atomic
        self.between: Callable[[], None] = lambda: None
        """Called between any two steps."""
        self._cable, self._end = cable, end
        into = "ba" if end == "a" else "ab"
        out = into[::-1]
        self._inputs = [*(f"{into} data {bit}" for bit in range(width_in)), f"{into} req", f"{out} ack"]
        self._outputs = [*(f"{out} data {bit}" for bit in range(width_out)), f"{out} req", f"{into} ack"]
        lines = [*self._inputs, *self._outputs]
        self._order = draws.sample(list(enumerate(lines)), len(lines))

    def get(self, inputs: int | None = None) -> int:
        levels = 0
        for bit, line in self._order:
            if bit < len(self._inputs):
                if inputs is not None and not inputs >> bit & 1:
                    continue
                levels |= self._cable.reads(self._end, line) << bit
                if not self.atomic:
                    self.between()
            else:
                levels |= self._cable.driven[self._end].get(line, 0) << bit
        return levels

    def set(self, bits: int) -> None:
        driven = self._cable.driven[self._end]
        for bit, line in self._order:
            if bit >= len(self._inputs) and driven.get(line, 0) != bits >> bit & 1:
                driven[line] = bits >> bit & 1
                if not self.atomic:
                    self.between()

    def set_edges(self, on: bool) -> None:
        raise NotImplementedError

    def fileno(self) -> int:
        raise NotImplementedError

    def read_events(self) -> list[EdgeEvent]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Table:
    """Two ends on two chips, stepped by one random generator."""

    def __init__(self, seed: int, width_ab: int = 8, width_ba: int = 8, *, atomic: bool = False) -> None:
        self.draws = random.Random(seed)
        self.cable = Cable()
        self.widths = {"a": (width_ba, width_ab), "b": (width_ab, width_ba)}
        self.sent: dict[str, bytearray] = {"a": bytearray(), "b": bytearray()}
        self.received: dict[str, bytearray] = {"a": bytearray(), "b": bytearray()}
        self.chips: dict[str, SlowChip] = {}
        self.ends: dict[str, Handshake] = {}
        self.dies: str = ""
        """The end that dies at one of its next steps."""
        self._inside: set[str] = set()
        for end in ("a", "b"):
            chip = SlowChip(self.cable, end, self.widths[end], self.draws, atomic=atomic)
            chip.between = lambda end=end: self._between(end)  # type: ignore[misc]
            self.chips[end] = chip
        for end in ("a", "b"):
            self.start(end)

    def start(self, end: str) -> None:
        width_in, width_out = self.widths[end]
        self._inside.add(end)
        self.ends[end] = Handshake(self.chips[end], width_in=width_in, width_out=width_out)
        self._inside.discard(end)

    def words(self, end: str, count: int) -> bytes:
        return bytes(self.draws.randrange(1 << self.widths[end][1]) for _ in range(count))

    def load(self, end: str, words: bytes) -> None:
        self.sent[end] += words
        self.ends[end].load(words)

    def turn(self, end: str) -> None:
        """One turn of an end, unless it is in the middle of one."""
        if end in self._inside or end not in self.ends:
            return
        self._inside.add(end)
        handshake = self.ends[end]
        try:
            handshake.run(self.draws.choice((1, 3)), self.draws.choice((1, 2, 5)))
        except DiedError:
            del self.ends[end]
        finally:
            self._inside.discard(end)
            self.received[end] += handshake.received
            handshake.received.clear()

    def settle(self) -> None:
        """Turns of both until all words are out and taken."""
        for _ in range(TURNS):
            self.turn(self.draws.choice("ab"))
            if all(end.idle for end in self.ends.values()) and not any(end.pending() for end in self.ends.values()):
                return
        raise AssertionError("the ends wait for each other")

    def _between(self, end: str) -> None:
        if self.dies == end and self.draws.random() < 0.2:
            self.dies = ""
            raise DiedError
        if self.draws.random() < 0.2:
            self.turn("b" if end == "a" else "a")


@pytest.mark.parametrize("width_ab", WIDTHS)
@pytest.mark.parametrize("width_ba", WIDTHS)
@pytest.mark.parametrize("atomic", [True, False])
def test_every_word_arrives_once_and_in_order(width_ab: int, width_ba: int, atomic: bool) -> None:
    for seed in range(5):
        table = Table(seed, width_ab, width_ba, atomic=atomic)
        for _ in range(3):
            for end in ("a", "b"):
                table.load(end, table.words(end, table.draws.choice((0, 1, 40))))
            table.settle()
        assert table.received["b"] == table.sent["a"]
        assert table.received["a"] == table.sent["b"]
        for end, other in ("ab", "ba"):
            assert table.ends[end].words_out == table.ends[other].words_in == len(table.sent[end])


def check_after_restart(table: Table, survivor: str, old: bytes, new: bytes) -> None:
    """The survivor misses nothing but what the dead one had not said, and may read one word that was never said."""
    received = bytes(table.received[survivor])
    assert received.endswith(new)
    before = received[: len(received) - len(new)]
    assert before[:-1] == old[: len(before) - 1] or before == old[: len(before)]
    assert len(before) <= len(old) + 1


@pytest.mark.parametrize("atomic", [True, False])
def test_an_end_may_die_at_any_step(atomic: bool) -> None:
    """Whoever comes next takes the lines as they stand: one word each way may be lost or invented, no more."""
    for seed in range(60):
        try:
            die_at_any_step(seed, atomic)
        except BaseException as err:
            err.add_note(f"replay it with die_at_any_step({seed}, {atomic})")
            raise


def die_at_any_step(seed: int, atomic: bool) -> None:
    table = Table(seed, *(random.Random(seed).choice(WIDTHS) for _ in range(2)), atomic=atomic)
    dead, survivor = table.draws.choice(("ab", "ba"))
    old = table.words(dead, 30)
    table.load(dead, old)
    table.load(survivor, table.words(survivor, 60))
    for _ in range(table.draws.randrange(200)):
        table.turn(table.draws.choice("ab"))
    table.dies = dead
    for _ in range(100):
        table.turn(dead)
    table.dies = ""
    table.ends.pop(dead, None)
    for _ in range(table.draws.randrange(10)):
        table.turn(survivor)
    table.start(dead)
    new = table.words(dead, 20)
    table.load(dead, new)
    table.settle()
    check_after_restart(table, survivor, old, new)
    said, heard = bytes(table.sent[survivor]), bytes(table.received[dead])
    assert len(said) - 2 <= len(heard) <= len(said)
    assert any(said[:cut] + said[cut + len(said) - len(heard) :] == heard for cut in range(len(said) + 1))


def test_both_ends_may_be_started_again(wire: Path) -> None:
    offsets = tuple(range(10))
    drivers = [sim_end(wire, end, offsets) for end in "ab"]
    for turn in range(8):
        one, two = (Handshake(driver, width_in=8, width_out=8) for driver in drivers)
        words = bytes(range(turn + 1))
        one.load(words)
        while not one.idle or two.pending():
            one.run(1, 1)
            two.run(1, 1)
        assert two.received.endswith(words)
        assert len(two.received) <= len(words) + 1
        assert bytes(one.received) in (b"", b"\0")
        if turn % 2:
            one.load(b"x")
            one.run(1, 1)  # stands on the lines when both die
    for driver in drivers:
        driver.close()


@pytest.mark.parametrize("line", ["ab req", "ab ack", "ba req", "ba ack", "ab data 0"])
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("end", ["a", "b"])
def test_a_stuck_line_hurts_only_while_it_is_stuck(line: str, level: int, end: str) -> None:
    for seed in range(5):
        table = Table(seed)
        for sender in "ab":
            table.load(sender, table.words(sender, 40))
        for _ in range(table.draws.randrange(100)):
            table.turn(table.draws.choice("ab"))
        table.cable.stuck[end][line] = level
        for _ in range(200):
            table.turn(table.draws.choice("ab"))
        table.cable.stuck[end].clear()
        table.settle()
        for sender, receiver in ("ab", "ba"):
            words = table.words(sender, 20)
            table.load(sender, words)
            table.settle()
            assert table.received[receiver].endswith(words)
            # One word that was never said when the line sticks, one when it is free again.
            assert len(table.received[receiver]) <= len(table.sent[sender]) + 2


def test_a_stuck_req_stops_one_direction_only() -> None:
    table = Table(1)
    table.cable.stuck["b"]["ab req"] = 0
    for sender in "ab":
        table.load(sender, table.words(sender, 40))
    for _ in range(2000):
        table.turn(table.draws.choice("ab"))
    assert table.received["b"] == b""
    assert table.received["a"] == table.sent["b"]
    table.cable.stuck["b"].clear()
    table.settle()
    assert table.received["b"] == table.sent["a"]


# The verbs one by one.


def pair() -> Table:
    return Table(1, atomic=True)


def test_idle_means_all_words_are_on_the_lines() -> None:
    table = pair()
    one, two = table.ends["a"], table.ends["b"]
    states = [one.idle]
    one.load(b"xy")
    for _ in range(2):
        states.append(one.idle)
        one.run(1, 1)
    states.append(one.idle)
    two.run(1, 1)
    one.run(1, 1)
    states.append(one.idle)
    assert states == [True, False, False, False, True]
    assert two.received == b"x", "the last word stands on the lines and is not taken yet"


def test_pending_tells_whether_there_is_something_to_do() -> None:
    table = pair()
    one, two = table.ends["a"], table.ends["b"]
    states = [one.pending(), two.pending()]
    one.load(b"xy")
    states.append(one.pending())
    one.run(1, 1)
    states += [one.pending(), two.pending()]
    two.run(1, 1)
    states += [one.pending(), two.pending()]
    assert states == [False, False, True, False, True, True, False]


def test_on_a_slow_chip_nothing_is_read_or_set_in_vain() -> None:
    table = Table(1, atomic=False)
    one, two = table.chips["a"], table.chips["b"]
    read: list[int | None] = []
    levels: list[int] = []
    get, put = two.get, one.set

    def note_reading(inputs: int | None = None) -> int:
        read.append(inputs)
        return get(inputs)

    def note_setting(bits: int) -> None:
        levels.append(bits)
        put(bits)

    two.get, one.set = note_reading, note_setting  # type: ignore[method-assign]
    table.draws.random = lambda: 1.0  # type: ignore[method-assign]  # nobody takes a turn in between
    table.ends["a"].load(b"xx")
    for _ in range(3):
        table.turn("b")
        table.turn("a")
    req, ack, data = 1 << 8, 1 << 9, 0xFF
    assert set(read) == {req | ack, data}
    assert read.count(data) == 2, "once for each word"
    x, own_req = ord("x") << 10, 1 << 18
    assert levels == [x, x | own_req, x], "the second word is the same: its req is enough"


def test_polls_counts_readings() -> None:
    table = pair()
    table.ends["a"].pending()
    table.ends["a"].run(3, 10)
    table.ends["a"].run(10, 4)
    assert table.ends["a"].polls == 1 + 3 + 4


@pytest.mark.parametrize("spin", [0, 1, 5])
def test_run_tells_whether_it_gave_up(spin: int) -> None:
    """All words out is not giving up, whatever the patience: the caller may have more."""
    one = pair().ends["a"]
    assert not one.run(spin, 10)
    one.load(b"x")
    assert one.run(spin, 10)
    assert one.idle


def test_run_returns_at_the_end_of_a_frame() -> None:
    table = pair()
    one, two = table.ends["a"], table.ends["b"]
    one.load(b"\x01ab\0\0next")
    for _ in range(5):
        one.run(1, 1)
        two.run(2, 1)
    assert two.received == b"\x01ab\0\0"
    # The same again, in one call on the receiver's side: it must not go on for the word that follows.
    table = pair()
    one, two = table.ends["a"], table.ends["b"]
    one.load(b"\0\0z")
    table.chips["b"].atomic = table.chips["a"].atomic = True
    steps = iter([None] * 50)
    get = table.chips["b"].get

    def get_and_let_the_other_run(inputs: int | None = None) -> int:
        if next(steps, "done") is None:
            one.run(1, 1)
        return get(inputs)

    two._driver.get = get_and_let_the_other_run  # type: ignore[method-assign]
    two.run(20, 100)
    assert two.received == b"\0\0"


def test_repeat_drives_a_level_that_has_not_arrived() -> None:
    table = pair()
    one, two = table.ends["a"], table.ends["b"]
    one.load(b"x")
    one.run(1, 1)
    table.cable.driven["a"].clear()  # the chip has lost its outputs
    assert not two.pending()
    one.repeat()
    two.run(1, 1)
    assert two.received == b"x"


def test_twenty_thousand_words_between_two_processes(wire: Path) -> None:
    """Both ways at once, at two widths, asleep whenever the other is slow."""
    with ExitStack() as stack:
        peers = [stack.enter_context(word_peer(wire, end, 20_000)) for end in ("a", "b")]
        for peer in peers:
            assert peer.stdout is not None
            assert peer.stdout.readline() == "ready\n"
        for peer in peers:
            assert peer.stdin is not None
            peer.stdin.write("go\n")
            peer.stdin.flush()
        assert [peer.wait() for peer in peers] == [0, 0]


def word_peer(wire: Path, end: str, count: int) -> subprocess.Popen[str]:
    """A process that holds one end; it gives up by itself when nothing comes any more."""
    command = [sys.executable, "-m", "tests.lines.word_peer", str(wire), end, str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
