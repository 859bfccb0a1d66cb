"""Two ends under load, each in a process of its own: the datapath's loop, or words without any protocol.

The datapath is the real one (`Pump`); in place of a network interface each end has a port that has a packet whenever
the link can send one, or swallows what comes, so that only the lines and the protocol are measured. What is counted
begins when both ends have long been running, and goodput counts the bytes of packets that arrived.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from gpiomux.datapath.interfaces import Member
from gpiomux.datapath.pump import Pump
from gpiomux.datapath.scheduling import ask_for_short_turns
from gpiomux.lines.handshake import Handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess
    from types import FrameType
    from typing import Never

    from gpiomux.config.model import Transport
    from gpiomux.lines.driver import LineDriver

    Side = Callable[["Window"], "Tally"]

FORK = multiprocessing.get_context("fork")
GIVE_UP_S = 60
BURST_WORDS = 512
"""Words between two looks at the clock, about as many as in a frame of the datapath."""
SPIN = 400
SAMPLE_S = 0.01
SIZES = (64, 128, 256, 512, 1024, 1500)
"""Of packets, in bytes."""
MIB = 1 << 20
CODEC = ("codec.py", "cobs.py", "frame.py")
"""Modules of the wire that turn frames into words and back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When to count, by CLOCK_MONOTONIC."""

    begin_s: float
    stop_s: float

    @property
    def length_s(self) -> float:
        """How long."""
        return self.stop_s - self.begin_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one end counted in its window."""

    words: int = 0
    """That came in."""
    payload_bytes: int = 0
    """Of packets that came in."""
    cpu_s: float = 0.0
    """That the process spent."""
    samples: dict[str, int] = field(default_factory=dict)
    """Where it was found at work: "codec", "protocol", "lines" or "rest"."""


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

    def reached(self) -> int | None:
        return None

    def set_carrier(self, on: bool) -> None:
        pass

    def set_send_buffer(self, limit_bytes: int) -> None:
        pass

    def close(self) -> None:
        os.close(self._event)


def run_pair(sides: Iterable[Side], *, warm_up_s: float, measure_s: float) -> list[Tally]:
    """Run functions in processes of their own at once; each gets the window that counts.

    Raises:
        ChildProcessError: one of them failed; it has said why.
    """
    begin_s = time.monotonic() + warm_up_s
    window = Window(begin_s=begin_s, stop_s=begin_s + measure_s)
    running = [_start(side, window) for side in sides]
    tallies = []
    for process, pipe in running:
        with pipe:
            try:
                tallies.append(pipe.recv())
            except EOFError as err:
                raise ChildProcessError("an end has failed") from err
        process.join()
    return tallies


def _start(side: Side, window: Window) -> tuple[ForkProcess, Connection[Never, Tally]]:
    """A process that runs `side`, and the pipe by which it tells what it counted."""
    reading, writing = FORK.Pipe(duplex=False)

    def run() -> None:
        signal.alarm(GIVE_UP_S)
        ask_for_short_turns()
        writing.send(side(window))

    process = FORK.Process(target=run)
    process.start()
    writing.close()
    return process, reading


def bare(driver: LineDriver, width: int, *, sends: bool, window: Window) -> Tally:
    """The handshake without a protocol."""
    handshake = Handshake(driver, width_in=width, width_out=width)
    # None is 0: two of them would end a frame, and with it a call of `run`.
    words = bytes(max(1, word & (1 << width) - 1) for word in random.Random(1).randbytes(BURST_WORDS))
    held, spent_s = 0, -1.0
    while (now_s := time.monotonic()) < window.stop_s:
        if spent_s < 0 and now_s >= window.begin_s:
            held, spent_s = handshake.words_in, time.process_time()
        if sends and handshake.idle:
            handshake.load(words)
        handshake.run(SPIN, BURST_WORDS)
        handshake.received.clear()
    return Tally(words=handshake.words_in - held, cpu_s=time.process_time() - spent_s)


def loaded(
    driver: LineDriver, transport: Transport, *, packet_bytes: int, window: Window, sampled: bool = False
) -> Tally:
    """The datapath's own loop; `packet_bytes` of 0 sends no packets."""
    port = LoadPort(packet_bytes)
    assert transport.protocol is not None
    draws = random.Random(transport.protocol.reader)
    pump = Pump(driver, transport, 1500, Member("bench0", port), partial(draws.randrange, 1, 1 << 64))
    port.wanted = pump.endpoint.can_send
    samples: Counter[str] = Counter()
    held_bytes, held_words, spent_s = 0, 0, -1.0
    while (now_s := time.monotonic()) < window.stop_s:
        if spent_s < 0 and now_s >= window.begin_s:
            held_bytes, held_words, spent_s = port.arrived_bytes, pump.handshake.words_in, time.process_time()
            if sampled:
                _sample(samples)
        pump.turn()
    return Tally(
        words=pump.handshake.words_in - held_words,
        payload_bytes=port.arrived_bytes - held_bytes,
        cpu_s=time.process_time() - spent_s,
        samples=dict(samples),
    )


def _sample(samples: Counter[str]) -> None:
    """Note from now on at each hundredth second of this process's CPU time in which part of gpiomux it is."""

    def note(_number: int, innermost: FrameType | None) -> None:
        frame = innermost
        while frame is not None:
            room, _, module = frame.f_code.co_filename.rpartition("gpiomux/")[2].partition("/")
            if room in ("wire", "lines"):
                samples["lines" if room == "lines" else "codec" if module in CODEC else "protocol"] += 1
                return
            frame = frame.f_back
        samples["rest"] += 1

    signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)


def by_size(bare_words: Callable[[], float], goodput: Callable[[int, bool], float]) -> dict[str, list[float]]:
    """Goodput at each of SIZES, one way and both ways, against the median of bare words between them.

    Args:
        bare_words: bytes per second that the lines carry one way without a protocol.
        goodput: bytes per second of packets of a size, both ways or one way.
    """
    bare, one_way, both_ways = [], [], []
    for size in SIZES:
        bare.append(bare_words())
        one_way.append(goodput(size, False))
        both_ways.append(goodput(size, True))
    whole = median(bare)
    return {
        "one way": [value / whole for value in one_way],
        "both ways, the sum": [value / whole for value in both_ways],
    }
