"""More packets than a link carries, through real interfaces and processes: who suffers, and who does not."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from gpiomux.lines.wire_file import make_wire
from gpiomux.rundir import RunDir
from tests.datapath.running import Datapath, Packets, eventually, started_with

if TYPE_CHECKING:
    from pathlib import Path

TX_RING = 16
FLOOD = 300
"""Fewer than the kernel's own queue holds (txqueuelen 500): what is missing was dropped by the ring."""
PING_MARK = 5
"""Makes it another flow."""


@pytest.mark.netns
def test_a_small_packet_overtakes_a_flood_that_pays_for_itself(tmp_path: Path) -> None:
    """The ping stands behind the flood in the kernel's queue, so the ring was full when it came."""
    rundir = RunDir(tmp_path)
    make_wire(rundir.wire("cable0"))
    with ExitStack() as stack:
        ends = [stack.enter_context(Datapath(tmp_path / f"{end}.sock")) for end in "ab"]
        for number, end in enumerate(ends):
            with started_with(f"geth{number}", "ab"[number], rundir) as (message, fds):
                message["transport"]["tx_ring"] = TX_RING
                end.ask("start", fds, **message)
        eventually(lambda: all(end.ask("report")["carrier"] for end in ends))
        near, far = (Packets(f"geth{number}") for number in range(2))
        stack.callback(near.close)
        stack.callback(far.close)
        for number in range(FLOOD):
            near.send(number.to_bytes(2, "big") + bytes(1400))
        near.send(b"ping", PING_MARK)
        arrived: list[bytes] = []
        while not arrived or arrived[-1] != (FLOOD - 1).to_bytes(2, "big"):
            arrived.append(far.receive()[:2])
        flood = [int.from_bytes(packet, "big") for packet in arrived if packet != b"pi"]
        dropped = ends[0].ask("report")["counters"]["tx_ring_full"]
    assert flood == sorted(flood), "in order"
    assert 0 < dropped == FLOOD - len(flood), "whatever is missing was dropped by the ring, and counted"
    assert len(arrived) - arrived.index(b"pi") > TX_RING // 2, "it has overtaken most of what the ring held"
