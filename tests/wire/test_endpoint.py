"""One end of a link, by its five verbs: examples one frame at a time, then whole histories of faults from seeds."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpiomux.wire import frame as frames
from gpiomux.wire.codec import WIDTHS, Decoder
from gpiomux.wire.counters import Counters
from gpiomux.wire.events import LinkDown, LinkUp, PacketReceived
from gpiomux.wire.frame import POSITION_MODULUS, Ack, Data, Frame, Hello
from gpiomux.wire.packet import Packet
from gpiomux.wire.peering import HELLO_INTERVAL_NS, SILENCE_NS, SILENT
from gpiomux.wire.session import ACK_DELAY_NS, KEEPALIVE_NS
from gpiomux.wire.stream import WINDOW_BYTES
from gpiomux.wire.timing import INITIAL_TIMEOUT_NS
from tests.wire.conftest import (
    SETTINGS,
    client_and_server,
    connected,
    drop,
    events,
    facing,
    hear,
    make_endpoint,
    numbered,
    packets,
    roundtrip,
    state_bytes,
    transfer,
    whole,
)
from tests.wire.lossy_wire import Pair, Spoil

if TYPE_CHECKING:
    from gpiomux.wire.endpoint import Endpoint

S = 1_000_000_000
MS = 1_000_000


def spoken(end: Endpoint, now_ns: int = 0) -> list[Frame]:
    """The frames an end has to say, taken off the wire."""
    decoder, found = Decoder(8, Counters()), []
    while words := end.to_send(now_ns):
        found += [frames.decode(data) for data in decoder.decode(words)]
        end.gone_out(now_ns)
    assert None not in found
    return [frame for frame in found if frame is not None]


def in_order(end: Endpoint) -> list[Packet]:
    """The packets that have come, by their marks."""
    return sorted(packets(end), key=lambda packet: packet.mark)


# Hello and carrier.


def test_two_ends_find_each_other() -> None:
    client, server = client_and_server()
    assert not client.can_send() or not client.peering.up
    roundtrip(client, server)
    for end, other in ((client, server), (server, client)):
        assert end.peering.up
        assert events(end) == [LinkUp(other.peering.own)] or isinstance(end.peering.peer, Hello)
        assert end.counters.carrier_changes == 1


@pytest.mark.parametrize("losses", [("client",), ("server",), ("client", "server"), ("client", "server", "client")])
def test_hellos_that_are_lost_are_repeated(losses: tuple[str, ...]) -> None:
    client, server = client_and_server()
    now_ns = 0
    for loser in losses:
        end, other = (client, server) if loser == "client" else (server, client)
        assert drop(end, now_ns) == 1
        transfer(other, end, now_ns)
        now_ns += HELLO_INTERVAL_NS
    roundtrip(client, server, now_ns)
    assert client.peering.up
    assert server.peering.up


def test_data_that_overtakes_a_lost_hello_is_not_lost() -> None:
    """The client has a carrier before the server has: what it sends meanwhile arrives once the hello does."""
    client, server = client_and_server()
    transfer(client, server)
    transfer(server, client)
    assert (client.peering.up, server.peering.up) == (True, False)
    drop(client)
    client.send(numbered(1))
    transfer(client, server)
    assert packets(server) == []
    roundtrip(client, server, HELLO_INTERVAL_NS)
    client.on_deadline(INITIAL_TIMEOUT_NS + HELLO_INTERVAL_NS)
    roundtrip(client, server, INITIAL_TIMEOUT_NS + HELLO_INTERVAL_NS)
    assert packets(server) == [numbered(1)]


def test_ends_that_do_not_fit_have_no_carrier() -> None:
    client, server = client_and_server(server=replace(facing(SETTINGS), writer=8))
    roundtrip(client, server)
    assert client.peering.reason == "peer writes 0x8, this link reads 0x1"
    assert server.peering.reason == "peer reads 0x1, this link writes 0x8"
    assert events(client) == events(server) == []


def test_a_loop_is_named() -> None:
    end = make_endpoint(replace(SETTINGS, reader=5, writer=5), 1)
    transfer(end, end)
    assert end.peering.reason == "this link hears itself: its out lines lead to its own in lines"


def test_silence_ends_the_carrier() -> None:
    client, server = connected()
    client.send(numbered(1))
    drop(client)
    client.send(numbered(2))
    client.on_deadline(SILENCE_NS)
    assert events(client) == [LinkDown(SILENT)]
    assert client.counters.tx_dropped == 2
    client.send(numbered(3))
    assert client.counters.tx_dropped == 3
    transfer(client, server, SILENCE_NS)
    assert server.counters.peer_restarts == 1
    roundtrip(client, server, SILENCE_NS)
    assert [type(event) for event in events(server)] == [LinkDown, LinkUp]
    assert [type(event) for event in events(client)] == [LinkUp]


def test_a_restarted_peer_gets_nothing_of_the_old_session() -> None:
    client, server = connected()
    for number in range(5):
        client.send(numbered(number, 2000 if number == 0 else 20))
    stale = [client.to_send(0) for _ in range(3)]
    restarted = make_endpoint(facing(SETTINGS), 99)
    for words in stale:
        restarted.receive(words, 0)
    roundtrip(client, restarted)
    assert client.peering.up
    assert packets(restarted) == []
    client.send(numbered(9))
    roundtrip(client, restarted)
    assert packets(restarted) == [numbered(9)]
    assert client.counters.tx_dropped == 5
    assert server.peering.up, "the test has not touched it"


def test_another_mtu_on_both_sides() -> None:
    client, server = connected()
    client.set_mtu(1400)
    roundtrip(client, server)
    assert server.peering.reason == "peer's mtu is 1400, this link's 1500"
    assert [type(event) for event in events(client)] == [LinkDown]
    server.set_mtu(1400)
    roundtrip(client, server)
    for end in (client, server):
        assert end.peering.up
        end.send(Packet(0, bytes(1401)))
        assert end.counters.tx_dropped == 1
        end.send(Packet(0, bytes(1400)))
    roundtrip(client, server)
    assert packets(client) == packets(server) == [Packet(0, bytes(1400))]


# Packets.


@pytest.mark.parametrize(("mode", "extra"), [("net_hdr", 0), ("raw", 2), ("eth", 18)])
def test_the_longest_packet_of_each_mode(mode: str, extra: int) -> None:
    client, server = connected(replace(SETTINGS, mode=mode))
    client.send(Packet(7, bytes(1500 + extra)))
    client.send(Packet(7, bytes(1501 + extra)))
    roundtrip(client, server)
    assert packets(server) == [Packet(7, bytes(1500 + extra))]
    assert client.counters.tx_dropped == 1


@pytest.mark.parametrize("width_in", WIDTHS)
@pytest.mark.parametrize("width_out", WIDTHS)
def test_packets_both_ways_at_every_width(width_in: int, width_out: int) -> None:
    client, server = connected(replace(SETTINGS, width_in=width_in, width_out=width_out))
    sent = [Packet(number, random.Random(number).randbytes(number * 13)) for number in range(20)]
    for packet in sent:
        client.send(packet)
        server.send(packet)
    roundtrip(client, server)
    # Other than IP packets, these are flows of their own each.
    assert in_order(server) == in_order(client) == sent
    assert client.counters.rx_bytes == sum(len(packet.payload) for packet in sent)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=1500)), max_size=8))
@settings(max_examples=30)
def test_any_packet_arrives(described: list[tuple[int, bytes]]) -> None:
    client, server = connected()
    sent = [Packet(mark, payload) for mark, payload in described]
    for packet in sent:
        client.send(packet)
    roundtrip(client, server)
    roundtrip(client, server, ACK_DELAY_NS)
    assert sorted(packets(server), key=repr) == sorted(sent, key=repr)
    assert client.counters.tx_packets == len(sent)


def test_the_ring_is_bounded_and_without_a_carrier_bottomless() -> None:
    client, server = client_and_server(replace(SETTINGS, tx_ring=3))
    for number in range(10):
        assert client.can_send()
        client.send(numbered(number))
    assert client.counters.tx_dropped == 10
    roundtrip(client, server)
    taken = 0
    while client.can_send():
        client.send(numbered(taken))
        taken += 1
    assert taken == 3
    assert client.counters.tx_ring_full == 0


def test_a_full_ring_loses_the_oldest_of_who_holds_most_and_nothing_that_has_begun() -> None:
    client, server = connected(replace(SETTINGS, tx_ring=4))
    client.send(numbered(0, 1000))
    server.receive(client.to_send(0), 0)
    client.gone_out(0)
    for number in range(1, 10):
        client.send(numbered(number, 1000))
    client.send(numbered(99, flow=99))
    roundtrip(client, server)
    assert {packet.payload[16:20] for packet in packets(server)} == {
        number.to_bytes(4, "big") for number in (0, 8, 9, 99)
    }
    assert client.counters.tx_ring_full == 7


def test_a_ping_does_not_notice_a_flood() -> None:
    """Every packet of two floods goes in, whether there is room or not, and a ping each way now and then."""
    pair = Pair(replace(SETTINGS, tx_ring=32), seed=1, word_ns=1_000)
    pair.run(2 * S)
    pings, floods = 0, 100
    for _ in range(200):
        for end in pair.ends:
            end.eager = True
            end.waiting += [numbered(floods + step, 1400, flow=step % 2) for step in range(6)]
            end.waiting.append(numbered(pings, flow=99))
        pings, floods = pings + 1, floods + 6
        pair.run(4 * MS)
        ping_ns = pair.now_ns
        for end in pair.ends:
            assert end.received.count(numbered(pings - 1, flow=99)) == 1, f"ping {pings} has taken longer, {ping_ns}"
    pair.run(S, until_quiet=True)
    for end in pair.ends:
        assert end.endpoint.counters.tx_ring_full > 300
        assert len(end.sent) == len(end.peer.received) + end.endpoint.counters.tx_ring_full


# Acknowledgement.


def test_a_lost_frame_is_resent_as_soon_as_a_later_one_has_arrived() -> None:
    client, server = connected()
    client.send(numbered(1))
    drop(client)
    client.send(numbered(2))
    roundtrip(client, server)
    assert packets(server) == [numbered(1), numbered(2)]
    assert client.counters.tx_resent >= 1


def test_the_last_frame_is_resent_by_the_timer() -> None:
    client, server = connected()
    client.send(numbered(1))
    drop(client)
    assert client.deadline_ns(can_send=True) == KEEPALIVE_NS < INITIAL_TIMEOUT_NS
    roundtrip(client, server, INITIAL_TIMEOUT_NS - 1)
    assert packets(server) == []
    assert client.deadline_ns(can_send=True) == INITIAL_TIMEOUT_NS
    roundtrip(client, server, INITIAL_TIMEOUT_NS)
    assert packets(server) == [numbered(1)]


def test_an_idle_end_says_hello_and_that_it_lives() -> None:
    client, server = connected()
    said: dict[Endpoint, list[tuple[int, type[Frame]]]] = {client: [], server: []}
    for now_ns in range(100 * MS, 40 * S, 100 * MS):
        for end, other in ((client, server), (server, client)):
            end.on_deadline(now_ns)
            for frame in spoken(end, now_ns):
                said[end].append((now_ns, type(frame)))
                hear(other, frame, now_ns)
    for frames_of_end in said.values():
        assert {kind for _, kind in frames_of_end} == {Hello, Ack}
        hellos = [now_ns for now_ns, kind in frames_of_end if kind is Hello]
        acks = [now_ns for now_ns, kind in frames_of_end if kind is Ack]
        assert {later - earlier for earlier, later in pairwise(hellos)} == {HELLO_INTERVAL_NS}
        assert {later - earlier for earlier, later in pairwise(acks)} == {KEEPALIVE_NS}
    assert events(client) == events(server) == []


# Fairness.


def test_a_small_packet_does_not_wait_for_large_ones() -> None:
    client, server = connected(replace(SETTINGS, mtu=60_000, tx_ring=8))
    for number in range(3):
        client.send(numbered(number, 50_000, flow=number))
    for _ in range(4):
        server.receive(client.to_send(0), 0)
        client.gone_out(0)
    client.send(numbered(99, flow=99))
    for _ in range(4):
        server.receive(client.to_send(0), 0)
        client.gone_out(0)
    assert packets(server) == [numbered(99, flow=99)]


def test_an_acknowledgement_does_not_wait_for_a_large_packet() -> None:
    client, server = connected(replace(SETTINGS, mtu=60_000))
    client.send(numbered(0, 50_000))
    client.to_send(0)
    client.gone_out(0)
    data = whole(numbered(1))
    hear(client, Data(0, 0, data))
    decoded = frames.decode(Decoder(8, Counters()).decode(client.to_send(ACK_DELAY_NS))[0])
    assert decoded == Ack(len(data))
    assert not packets(server)


def test_the_first_hello_is_understood_in_the_middle_of_a_frame() -> None:
    """Whoever died has left half a frame on the wire; the hello of who comes next ends it."""
    client, server = connected()
    client.send(numbered(1, 300))
    server.receive(client.to_send(0)[:100], 0)
    restarted = make_endpoint(SETTINGS, 99)
    transfer(restarted, server)
    assert server.counters.peer_restarts == 1
    assert server.counters.rx_framing_errors + server.counters.rx_crc_errors == 1


@pytest.mark.parametrize("error_rate", [0.0, 1e-4])
def test_a_peer_waits_while_nobody_takes_its_packets(error_rate: float) -> None:
    """No more than a window comes, the carrier stays, and nothing is lost."""
    pair = Pair(SETTINGS, seed=1, word_ns=1_000)
    pair.run(2 * S)
    sender, receiver = pair.ends
    for end in pair.ends:
        end.line.spoil = Spoil(flip=8 * error_rate)
    sender.waiting = [numbered(number, 1400) for number in range(100)]
    receiver.waiting = [numbered(1000 + number, 1400) for number in range(100)]
    pair.run(20 * MS)
    receiver.endpoint.hold(True, pair.now_ns)
    before = len(receiver.received)
    assert before > 0
    pair.run(30 * S)
    assert 0 < sum(len(one.payload) for one in receiver.received[before:]) <= WINDOW_BYTES
    assert len(sender.received) == 100, "the other way goes on"
    assert [end.session for end in pair.ends] == [1, 1]
    receiver.endpoint.hold(False, pair.now_ns)
    pair.run(10 * S, until_quiet=True)
    assert pair.quiet
    assert len(receiver.received) == 100
    pair.check()


def test_a_peer_that_begins_anew_does_not_get_another_window() -> None:
    pair = Pair(SETTINGS, seed=1, word_ns=1_000)
    pair.run(2 * S)
    sender, receiver = pair.ends
    receiver.endpoint.hold(True, pair.now_ns)
    for turn in range(3):
        sender.restart(pair.now_ns)
        sender.waiting = [numbered(100 * turn + number, 1400) for number in range(40)]
        pair.run(5 * S)
    assert receiver.received == []
    receiver.endpoint.hold(False, pair.now_ns)
    pair.run(60 * S, until_quiet=True)
    assert len(receiver.received) == 40
    pair.check()


def test_what_waited_is_forgotten_with_the_carrier() -> None:
    client, server = connected(replace(SETTINGS, tx_ring=200))
    at_first_bytes = state_bytes(client)
    for number in range(200):
        client.send(numbered(number, 1000, flow=number))
        server.send(numbered(number, 1000, flow=number))
    server.to_send(0)
    while words := server.to_send(0):  # records that begin packets, and a gap before them
        client.receive(words, 0)
    drop(client)
    client.on_deadline(SILENCE_NS)
    assert client.counters.tx_dropped == 200
    assert state_bytes(client) < at_first_bytes + 500


# Long times.


def test_an_hour_of_idle_link_time_changes_nothing() -> None:
    pair = Pair(SETTINGS, seed=1, word_ns=10_000)
    pair.run(10 * S)
    before = [state_bytes(end.endpoint) for end in pair.ends]
    pair.run(3600 * S)
    assert [end.session for end in pair.ends] == [1, 1]
    for end, bytes_before in zip(pair.ends, before, strict=True):
        assert state_bytes(end.endpoint) < bytes_before + 100
        expected = 3610 * S // HELLO_INTERVAL_NS + 3610 * S // KEEPALIVE_NS
        assert 0.99 * expected <= end.endpoint.counters.tx_frames <= expected + 5


def test_positions_go_round_more_than_once() -> None:
    client, server = connected()
    sent = received = 0
    while sent * 1000 < 3 * POSITION_MODULUS:
        while client.can_send():
            client.send(numbered(sent, 1000))
            sent += 1
        roundtrip(client, server)
        roundtrip(client, server, ACK_DELAY_NS)
        while (event := server.next_event()) is not None:
            assert event == PacketReceived(numbered(received, 1000))
            received += 1
    assert sent == received == client.counters.tx_packets
