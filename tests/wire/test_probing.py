"""Probes: replies, what they tell, and how little a peer can do with them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire import frame as frames
from gpiomux.wire.cobs import GROUP
from gpiomux.wire.codec import WIDTHS, Decoder, Encoder
from gpiomux.wire.counters import Counters
from gpiomux.wire.frame import MAX_PATTERN_BYTES, MIN_PATTERN_BYTES, Data, Frame, Probe
from gpiomux.wire.probing import (
    GIVE_WAY_FRAMES,
    MAX_REMEMBERED,
    MAX_WAITING,
    PATTERN,
    Figures,
    Probing,
    compared_bits,
    wrong_bits,
)
from gpiomux.wire.timing import Pace
from tests.wire.conftest import (
    SETTINGS,
    client_and_server,
    connected,
    drop,
    facing,
    hear,
    make_endpoint,
    numbered,
    packets,
    roundtrip,
    state_bytes,
    transfer,
)

if TYPE_CHECKING:
    from gpiomux.wire.endpoint import Endpoint

MS = 1_000_000
SIZES = st.integers(MIN_PATTERN_BYTES, MAX_PATTERN_BYTES)
U32 = st.integers(0, (1 << 32) - 1)


def line_of(probe: Probe) -> bytes:
    """What stands on the line between two ends of frames."""
    return Encoder(8).encode(frames.encode(probe))[:-2]


def said(end: Endpoint, now_ns: int = 0) -> list[Frame]:
    """All that an end has to say."""
    decoder, found = Decoder(8, Counters()), []
    while words := end.to_send(now_ns):
        found += [frames.decode(data) for data in decoder.decode(words)]
        end.gone_out(now_ns)
    assert None not in found
    return [frame for frame in found if frame is not None]


def asked(number: int = 1, pattern_bytes: int = 64) -> Probe:
    return Probe(number, 0, 0, 0, 0, b"\0%b\0" % PATTERN[:pattern_bytes])


def replies(end: Endpoint) -> list[Probe]:
    return [frame for frame in said(end) if isinstance(frame, Probe)]


# Round trips.


def test_a_probe_is_answered() -> None:
    client, server = connected()
    number = client.probing.ask(64)
    assert client.probing.waiting == number
    transfer(client, server, 5 * MS)
    assert client.probing.waiting == 0
    transfer(server, client, 12 * MS)
    assert list(client.probing.replies) == [(number, 7 * MS, server.probing.own)]
    assert list(server.probing.replies) == []


def test_probes_and_replies_are_counted_as_frames() -> None:
    client, server = connected()
    before = [(end.counters.tx_frames, end.counters.rx_frames) for end in (client, server)]
    for _ in range(3):
        client.probing.ask(64)
        roundtrip(client, server)
    after = [(end.counters.tx_frames, end.counters.rx_frames) for end in (client, server)]
    assert [(sent - sent_before, came - came_before) for (sent, came), (sent_before, came_before) in zip(
        after, before, strict=True
    )] == [(3, 3), (3, 3)]  # fmt: skip


@pytest.mark.parametrize("pattern_bytes", [MIN_PATTERN_BYTES, 64, MAX_PATTERN_BYTES])
def test_the_reply_is_as_long_as_the_probe(pattern_bytes: int) -> None:
    _, server = connected()
    hear(server, asked(9, pattern_bytes))
    (reply,) = replies(server)
    assert reply.reply
    assert reply.number == 9
    assert reply.body == asked(9, pattern_bytes).body


def test_ends_that_do_not_fit_answer_each_other() -> None:
    client, server = client_and_server(server=replace(facing(SETTINGS), writer=8))
    roundtrip(client, server)
    assert not client.peering.up
    number = client.probing.ask(64)
    roundtrip(client, server)
    assert [reply.number for reply in client.probing.replies] == [number]


def test_an_end_that_was_never_heard_is_not_waited_for() -> None:
    client = make_endpoint(SETTINGS, 1)
    client.probing.ask(64)
    assert client.deadline_ns(can_send=True) == 0
    drop(client)
    assert not client.probing.replies


def test_a_loop_hears_its_own_reply() -> None:
    end = make_endpoint(replace(SETTINGS, reader=5, writer=5), 1)
    number = end.probing.ask(64)
    transfer(end, end)
    assert [reply.number for reply in end.probing.replies] == [number]


def test_an_old_peer_passes_over_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = connected()
    with monkeypatch.context() as patched:
        patched.setattr(frames, "MAX_PATTERN_BYTES", 0)  # as the version before: decode knows no probe
        hear(server, asked())
    assert server.counters.rx_unknown == 1
    client.send(numbered(1))
    roundtrip(client, server)
    assert packets(server) == [numbered(1)]


# What a peer can do.


def test_a_flood_of_probes_gets_few_replies_and_takes_no_memory() -> None:
    _, server = connected()
    for number in range(MAX_WAITING):
        hear(server, asked(number, MAX_PATTERN_BYTES))
    before = state_bytes(server)
    for number in range(2000):
        hear(server, asked(number, MAX_PATTERN_BYTES))
    assert state_bytes(server) < before + 100
    assert [reply.number for reply in replies(server)] == list(range(2000 - MAX_WAITING, 2000))


def test_replies_that_nobody_waits_for_tell_nothing() -> None:
    client, server = connected()
    for number in range(2000):
        hear(client, replace(asked(number), wrong_bits=7, reply=True))
    assert not client.probing.replies
    number = client.probing.ask(64)
    roundtrip(client, server)
    hear(client, replace(asked(number), reply=True))
    assert len(client.probing.replies) == 1, "the second reply to one probe"


def test_packets_go_on_while_a_peer_never_stops_probing() -> None:
    """Of the frames that go out, most are the session's."""
    client, server = connected(replace(SETTINGS, tx_ring=1000))
    for number in range(200):
        client.send(numbered(number, 1000))
    kinds = []
    for turn in range(2000):
        hear(client, asked(1, MAX_PATTERN_BYTES), turn * MS)
        words = client.to_send(turn * MS)
        if client.packets():
            kinds += [type(frames.decode(data)) for data in Decoder(8, Counters()).decode(words)]
        server.receive(words, turn * MS)
        client.gone_out(turn * MS)
        transfer(server, client, turn * MS)
    assert not client.packets()
    assert len(packets(server)) == 200
    assert kinds.count(Data) > (GIVE_WAY_FRAMES - 1) * kinds.count(Probe)
    assert kinds.count(Probe) > 10, "and probes do not wait for ever"


def test_a_peer_that_never_stops_probing_does_not_keep_us_from_it() -> None:
    client, _ = connected()
    client.probing.ask(64)
    hear(client, asked(7))
    assert [probe.reply for probe in replies(client)] == [False, True]


def test_what_nobody_takes_is_bounded() -> None:
    client, _ = connected()
    for _ in range(2 * MAX_REMEMBERED):
        client.probing.ask(64)
        drop(client)
    assert state_bytes(client) < 100_000
    assert client.probing.ask(64) == 2 * MAX_REMEMBERED + 1


def test_only_the_newest_of_the_probes_that_could_not_go_out_does() -> None:
    client, server = connected()
    first, second = client.probing.ask(64), client.probing.ask(32)
    assert client.probing.waiting == second != first
    roundtrip(client, server)
    assert [reply.number for reply in client.probing.replies] == [second]


def test_a_slow_line_gets_short_patterns() -> None:
    pace = Pace()
    pace.sent(100, 1_000_000_000)
    probing = Probing(Counters(), pace)
    probing.ask(MAX_PATTERN_BYTES)
    probe = probing.next_frame(0)
    assert probe is not None
    assert len(probe.body) - 2 == pace.data_bytes() < MAX_PATTERN_BYTES


# Damage.


@given(SIZES, st.builds(Probe, U32, U32, U32, U32, U32, st.just(b""), st.booleans()))
def test_the_pattern_is_found_whatever_is_said_before_it(pattern_bytes: int, probe: Probe) -> None:
    assert wrong_bits(line_of(replace(probe, body=asked(1, pattern_bytes).body))) == 0


@given(SIZES, st.data())
def test_each_wrong_bit_of_a_pattern_is_counted(pattern_bytes: int, data: st.DataObject) -> None:
    line = bytearray(line_of(asked(1, pattern_bytes)))
    bits = compared_bits(pattern_bytes)
    wrong = data.draw(st.sets(st.integers(0, bits - 1), max_size=bits // 4))
    for bit in wrong:
        line[23 + bit // 8] ^= 1 << bit % 8
    assert wrong_bits(bytes(line)) == len(wrong)
    line[data.draw(st.integers(0, 22))] ^= data.draw(st.integers(1, 255))
    assert wrong_bits(bytes(line)) == len(wrong), "what stands before the pattern does not count"


@given(st.binary(max_size=700))
def test_any_line_may_be_looked_at(line: bytes) -> None:
    found = wrong_bits(line)
    assert found is None or 4 * found <= 8 * len(line)


def test_other_frames_are_not_taken_for_probes() -> None:
    draws = random.Random(1)
    lines = (draws.randbytes(draws.randrange(1, 600)) for _ in range(20_000))
    assert [line for line in lines if wrong_bits(line) is not None] == []


def test_stuffing_always_adds_one_byte_to_a_pattern() -> None:
    runs = [len(run) for run in PATTERN.split(b"\0")]
    assert max(runs) < GROUP


@pytest.mark.parametrize("width", WIDTHS)
def test_both_ends_know_the_damage_of_both_directions(width: int) -> None:
    """Bits of the patterns are spoilt on purpose, so many in each direction; the figures say just that."""
    settings = replace(SETTINGS, width_in=width, width_out=width)
    client, server = connected(settings)
    spoilt = {0: 0, 1: 0}
    for number in range(20):
        client.probing.ask(64)
        for way, (sender, receiver) in enumerate(((client, server), (server, client))):
            while words := bytearray(sender.to_send(0)):
                # The last bit of a byte in the middle of the pattern: the line holds neither more nor fewer zeros.
                if len(words) * width // 8 == 64 + 31 and number % 4 == 3 * way:
                    words[50 * 8 // width - 1] ^= 1 << width - 1
                    spoilt[way] += 1
                receiver.receive(words, 0)
                sender.gone_out(0)
    assert spoilt == {0: 5, 1: 5}
    client.probing.ask(64)
    roundtrip(client, server)
    there, here = client.probing.replies[-1].peer, client.probing.own
    assert (there.damaged, there.pattern_bits, there.wrong_bits) == (5, 21 * compared_bits(64), 5)
    assert (here.damaged, here.pattern_bits, here.wrong_bits) == (5, 16 * compared_bits(64), 5)
    assert server.counters.rx_crc_errors + server.counters.rx_framing_errors == 5


def test_figures_are_said_modulo_two_to_the_32() -> None:
    counters = Counters(rx_frames=(1 << 32) + 5, rx_crc_errors=1 << 32, rx_framing_errors=2)
    assert Probing(counters, Pace()).own == Figures(5, 2, 0, 0)
