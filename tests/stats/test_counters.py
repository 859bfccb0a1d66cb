"""The table of counters against what the datapaths of all media count: none is missing, none is too many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.channels.files import make_channel, open_channels
from gpiomux.config.defaults import SIM_LINES, SIM_PULSE_LINES
from gpiomux.config.model import GpioskCode, Mode, ProtocolIds, ShmMedium, SimMedium, Transport
from gpiomux.datapath.channel_pump import ChannelPump
from gpiomux.datapath.interfaces import Member
from gpiomux.datapath.pulse_pump import PulsePump
from gpiomux.datapath.pump import Pump
from gpiomux.lines.backends import open_driver, open_driver_fds
from gpiomux.lines.wire_file import make_wire
from gpiomux.rundir import RunDir
from gpiomux.stats.counters import COUNTER, COUNTERS, GAUGE, Counter
from tests.datapath.memory_port import MemoryPort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IDS = ProtocolIds(reader=1, writer=2)
WIRE = SimMedium(wire="w", end="a")


def member() -> Member:
    return Member("geth0", MemoryPort())


def handshake(rundir: RunDir) -> Pump:
    make_wire(rundir.wire("w"))
    wanted = Transport(mode=Mode.ETH, protocol=IDS, medium=WIRE, lines=SIM_LINES, rx_ring=8)
    return Pump(open_driver(wanted, open_driver_fds(wanted, rundir)), wanted, 1500, member(), lambda: 1)


def gpiosk(rundir: RunDir) -> PulsePump:
    make_wire(rundir.wire("w"))
    wanted = Transport(mode=Mode.ETH, protocol=None, medium=WIRE, lines=SIM_PULSE_LINES, code=GpioskCode())
    return PulsePump(open_driver(wanted, open_driver_fds(wanted, rundir)), wanted, member())


def channels(rundir: RunDir) -> ChannelPump:
    """Reads what it writes, so that there is a peer."""
    path = str(rundir.root / "channel")
    make_channel(rundir, path, 1 << 16)
    medium = ShmMedium(out=path, into=path)
    same = ProtocolIds(reader=1, writer=1)
    wanted = Transport(mode=Mode.ETH, protocol=same, medium=medium, lines=None)
    pump = ChannelPump(open_channels(rundir, path, path), wanted, 1500, member(), lambda: 1)
    pump.turn()
    return pump


MAKERS: tuple[Callable[[RunDir], Pump | PulsePump | ChannelPump], ...] = (handshake, gpiosk, channels)


@pytest.fixture(params=MAKERS, ids=["handshake", "gpiosk", "shm"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What a link tells, by the parts of the table."""
    pump = request.param(RunDir(tmp_path))
    (main,) = pump.interfaces
    interface = main.counted().as_dict()
    protocols = interface.pop("protocols")
    report = pump.report()
    yield {
        **{part: report.get(part, {}) for part in ("counters", "line", "channel")},
        "interfaces": interface,
        "protocols": protocols,
        "rings": {name: ring["filled"] for name, ring in report["rings"].items()},
    }
    pump.close()


def table(part: str) -> dict[str, Counter]:
    return {counter.name: counter for counter in COUNTERS if counter.part == part}


def test_every_number_of_a_link_is_in_the_table(told: dict[str, Any]) -> None:
    for part, numbers in told.items():
        assert set(numbers) <= set(table(part)), part
        assert all(isinstance(value, int) for value in numbers.values())


def test_a_state_is_a_gauge_and_nothing_else_is(told: dict[str, Any]) -> None:
    for part, numbers in told.items():
        for name, value in numbers.items():
            counter = table(part)[name]
            assert (counter.kind == GAUGE) == (isinstance(value, bool) or part == "rings")
            assert bool(counter.unit) == (not isinstance(value, bool))


def test_the_table_holds_nothing_that_nobody_tells(tmp_path: Path) -> None:
    found: dict[str, set[str]] = {}
    for number, make in enumerate(MAKERS):
        rundir = RunDir(tmp_path / str(number))
        rundir.root.mkdir()
        pump = make(rundir)
        report = pump.report()
        for part in ("counters", "line", "channel", "rings"):
            found.setdefault(part, set()).update(report.get(part, {}))
        (main,) = pump.interfaces
        interface = main.counted().as_dict()
        found["protocols"] = set(interface.pop("protocols"))
        found["interfaces"] = set(interface)
        pump.close()
    assert found == {part: set(table(part)) for part in found}
    assert {counter.part for counter in COUNTERS} == set(found)


def test_every_entry_says_what_it_is_in_one_sentence() -> None:
    assert len({(counter.part, counter.name) for counter in COUNTERS}) == len(COUNTERS)
    for counter in COUNTERS:
        assert counter.kind in (COUNTER, GAUGE)
        assert counter.help[0].isupper()
        assert counter.help.endswith(".")
        assert counter.help.count(". ") == 0


def test_the_manual_describes_every_counter_in_the_words_of_the_table() -> None:
    page = (Path(__file__).parents[2] / "man" / "gpiomux-counters.7").read_text()
    described = re.findall(r"^\.It Va (\w+)(?: Pq (\w+))?\n((?:[^.\n].*\n)+)", page, re.MULTILINE)
    assert [(name, unit, " ".join(text.split())) for name, unit, text in described] == [
        (counter.name, counter.unit, counter.help) for counter in COUNTERS
    ]
    assert re.findall(r"^\.Ss .*\((\w+)", page, re.MULTILINE) == list(dict.fromkeys(it.part for it in COUNTERS))
