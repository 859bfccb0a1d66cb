"""24 hours of link time with faults all along, on a slow line with little traffic: nothing grows, nothing drifts."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.wire.packet import Packet
from gpiomux.wire.peering import HELLO_INTERVAL_NS, SILENCE_NS
from gpiomux.wire.session import KEEPALIVE_NS
from gpiomux.wire.stream import WINDOW_BYTES
from tests.wire.conftest import SETTINGS, numbered
from tests.wire.lossy_wire import Pair, Spoil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.wire.endpoint import Endpoint

S = 1_000_000_000
HOUR_NS = 3600 * S
HOURS = 24
WORD_NS = 2_000_000
EVERY_NS = 150 * S
"""A few packets each way, and perhaps a fault."""
LEAST_WORDS = 40
"""Of a hello."""


def containers(one: object, seen: set[int]) -> Iterator[int]:
    """Lengths of all that an object holds and that can grow."""
    if id(one) in seen or isinstance(one, type | int | str | None):
        return
    seen.add(id(one))
    if isinstance(one, bytes | bytearray):
        yield len(one)
    elif isinstance(one, dict):
        yield len(one)
        for part in (*one.keys(), *one.values()):
            yield from containers(part, seen)
    elif isinstance(one, list | tuple | set | deque):
        yield len(one)
        for part in one:
            yield from containers(part, seen)
    elif type(one).__module__.startswith("gpiomux.wire"):
        for name in names_of(one):
            yield from containers(getattr(one, name, None), seen)


def names_of(one: Any) -> list[str]:
    names = [field.name for field in fields(one)] if is_dataclass(one) else []
    return names + list(getattr(one, "__dict__", ())) + list(getattr(one, "__slots__", ()))


def size_of(end: Endpoint) -> int:
    """Bytes and items in all containers of an endpoint, without the table of its encoder, which never changes."""
    return sum(containers([getattr(end, name) for name in vars(end) if name != "_encoder"], set()))


def trouble(pair: Pair, draws: random.Random) -> None:
    """Another fault, or the end of one."""
    for end in pair.ends:
        end.line.spoil, end.line.cut = Spoil(), ""
    end, other = draws.sample(pair.ends, 2)
    match draws.choice(("nothing", "nothing", "flips", "flips", "words", "cut", "restart")):
        case "flips":
            end.line.spoil = Spoil(flip=draws.choice((1e-5, 1e-4, 1e-3)) * 8)
        case "words":
            end.line.spoil = other.line.spoil = Spoil(loss=1e-4, doubling=1e-4)
        case "cut":
            end.line.cut = draws.choice(("held", "lost"))
        case "restart":
            end.restart(pair.now_ns)


@pytest.mark.parametrize("datagram", [False, True])
def test_a_day_of_faults(datagram: bool) -> None:
    draws = random.Random(24)
    pair = Pair(replace(SETTINGS, datagram=datagram, tx_ring=8), seed=24, word_ns=WORD_NS)
    largest, number, frames = 0, 0, 0
    while pair.now_ns < HOURS * HOUR_NS:
        trouble(pair, draws)
        for end in pair.ends:
            end.waiting = end.waiting[:20] + [numbered(number + step, 60, flow=step) for step in range(3)]
        number += 3
        pair.run(EVERY_NS)
        largest = max(largest, *(size_of(end.endpoint) for end in pair.ends))
    for end in pair.ends:
        frames += end.endpoint.counters.tx_frames
        end.line.spoil, end.line.cut = Spoil(), ""
    pair.run(300 * S, until_quiet=True)
    assert pair.quiet
    pair.check()
    # The ring, a window each way (ranges and segments count as items), pieces of four packets, a frame.
    assert largest < 8 * 1600 + 2 * WINDOW_BYTES + 4 * 1600 + 700 + 1000
    # No end says more than the line carries, and none falls into a loop of hellos or resends.
    assert frames < 2 * HOURS * HOUR_NS // (LEAST_WORDS * WORD_NS)
    for end in pair.ends:
        counters = end.endpoint.counters
        assert counters.tx_resent < counters.tx_frames
        assert counters.rx_packets <= number
        assert max(counters.as_dict().values()) < HOURS * HOUR_NS // WORD_NS
    calm(pair)


def calm(pair: Pair) -> None:
    """After the day: the timers stand where they stood on the first minute."""
    pair.run(60 * S)
    before = [end.endpoint.counters.tx_frames for end in pair.ends]
    sessions = [end.session for end in pair.ends]
    pair.run(1000 * HELLO_INTERVAL_NS)
    for end, frames in zip(pair.ends, before, strict=True):
        expected = 1000 + 1000 * HELLO_INTERVAL_NS // KEEPALIVE_NS
        assert 0.9 * expected <= end.endpoint.counters.tx_frames - frames <= expected + 2
        assert size_of(end.endpoint) < 200
        silence_ns = end.endpoint.deadline_ns(can_send=False)
        assert silence_ns is not None
        assert pair.now_ns < silence_ns <= pair.now_ns + SILENCE_NS
    assert [end.session for end in pair.ends] == sessions


def test_the_sizes_are_those_of_all_containers() -> None:
    """What is counted above sees a packet in the ring, one on its way and one that waits behind a gap."""
    pair = Pair(SETTINGS, seed=1, word_ns=1000)
    pair.run(2 * S)
    end = pair.ends[0].endpoint
    empty = size_of(end)
    for flow in range(8):
        end.send(Packet(flow, bytes(1400)))
    assert size_of(end) > empty + 8 * 1400
    while end.to_send(pair.now_ns):
        end.gone_out(pair.now_ns)
    assert size_of(end) > empty + 8 * 1400
