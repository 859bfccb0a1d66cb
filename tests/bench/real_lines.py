"""Words and packets over real lines, measured inside the test kernel; kernel.py starts this.

    python -m tests.bench.real_lines WORD_LOOP

Each arrangement of chips gets its rounds, and in each round everything takes its turn on the same lines: the C program
(word_loop.c, compiled, WORD_LOOP), the handshake of gpiomux without a protocol, the datapath's loop one way and both
ways. What is printed last is JSON: the figures, and goodput by packet size.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.config.model import GpioMedium, Mode, ProtocolIds, Transport
from gpiomux.lines.gpio_request import request
from gpiomux.lines.gpiochip import GpioLines
from tests import namespaces
from tests.bench import links
from tests.bench.load import MIB, Tally, Window, bare, by_size, loaded, run_pair
from tests.bench.report import Figures, summed
from tests.kernel import chips, modem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WARM_UP_S = 0.8
"""The C program starts, the carrier comes, windows open."""
MEASURE_S = 1.0
ROUNDS = 5
WIDTH = 8
SAMPLED_ROUNDS = 3
TCP_BYTES = 64 * 1024
TCP_ROUNDS = 3
TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """What chips the two ends run on."""

    aggregated: bool
    """An aggregator for each end, made through configfs; else the chips of the null modem themselves."""
    multiple: bool
    """The null modem sets and reads several lines in one operation; else one by one, as on a Raspberry Pi."""

    @property
    def name(self) -> str:
        """For the names of figures."""
        way = "aggregated" if self.aggregated else "direct"
        return f"{way}_{'multiple' if self.multiple else 'one_by_one'}"


ARRANGEMENTS = [Arrangement(aggregated=far, multiple=several) for far in (False, True) for several in (True, False)]
USUAL = Arrangement(aggregated=True, multiple=False)
"""A Raspberry Pi with a link of its own chip; for what is not measured everywhere."""


class Ends:
    """Both ends of the null modem, to be loaded in one way after the other."""

    def __init__(self, nodes: Sequence[Path], inputs: tuple[int, ...], word_loop: Path) -> None:
        self._nodes, self._inputs, self._word_loop = nodes, inputs, word_loop

    def c_program(self, *, both: bool) -> float:
        """Words per second of the C program, over both directions together."""
        with self._requested() as fds:
            sides = (partial(self._run_c, fds[0], True, both), partial(self._run_c, fds[1], both, True))
            return words_per_s(counted(sides))

    def bare(self, *, both: bool) -> float:
        """Words per second of `Handshake` alone."""
        with self._requested() as fds:
            sides = (partial(self._run_bare, fds[0], True), partial(self._run_bare, fds[1], both))
            return words_per_s(counted(sides))

    def datapath(self, packet_bytes: int, *, both: bool, sampled: bool = False) -> list[Tally]:
        """What both ends of the datapath's loop counted."""
        with self._requested() as fds:
            sides = [
                partial(self._run_datapath, fd, end, packet_bytes if both or end == 0 else 0, sampled)
                for end, fd in enumerate(fds)
            ]
            return counted(sides, packets=True)

    def goodput(self, packet_bytes: int, both: bool) -> float:
        """Bytes of packets per second, over both directions together."""
        return payload_per_s(self.datapath(packet_bytes, both=both))

    @contextmanager
    def _requested(self) -> Iterator[list[int]]:
        """Descriptors of requests of both ends, all lines low."""
        drivers: list[GpioLines] = []
        with ExitStack() as stack:
            for node in self._nodes:
                fd = request(node, chips.ROLES, self._inputs, chips.OUTPUTS, frozenset(), "gpiomux-bench")
                drivers.append(self._driver(fd))
                stack.callback(drivers[-1].close)
                drivers[-1].set(0)
            yield [driver.fileno() for driver in drivers]

    def _driver(self, fd: int) -> GpioLines:
        return GpioLines(fd, inputs=self._inputs, outputs=chips.OUTPUTS, watched=self._inputs[WIDTH:])

    def _run_c(self, fd: int, sends: bool, checks: bool, window: Window) -> Tally:
        words = [fd, WIDTH, int(sends), int(checks), window.begin_s, window.stop_s]
        command = [str(self._word_loop), *map(str, words)]
        done = subprocess.run(command, pass_fds=[fd], stdout=subprocess.PIPE, check=True)
        return Tally(words=int(done.stdout))

    def _run_bare(self, fd: int, sends: bool, window: Window) -> Tally:
        return bare(self._driver(fd), WIDTH, sends=sends, window=window)

    def _run_datapath(self, fd: int, end: int, packet_bytes: int, sampled: bool, window: Window) -> Tally:
        ids = ProtocolIds(reader=1 + end, writer=2 - end)
        transport = Transport(mode=Mode.NET_HDR, protocol=ids, medium=GpioMedium(), lines=chips.ROLES)
        return loaded(self._driver(fd), transport, packet_bytes=packet_bytes, window=window, sampled=sampled)


def counted(sides: Sequence[Callable[[Window], Tally]], *, packets: bool = False) -> list[Tally]:
    """Run both ends; again if no words, or no `packets`, came: a busy machine may keep an end from beginning in time.

    Raises:
        TimeoutError: none ever came.
    """
    for _ in range(TRIES):
        tallies = run_pair(sides, warm_up_s=WARM_UP_S, measure_s=MEASURE_S)
        if any(tally.payload_bytes if packets else tally.words for tally in tallies):
            return tallies
    raise TimeoutError("nothing has come in the time that counts")


def words_per_s(tallies: Sequence[Tally]) -> float:
    return sum(tally.words for tally in tallies) / MEASURE_S


def payload_per_s(tallies: Sequence[Tally]) -> float:
    return sum(tally.payload_bytes for tally in tallies) / MEASURE_S


@contextmanager
def arranged(arrangement: Arrangement, word_loop: Path) -> Iterator[Ends]:
    """Inside the block the chips are as `arrangement` says."""
    with ExitStack() as stack:
        stack.enter_context(modem.replugged(multiple=arrangement.multiple))
        if arrangement.aggregated:
            run = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            nodes = [stack.enter_context(chips.made(run / "chips", "configfs", end)) for end in (0, 1)]
            yield Ends(nodes, chips.INPUTS, word_loop)
        else:
            inputs = tuple(modem.far(offset) for offset in chips.OUTPUTS)
            yield Ends([modem.chip(end) for end in (0, 1)], inputs, word_loop)


def against_c(ends: Ends) -> Figures:
    """One round on one arrangement: words of each loop against those of the C program, packets against bare words."""
    c_one_way = ends.c_program(both=False)
    bare_one_way = ends.bare(both=False)
    one_way = ends.datapath(1500, both=False)
    c_both_ways = ends.c_program(both=True)
    both_ways = ends.datapath(1500, both=True)
    return {
        "words_one_way_of_c": words_per_s(one_way) / c_one_way,
        "words_both_ways_of_c": words_per_s(both_ways) / c_both_ways,
        "bare_one_way_of_c": bare_one_way / c_one_way,
        "c_words_per_s": c_one_way,
        "c_both_ways_of_one_way": c_both_ways / c_one_way,
        "goodput_1500_one_way_of_bare": payload_per_s(one_way) / bare_one_way,
        "goodput_1500_both_ways_of_bare": payload_per_s(both_ways) / bare_one_way,
        "cpu_s_per_mib": sum(tally.cpu_s for tally in one_way) * MIB / (payload_per_s(one_way) * MEASURE_S),
    }


def small_packets(ends: Ends) -> Figures:
    """One round with packets of 256 bytes."""
    bare_one_way = ends.bare(both=False)
    return {
        f"goodput_256_{way}_of_bare": ends.goodput(256, both) / bare_one_way
        for way, both in (("one_way", False), ("both_ways", True))
    }


def shares(ends: Ends) -> Figures:
    """Where the datapath's CPU time goes under load, by samples of the stack taken at each hundredth second of it."""
    samples: Counter[str] = Counter()
    for _ in range(SAMPLED_ROUNDS):
        for tally in ends.datapath(1500, both=True, sampled=True):
            samples.update(tally.samples)
    return {f"share_{part}_percent": 100 * count / samples.total() for part, count in sorted(samples.items())} | {
        "share_samples": samples.total()
    }


def tcp(c_words_per_s: float) -> Figures:
    """TCP over two links as `apply` makes them, on aggregators of chips that go one by one."""
    namespaces.enter_private()
    with modem.replugged(multiple=USUAL.multiple), tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "links.yaml"
        path.write_text(chips.two_links(aggregate=USUAL.aggregated), encoding="ascii")
        links.gpiomux("apply", str(path))
        try:
            links.wait_for_carrier()
            figures = summed(links.tcp(TCP_BYTES) for _ in range(TCP_ROUNDS))
        finally:
            links.gpiomux("down")
    return {**figures, "tcp_of_c_words": figures["tcp_bytes_per_s"] / c_words_per_s}


def main(word_loop: Path) -> None:
    """Measure everything, print it."""
    figures: Figures = {}
    sizes: dict[str, list[float]] = {}
    for arrangement in ARRANGEMENTS:
        print(f"real lines, {arrangement.name.replace('_', ' ')}", flush=True)
        with arranged(arrangement, word_loop) as ends:
            found = summed(against_c(ends) for _ in range(ROUNDS))
            print(", ".join(f"{name} {value:.3f}" for name, value in found.items() if "_of_c" in name), flush=True)
            figures |= {f"{arrangement.name}_{name}": value for name, value in found.items()}
            if arrangement == USUAL:
                figures |= summed(small_packets(ends) for _ in range(ROUNDS)) | shares(ends)
                sizes = by_size(partial(ends.bare, both=False), ends.goodput)
    print("real lines, TCP over links", flush=True)
    figures |= tcp(figures[f"{USUAL.name}_c_words_per_s"])
    print(json.dumps({"figures": figures, "goodput_by_size": sizes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
