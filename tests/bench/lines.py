"""What the protocol costs on simulated lines: goodput of the datapath's loop against words without any protocol.

Both sides of each ratio run in the same run on the same kind of wire, in turn (`load`).
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.config.defaults import SIM_LINES
from gpiomux.config.model import Faults, Mode, ProtocolIds, SimMedium, Transport
from gpiomux.lines.faults import set_faults
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import make_wire, open_wire
from tests.bench.load import MIB, Tally, Window, bare, loaded, run_pair
from tests.bench.report import Figures, summed

if TYPE_CHECKING:
    from collections.abc import Iterator

MEASURE_S = 1.5
WARM_UP_S = 0.7
"""The carrier comes, windows open."""
ROUNDS = 3
WIDTH = 8


@contextmanager
def wire() -> Iterator[Path]:
    """A simulated wire of its own."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "wire"
        make_wire(path)
        yield path


def driver_of(path: Path, end: str) -> SimulatedLines:
    inputs, outputs = SIM_LINES.inputs, SIM_LINES.outputs
    return SimulatedLines(open_wire(path, end), end, inputs=inputs, outputs=outputs)


def bare_end(path: Path, end: str, sends: bool, window: Window) -> Tally:
    return bare(driver_of(path, end), WIDTH, sends=sends, window=window)


def loaded_end(path: Path, end: str, packet_bytes: int, window: Window) -> Tally:
    ids = ProtocolIds(reader=1, writer=2) if end == "a" else ProtocolIds(reader=2, writer=1)
    transport = Transport(mode=Mode.NET_HDR, protocol=ids, medium=SimMedium(wire="bench", end=end), lines=SIM_LINES)
    return loaded(driver_of(path, end), transport, packet_bytes=packet_bytes, window=window)


def bare_words(*, both: bool) -> float:
    """Bytes per second, over both directions together, that eight data lines carry without a protocol."""
    with wire() as path:
        sides = (partial(bare_end, path, "a", True), partial(bare_end, path, "b", both))
        tallies = run_pair(sides, warm_up_s=WARM_UP_S, measure_s=MEASURE_S)
    return sum(tally.words for tally in tallies) / MEASURE_S


def goodput(packet_bytes: int, *, both: bool, flip_rate: float = 0.0) -> tuple[float, float]:
    """Bytes of packets per second over both directions together, and CPU seconds of both ends per MiB."""
    with wire() as path:
        for number, end in enumerate("ab"):
            set_faults(path, end, Faults(flip_rate=flip_rate, seed=number + 1), SIM_LINES.into)
        sides = (
            partial(loaded_end, path, "a", packet_bytes),
            partial(loaded_end, path, "b", packet_bytes if both else 0),
        )
        tallies = run_pair(sides, warm_up_s=WARM_UP_S, measure_s=MEASURE_S)
    arrived = sum(tally.payload_bytes for tally in tallies)
    cpu_s = sum(tally.cpu_s for tally in tallies)
    return arrived / MEASURE_S, cpu_s * MIB / arrived if arrived else float("inf")


def one_round() -> Figures:
    """Every ratio once, each with the same bare loop beside it."""
    one_way = bare_words(both=False)
    clean, cpu_s_per_mib = goodput(1500, both=False)
    # Drawing flips costs time by itself, so noise is compared with noise that never comes.
    drawing, _ = goodput(1500, both=False, flip_rate=1e-15)
    return {
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


def ratios() -> Figures:
    """Every ratio as the median of rounds, and the spread of each."""
    return summed(one_round() for _ in range(ROUNDS))


if __name__ == "__main__":
    for key, figure in ratios().items():
        print(f"{key:45} {figure:12.3f}")
