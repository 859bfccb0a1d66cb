"""Tests of `gpiomux.datapath.pulse_pump`: two ends in one process, on simulated lines, with interfaces in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.defaults import SIM_PULSE_LINES
from gpiomux.config.model import GpioskCode, Mode, SimMedium, Transport
from gpiomux.datapath.interfaces import Member
from gpiomux.datapath.pulse_pump import PulsePump
from gpiomux.datapath.recorder import FRAME as FRAME_KIND
from gpiomux.datapath.recorder import FROM_NOW, PACKET, Recorder
from gpiomux.errors import UsageError
from gpiomux.lines.backends import open_driver, open_driver_fds
from gpiomux.lines.wire_file import make_wire
from gpiomux.rundir import RunDir
from gpiomux.wire import answers
from tests.datapath.memory_port import MemoryPort
from tests.wire.test_checksums import frames as checksummed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 20.0
UNICAST = bytes.fromhex("464554483032 464554483031 0800")
FRAME = UNICAST + bytes(range(46))
"""Short: one thread plays both ends, and the far one looks when a frame has gone out; 1,023 edges may wait."""


class End:
    """One end; never sleeps, because its peer is in the same thread."""

    def __init__(self, rundir: RunDir, end: str, tx_ring: int) -> None:
        wanted = Transport(
            mode=Mode.ETH,
            protocol=None,
            medium=SimMedium(wire="w", end=end),
            lines=SIM_PULSE_LINES,
            code=GpioskCode(interval_us=1),
            tx_ring=tx_ring,
        )
        self.port = MemoryPort()
        self.pump = PulsePump(open_driver(wanted, open_driver_fds(wanted, rundir)), wanted, Member("g0", self.port))

    def counter(self, name: str) -> int:
        found: int = self.pump.report()["counters"][name]
        return found


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Callable[..., tuple[End, End]]]:
    made: list[End] = []

    def make(tx_ring: int = 256) -> tuple[End, End]:
        rundir = RunDir(tmp_path)
        make_wire(rundir.wire("w"))
        made.extend(End(rundir, end, tx_ring) for end in "ab")
        return made[0], made[1]

    yield make
    for end in made:
        end.pump.close()


def run(*pumps: PulsePump, until: Callable[[], bool]) -> None:
    """Turns without the sleep at their end."""
    give_up = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < give_up
        for pump in pumps:
            pump._send()
            pump._receive()
            pump._follow_peer()
            pump._serve(pump._poller.poll(0))


def test_frames_cross_both_ways_and_checksums_are_completed(ends: Callable[..., tuple[End, End]]) -> None:
    near, far = ends()
    assert near.port.carrier is True
    left_out, whole = checksummed(4, 6, b"text of some length")
    near.port.send(0, FRAME)
    far.port.send(0, left_out)
    run(near.pump, far.pump, until=lambda: bool(near.port.arrived and far.port.arrived))
    assert far.port.arrived == [(0, FRAME)]
    assert near.port.arrived == [(0, whole)]
    assert near.counter("rx_checksums_completed") == 1
    assert near.pump.report()["peer"]["heard_s"] >= 0


def test_packets_can_be_recorded_and_are_all_there_is(ends: Callable[..., tuple[End, End]]) -> None:
    near, far = ends()
    recorders = [Recorder(end.pump.set_tap) for end in (near, far)]
    begun = [recorder.ask((PACKET,), FROM_NOW)["next"] for recorder in recorders]
    near.port.send(0, FRAME)
    run(near.pump, far.pump, until=lambda: bool(far.port.arrived))
    seen = [
        [record[3:7] for record in recorder.ask((PACKET,), after)["records"]]
        for recorder, after in zip(recorders, begun, strict=True)
    ]
    assert seen == [[["out", "g0", 0, len(FRAME)]], [["in", "g0", 0, len(FRAME)]]]
    with pytest.raises(UsageError, match="code gpiosk has nothing of the kind frame"):
        recorders[0].ask((FRAME_KIND,), FROM_NOW)


def test_a_frame_too_long_for_a_board_is_dropped(ends: Callable[..., tuple[End, End]]) -> None:
    near, far = ends()
    near.port.send(0, FRAME[:14] + bytes(1487))
    near.port.send(0, FRAME)
    run(near.pump, far.pump, until=lambda: bool(far.port.arrived))
    assert far.port.arrived == [(0, FRAME)]
    assert near.counter("tx_dropped") == 1


def test_a_full_ring_drops_and_counts(ends: Callable[..., tuple[End, End]]) -> None:
    near, far = ends(tx_ring=2)
    for _ in range(10):
        near.port.send(0, FRAME)
    run(near.pump, far.pump, until=lambda: near.counter("tx_ring_full") + len(far.port.arrived) == 10)
    assert near.counter("tx_ring_full") > 0


def test_a_peer_that_does_not_answer_is_no_longer_sent_to(
    ends: Callable[..., tuple[End, End]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "UNANSWERED_NS", 0)
    near, far = ends()
    for _ in range(12):
        near.port.send(0, FRAME)
    run(near.pump, far.pump, until=lambda: near.port.carrier is False)
    report = near.pump.report()
    assert not report["carrier"]
    assert report["reason"].startswith("peer has not answered 8 frames")
    assert near.counter("tx_packets") == 8
    near.port.send(0, FRAME)
    run(near.pump, until=lambda: near.counter("tx_dropped") == 12 + 1 - 8)
    far.port.send(0, FRAME)
    run(near.pump, far.pump, until=lambda: near.port.carrier is True)
    assert (near.pump.report()["carrier"], near.pump.report()["reason"]) == (True, "")
    assert near.counter("carrier_changes") == 2
