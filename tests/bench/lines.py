"""What the protocol costs on simulated lines: goodput of the datapath's loop against words without any protocol.

Both sides of each ratio run in the same run on the same kind of wire, in turn. The datapath is the real one (`Pump`);
in place of a network interface each end has a port that always has a packet, or swallows what comes, so that only the
lines and the protocol are measured. Goodput counts the bytes of packets that arrived.
"""

from __future__ import annotations

import os
import random
import signal
import struct
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from gpiomux.config.defaults import SIM_LINES
from gpiomux.config.model import Faults, Mode, ProtocolIds, SimMedium, Transport
from gpiomux.datapath.interfaces import Member
from gpiomux.datapath.pump import Pump
from gpiomux.datapath.scheduling import ask_for_short_turns
from gpiomux.lines.backends import request_order
from gpiomux.lines.faults import set_faults
from gpiomux.lines.handshake import Handshake
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import make_wire, open_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEASURE_S = 1.5
WARM_UP_S = 0.7
"""The carrier comes, windows open."""
ROUNDS = 3
BURST_WORDS = 512
SPIN = 400
RESULT = struct.Struct("=Qd")
"""What a process says of itself: bytes that arrived, CPU seconds."""

Figures = dict[str, float]


class LoadPort:
    """A port with as many packets as the link can send, or none, that counts what arrives."""

    def __init__(self, packet_bytes: int) -> None:
        self._packet = b"\x45" + random.Random(1).randbytes(packet_bytes - 1) if packet_bytes else b""
        self._event = os.eventfd(1 if packet_bytes else 0, os.EFD_NONBLOCK)
        self.arrived_bytes = 0
        self.wanted: Callable[[], bool] = lambda: False
        """Whether the link has room for another packet."""

    def fileno(self) -> int:
        return self._event

    def read(self) -> tuple[int, bytes] | None:
        return (0, self._packet) if self._packet and self.wanted() else None

    def write(self, _mark: int, packet: bytes) -> None:
        self.arrived_bytes += len(packet)

    def set_carrier(self, on: bool) -> None:
        pass

    def close(self) -> None:
        os.close(self._event)


@contextmanager
def wire() -> Iterator[Path]:
    """A simulated wire of its own."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "wire"
        make_wire(path)
        yield path


def driver_of(path: Path, end: str) -> SimulatedLines:
    inputs, outputs = request_order(SIM_LINES)
    return SimulatedLines(open_wire(path, end), end, inputs=inputs, outputs=outputs)


def run_pair(sides: tuple[Callable[[float], int], Callable[[float], int]]) -> list[tuple[int, float]]:
    """Run two functions in two processes at once; each gets a time to stop and returns a count of bytes."""
    stop_s = time.monotonic() + WARM_UP_S + MEASURE_S
    pipes = []
    for side in sides:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            ask_for_short_turns()
            before_s = time.process_time()
            count = side(stop_s)
            os.write(writing, RESULT.pack(count, time.process_time() - before_s))
            os._exit(0)
        os.close(writing)
        pipes.append((pid, reading))
    results = []
    for pid, reading in pipes:
        results.append(RESULT.unpack(os.read(reading, RESULT.size)))
        os.close(reading)
        os.waitpid(pid, 0)
    return results


def bare(path: Path, end: str, *, sends: bool, stop_s: float) -> int:
    """Words and nothing else; returns how many came in the time that is measured."""
    handshake = Handshake(driver_of(path, end), width_in=8, width_out=8)
    words = bytes(range(1, 256)) * (BURST_WORDS // 255 + 1)
    begin_s, held = stop_s - MEASURE_S, 0
    measuring = False
    while (now_s := time.monotonic()) < stop_s:
        if not measuring and now_s >= begin_s:
            measuring, held = True, handshake.words_in
        if sends and handshake.idle:
            handshake.load(words[:BURST_WORDS])
        handshake.run(SPIN, BURST_WORDS)
        handshake.received.clear()
    return handshake.words_in - held


def loaded(path: Path, end: str, *, packet_bytes: int, stop_s: float) -> int:
    """The datapath's own loop; returns bytes of packets that came in the time that is measured."""
    ids = ProtocolIds(reader=1, writer=2) if end == "a" else ProtocolIds(reader=2, writer=1)
    transport = Transport(mode=Mode.NET_HDR, protocol=ids, medium=SimMedium(wire="bench", end=end), lines=SIM_LINES)
    port = LoadPort(packet_bytes)
    draws = random.Random(end)
    pump = Pump(driver_of(path, end), transport, 1500, Member("bench0", port), partial(draws.randrange, 1, 1 << 64))
    port.wanted = pump.endpoint.can_send
    begin_s, held = stop_s - MEASURE_S, 0
    measuring = False
    while (now_s := time.monotonic()) < stop_s:
        if not measuring and now_s >= begin_s:
            measuring, held = True, port.arrived_bytes
        pump.turn()
    return port.arrived_bytes - held


def bare_words(*, both: bool) -> float:
    """Bytes per second, over both directions together, that eight data lines carry without a protocol."""
    with wire() as path:
        results = run_pair(
            (
                lambda stop_s: bare(path, "a", sends=True, stop_s=stop_s),
                lambda stop_s: bare(path, "b", sends=both, stop_s=stop_s),
            )
        )
    return sum(count for count, _ in results) / MEASURE_S


def goodput(packet_bytes: int, *, both: bool, flip_rate: float = 0.0) -> tuple[float, float]:
    """Bytes of packets per second over both directions together, and CPU seconds of both ends per MiB."""
    with wire() as path:
        for number, end in enumerate("ab"):
            set_faults(path, end, Faults(flip_rate=flip_rate, seed=number + 1), SIM_LINES.into)
        results = run_pair(
            (
                lambda stop_s: loaded(path, "a", packet_bytes=packet_bytes, stop_s=stop_s),
                lambda stop_s: loaded(path, "b", packet_bytes=packet_bytes if both else 0, stop_s=stop_s),
            )
        )
    arrived = sum(count for count, _ in results)
    cpu_s = sum(spent_s for _, spent_s in results) * MEASURE_S / (WARM_UP_S + MEASURE_S)
    return arrived / MEASURE_S, cpu_s / (arrived / (1 << 20)) if arrived else float("inf")


def ratios() -> Figures:
    """Every ratio as the median of rounds, each with its own bare loop beside it, and the spread of each."""
    rounds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        one_way = bare_words(both=False)
        clean, cpu_s_per_mib = goodput(1500, both=False)
        # Drawing flips costs time by itself, so noise is compared with noise that never comes.
        drawing, _ = goodput(1500, both=False, flip_rate=1e-15)
        found = {
            "goodput_1500_one_way_of_bare": clean / one_way,
            "goodput_1500_both_ways_of_bare": goodput(1500, both=True)[0] / one_way,
            "goodput_256_one_way_of_bare": goodput(256, both=False)[0] / one_way,
            "goodput_256_both_ways_of_bare": goodput(256, both=True)[0] / one_way,
            "goodput_flips_1e-4_of_clean": goodput(1500, both=False, flip_rate=1e-4)[0] / drawing,
            "goodput_flips_1e-3_of_clean": goodput(1500, both=False, flip_rate=1e-3)[0] / drawing,
            "bare_both_ways_of_one_way": bare_words(both=True) / one_way,
            "bare_bytes_per_s": one_way,
            "cpu_s_per_mib": cpu_s_per_mib,
        }
        for name, value in found.items():
            rounds.setdefault(name, []).append(value)
    figures = {}
    for name, values in rounds.items():
        figures[name] = median(values)
        figures[f"{name}_spread"] = max(values) - min(values)
    return figures


if __name__ == "__main__":
    for key, figure in ratios().items():
        print(f"{key:45} {figure:12.3f}")
