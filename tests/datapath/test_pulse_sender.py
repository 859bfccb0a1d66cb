"""Tests of `gpiomux.datapath.pulse_sender` on simulated lines, against the model of gpiosk."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.defaults import SIM_PULSE_LINES
from gpiomux.datapath import pulse_sender
from gpiomux.datapath.pulse_sender import PulseSender
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import make_wire, open_wire
from tests.wire import gpiosk_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiomux.lines.driver import EdgeEvent

FRAME = bytes(range(60))
INTERVAL_US = 20


def end_of(directory: Path, end: str) -> SimulatedLines:
    lines = SIM_PULSE_LINES
    return SimulatedLines(open_wire(directory, end), end, inputs=lines.inputs, outputs=lines.outputs, rising_only=True)


@contextmanager
def wired(tmp_path: Path) -> Iterator[tuple[SimulatedLines, SimulatedLines]]:
    """Two ends; the far one notes edges."""
    make_wire(tmp_path / "wire")
    near, far = end_of(tmp_path / "wire", "a"), end_of(tmp_path / "wire", "b")
    far.set_edges(True)
    yield near, far
    near.close()
    far.close()


def pulses(events: list[EdgeEvent]) -> str:
    """In the letters of the model."""
    assert all(event.rising for event in events)
    assert [event.seqno for event in events] == list(range(1, len(events) + 1))
    return "".join("cd"[event.bit] for event in events)


def test_a_frame_on_the_lines_is_that_of_gpiosk(tmp_path: Path) -> None:
    with wired(tmp_path) as (near, far):
        heard: list[EdgeEvent] = []
        sender = PulseSender(near, INTERVAL_US, lambda: heard.extend(far.read_events()))
        sender.begin(FRAME)
        while sender.busy:
            sender.send_some()
        heard += far.read_events()
        assert pulses(heard) == gpiosk_model.transmit(FRAME)
        assert sender.edges == len(heard)
        times = [event.timestamp_ns for event in heard]
        # From when the last edge is known to be out; it rises a little before that.
        assert min(late - early for early, late in pairwise(times)) >= INTERVAL_US * 1000 * 3 // 4
        assert far.get() == 0


def test_an_output_that_was_left_high_falls_and_no_edge_rises(tmp_path: Path) -> None:
    with wired(tmp_path) as (near, far):
        near.set(0b1100)
        assert pulses(far.read_events()) == "cd"
        PulseSender(near, INTERVAL_US, lambda: None)
        assert far.get() == 0
        assert far.read_events() == []


def test_a_signal_waits_for_the_end_of_the_frame(tmp_path: Path) -> None:
    with wired(tmp_path) as (near, far):
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            sender = PulseSender(near, INTERVAL_US, lambda: os.kill(os.getpid(), signal.SIGTERM))
            sender.begin(FRAME)
            while True:
                sender.send_some()
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGTERM
        assert pulses(far.read_events()) == gpiosk_model.transmit(FRAME)
        assert far.get() == 0


@pytest.mark.parametrize("finish_ns", [0, 10**12])
def test_a_link_that_is_stopped_ends_its_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finish_ns: int) -> None:
    """Whole, or cut short if that takes too long; a board is never left waiting for an end."""
    monkeypatch.setattr(pulse_sender, "FINISH_NS", finish_ns)
    monkeypatch.setattr(pulse_sender, "SLICE_NS", 0)
    long = bytes(range(200))
    with wired(tmp_path) as (near, far):
        heard: list[EdgeEvent] = []
        sender = PulseSender(near, INTERVAL_US, lambda: heard.extend(far.read_events()))
        sender.begin(long)
        sender.send_some()
        assert sender.busy
        sender.finish()
        heard += far.read_events()
        board = gpiosk_model.Receiver()
        board.hear(pulses(heard))
        assert not board.wedged
        assert board.packets == [long if finish_ns else long[:60]]
        board.hear(gpiosk_model.transmit(FRAME))
        assert board.packets[-1] == FRAME
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_daemons_need_not_wait_for_a_long_frame(tmp_path: Path) -> None:
    with wired(tmp_path) as (near, _far):
        sender = PulseSender(near, 1000, lambda: None)
        sender.begin(bytes(100))
        sender.send_some()
        assert sender.busy
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_UNBLOCK, pulse_sender._ENDING)
