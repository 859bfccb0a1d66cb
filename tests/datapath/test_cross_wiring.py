"""Four real datapath processes, two links, whose cables were mixed up: each end says what is wrong."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.defaults import SIM_LINES
from gpiomux.lines.handshake import Handshake
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import make_wire, open_wire
from gpiomux.rundir import RunDir
from gpiomux.wire.peering import HEARS_ANOTHER
from tests.datapath.running import Datapath, eventually, started_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IDS = [{"reader": 1, "writer": 2}, {"reader": 2, "writer": 1}]
TURNS = 64
PAUSE_S = 0.001


@contextmanager
def patch_panel(rundir: RunDir, ways: dict[int, int]) -> Iterator[None]:
    """Hold the far ends of wires and say what comes out of one into another, word by word."""
    inputs, outputs = SIM_LINES.inputs, SIM_LINES.outputs
    with ExitStack() as stack:
        sockets = {}
        for number in ways:
            driver = SimulatedLines(open_wire(rundir.wire(f"cable{number}"), "b"), "b", inputs=inputs, outputs=outputs)
            stack.callback(driver.close)
            sockets[number] = Handshake(driver, width_in=8, width_out=8)
        stopping = threading.Event()

        def carry() -> None:
            while not stopping.wait(PAUSE_S):
                for number, socket in sockets.items():
                    socket.run(TURNS // 4, TURNS)
                    target = sockets[ways[number]]
                    if target.idle and socket.received:
                        target.load(bytes(socket.received))
                        socket.received.clear()

        thread = threading.Thread(target=carry)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()


@pytest.mark.netns
def test_mixed_up_cables_are_named(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    with ExitStack() as stack:
        ends = [stack.enter_context(Datapath(tmp_path / f"{number}.sock")) for number in range(4)]
        for number, end in enumerate(ends):
            make_wire(rundir.wire(f"cable{number}"))
            with started_with(f"geth{number}", "a", rundir, f"cable{number}") as (message, fds):
                message["transport"]["protocol"] = IDS[number % 2]
                end.ask("start", fds, **message)
        with patch_panel(rundir, {0: 1, 1: 2, 2: 3, 3: 0}):
            eventually(lambda: [end.ask("report")["reason"] for end in ends] == [HEARS_ANOTHER] * 4)
        with patch_panel(rundir, {0: 1, 1: 0, 2: 3, 3: 2}):
            eventually(lambda: all(end.ask("report")["carrier"] for end in ends))
