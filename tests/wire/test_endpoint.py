"""One end of a link, by its five verbs: examples one frame at a time, then whole histories of faults from seeds."""

from __future__ import annotations

import pickle
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpiomux.wire import frame as frames
from gpiomux.wire.codec import WIDTHS, Decoder, Encoder
from gpiomux.wire.counters import Counters
from gpiomux.wire.endpoint import ACK_DELAY_NS, ACK_EVERY, Endpoint, Settings
from gpiomux.wire.events import LinkDown, LinkUp, PacketReceived
from gpiomux.wire.frame import FIRST, LANE_SHIFT, LAST, SEQUENCE_MODULUS, Ack, Data, Frame, Hello
from gpiomux.wire.packet import Packet
from gpiomux.wire.peering import HELLO_INTERVAL_NS, SILENCE_NS, SILENT
from gpiomux.wire.window import INITIAL_TIMEOUT_NS, WINDOW
from tests.wire.conftest import (
    SETTINGS,
    client_and_server,
    connected,
    drop,
    events,
    facing,
    make_endpoint,
    packets,
    roundtrip,
    transfer,
)
from tests.wire.lossy_wire import Pair, Spoil

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


def hear(end: Endpoint, frame: Frame, now_ns: int = 0) -> None:
    end.receive(Encoder(8).encode(frames.encode(frame)), now_ns)


def state_bytes(end: Endpoint) -> int:
    """How much an endpoint remembers, all in all."""
    return len(pickle.dumps(end))


def numbered(number: int, length: int = 20, flow: int = 0) -> Packet:
    """A packet that is no IP: its first 16 bytes make its flow."""
    return Packet(0, b"flow" + flow.to_bytes(12, "big") + number.to_bytes(4, "big") + bytes(length))


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
    assert client.peering.reason == "peer writes 8, this link reads 1"
    assert server.peering.reason == "peer reads 1, this link writes 8"
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


def test_the_first_hello_is_understood_in_the_middle_of_a_frame() -> None:
    """Whoever died has left half a frame on the wire; the hello of who comes next ends it."""
    client, server = connected()
    client.send(numbered(1, 300))
    server.receive(client.to_send(0)[:100], 0)
    restarted = make_endpoint(SETTINGS, 99)
    transfer(restarted, server)
    assert server.counters.peer_restarts == 1
    assert server.counters.rx_framing_errors + server.counters.rx_crc_errors == 1


def test_what_waited_is_forgotten_with_the_carrier() -> None:
    client, server = connected(replace(SETTINGS, tx_ring=200))
    at_first_bytes = state_bytes(client)
    for number in range(200):
        client.send(numbered(number, 1000, flow=number))
        server.send(numbered(number, 1000, flow=number))
    server.to_send(0)
    for _ in range(WINDOW):  # fragments that begin packets and a gap before them
        client.receive(server.to_send(0), 0)
    drop(client)
    client.on_deadline(SILENCE_NS)
    assert client.counters.tx_dropped == 200
    assert state_bytes(client) < at_first_bytes + 500


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
    assert packets(server) == packets(client) == sent
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


# Acknowledgement.


def test_an_acknowledgement_waits_for_data_to_ride_on() -> None:
    client, server = connected()
    client.send(numbered(1))
    transfer(client, server)
    assert spoken(server) == []
    assert server.deadline_ns(can_send=True) == ACK_DELAY_NS
    server.send(numbered(2))
    (data,) = spoken(server, 1)
    assert isinstance(data, Data)
    assert data.acknowledgement == 1
    assert spoken(server, ACK_DELAY_NS) == []


def test_an_acknowledgement_waits_no_longer_than_its_delay() -> None:
    client, server = connected()
    client.send(numbered(1))
    transfer(client, server)
    assert spoken(server, ACK_DELAY_NS - 1) == []
    assert spoken(server, ACK_DELAY_NS) == [Ack(1, 0)]
    assert spoken(server, 2 * ACK_DELAY_NS) == []


def test_many_frames_are_acknowledged_at_once() -> None:
    client, server = connected()
    for number in range(ACK_EVERY - 1):
        hear(server, Data(number, 0, FIRST | LAST, numbered(number).encode()))
        assert spoken(server) == []
    hear(server, Data(ACK_EVERY - 1, 0, FIRST | LAST, numbered(0).encode()))
    assert spoken(server) == [Ack(ACK_EVERY, 0)]
    assert client.peering.up


def test_a_gap_and_a_duplicate_are_acknowledged_at_once() -> None:
    _, server = connected()
    hear(server, Data(1, 0, FIRST | LAST, numbered(1).encode()))
    assert spoken(server) == [Ack(0, 1)]
    hear(server, Data(1, 0, FIRST | LAST, numbered(1).encode()))
    assert spoken(server) == [Ack(0, 1)]
    assert server.counters.rx_duplicates == 1
    hear(server, Data(0, 0, FIRST | LAST, numbered(0).encode()))
    assert packets(server) == [numbered(0), numbered(1)]


def test_a_lost_frame_is_resent_as_soon_as_a_later_one_has_arrived() -> None:
    client, server = connected()
    client.send(numbered(1))
    drop(client)
    client.send(numbered(2))
    roundtrip(client, server)
    assert packets(server) == [numbered(1), numbered(2)]
    assert client.counters.tx_resent == 1


def test_the_last_frame_is_resent_by_the_timer() -> None:
    client, server = connected()
    client.send(numbered(1))
    drop(client)
    deadline_ns = client.deadline_ns(can_send=True)
    assert deadline_ns == min(HELLO_INTERVAL_NS, INITIAL_TIMEOUT_NS)
    roundtrip(client, server, HELLO_INTERVAL_NS)
    assert packets(server) == []
    assert client.deadline_ns(can_send=True) == INITIAL_TIMEOUT_NS
    roundtrip(client, server, INITIAL_TIMEOUT_NS)
    assert packets(server) == [numbered(1)]


def test_an_idle_end_says_hello_and_nothing_else() -> None:
    client, server = connected()
    for turn in range(1, 50):
        now_ns = turn * HELLO_INTERVAL_NS
        for end, other in ((client, server), (server, client)):
            end.on_deadline(now_ns)
            assert transfer(end, other, now_ns) == 1
    assert events(client) == events(server) == []


# Fairness.


def test_a_small_packet_does_not_wait_for_large_ones() -> None:
    client, server = connected(replace(SETTINGS, mtu=60_000, tx_ring=8))
    for number in range(3):
        client.send(numbered(number, 50_000, flow=number))
    for _ in range(4):
        server.receive(client.to_send(0), 0)
    client.send(numbered(99, flow=99))
    for _ in range(4):
        server.receive(client.to_send(0), 0)
    assert packets(server) == [numbered(99, flow=99)]


def test_an_acknowledgement_does_not_wait_for_a_large_packet() -> None:
    client, server = connected(replace(SETTINGS, mtu=60_000))
    client.send(numbered(0, 50_000))
    client.to_send(0)
    hear(client, Data(0, 0, FIRST | LAST, numbered(1).encode()))
    decoded = frames.decode(Decoder(8, Counters()).decode(client.to_send(ACK_DELAY_NS))[0])
    assert decoded == Ack(1, 0)
    assert not packets(server)


# A hostile peer.

U16, U64 = st.integers(0, 0xFFFF), st.integers(0, (1 << 64) - 1)
NEAR = st.one_of(U16, st.integers(0, 2 * WINDOW), st.integers(SEQUENCE_MODULUS - WINDOW, SEQUENCE_MODULUS - 1))
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Data, NEAR, NEAR, st.integers(0, 15), st.binary(max_size=40)),
    st.builds(Data, NEAR, NEAR, st.integers(0, 15), st.integers(0, 630).map(bytes)),
    st.builds(Ack, NEAR, U64),
    st.builds(
        Hello,
        mode=st.sampled_from((2, 0, 9)),
        mtu=st.sampled_from((1500, 0)),
        reader=st.sampled_from((2, 1)),
        writer=st.sampled_from((1, 2)),
        epoch=st.sampled_from((77, 77, 0, 78)),
        peer_epoch=U64,
        datagram=st.booleans(),
        version=st.sampled_from((1, 1, 0, 255)),
    ),
)
FITTING = Hello(mode=2, mtu=1500, reader=2, writer=1, epoch=77)
STEPS = st.lists(
    st.one_of(
        FRAMES,
        st.binary(min_size=1, max_size=60),  # a frame of any bytes
        st.just("hello"),  # one that fits and names our epoch
        st.just("packet"),  # we send one
        st.integers(0, 3 * S),  # time passes
    ),
    max_size=80,
)


@given(STEPS)
def test_no_peer_makes_an_end_raise_or_grow(steps: list[Frame | bytes | str | int]) -> None:
    end, now_ns = make_endpoint(SETTINGS, 1), 0
    encoder = Encoder(8)
    for number, step in enumerate(steps):
        if step == "hello":
            hear(end, replace(FITTING, peer_epoch=end.peering.own.epoch), now_ns)
        elif step == "packet":
            if end.can_send():
                end.send(numbered(number, 700, flow=number % 5))
        elif isinstance(step, int):
            now_ns += step
            end.on_deadline(now_ns)
        elif isinstance(step, bytes):
            end.receive(encoder.encode(step), now_ns)
        elif not isinstance(step, str):
            hear(end, step, now_ns)
        drop(end, now_ns)
        events(end)
    # The ring, the window both ways, four packets in pieces, a frame in the decoder.
    bound_bytes = 32 * 1500 + 2 * WINDOW * 700 + 4 * 2200 + 700 + 30_000
    assert state_bytes(end) < bound_bytes


def test_a_peer_that_only_begins_packets_costs_no_memory() -> None:
    """Fragments for ever, on every lane, and windows full of frames behind a gap."""
    _, server = connected()
    at_first_bytes = state_bytes(server)
    for sequence in range(700):
        hear(
            server,
            Data(sequence % SEQUENCE_MODULUS, 0, sequence % 4 << LANE_SHIFT | FIRST * (sequence < 4), bytes(600)),
        )
        drop(server)
    for ahead in range(1, 2 * WINDOW):
        hear(server, Data((700 + ahead) % SEQUENCE_MODULUS, 0, FIRST, bytes(600)))
        drop(server)
    assert packets(server) == []
    assert state_bytes(server) < at_first_bytes + (WINDOW + 8) * 700
    assert server.counters.rx_length_errors == 4
    assert server.counters.rx_sequence_errors > 600


def test_every_wrong_frame_is_counted() -> None:
    client, server = connected()
    rights = server.counters.rx_frames
    for data in (b"\xf0", b"\x20", b"\x30" + bytes(11), b"\x10"):
        server.receive(Encoder(8).encode(data), 0)
    assert server.counters.rx_unknown == 4
    assert server.counters.rx_frames == rights
    hear(server, Data(WINDOW, 0, FIRST | LAST, b""))
    assert server.counters.rx_sequence_errors == 1
    hear(server, Ack(5, 0))
    assert server.counters.rx_sequence_errors == 2
    hear(server, Data(0, 0, LAST, b"continues nothing"))
    assert server.counters.rx_sequence_errors == 3
    hear(server, Data(1, 0, FIRST | LAST, b"no header"))
    assert server.counters.rx_length_errors == 1
    hear(server, Data(2, 0, FIRST, b"never ended"))
    hear(server, Data(3, 0, FIRST | LAST, numbered(1).encode()))
    assert server.counters.rx_sequence_errors == 4
    assert packets(server) == [numbered(1)]
    assert client.peering.up


@given(st.sampled_from(WIDTHS).flatmap(lambda w: st.tuples(st.just(w), st.lists(st.integers(0, (1 << w) - 1)))))
def test_no_words_make_an_end_raise(case: tuple[int, list[int]]) -> None:
    width, words = case
    end = make_endpoint(replace(SETTINGS, width_in=width), 1)
    end.receive(bytes(words), 0)
    assert end.counters.rx_packets == 0
    assert events(end) == []


# Histories of faults. `history(SEED, WIDTH)` replays one that failed.

HISTORIES, BATCHES = 60, 4
"""For each width."""


def settings_of(draws: random.Random, width: int) -> Settings:
    return replace(
        SETTINGS,
        mode=draws.choice(("net_hdr", "eth", "raw")),
        width_out=width,
        width_in=draws.choice(WIDTHS),
        tx_ring=draws.choice((1, 4, 32)),
    )


def traffic(draws: random.Random, first: int, count: int) -> list[Packet]:
    """Packets of some flows, small and large, no two the same."""
    return [
        numbered(number, draws.choice((0, 5, 50, 300, 1300)), flow=draws.choice((0, 0, 0, 1, 2, 3, 4, 5)))
        for number in range(first, first + count)
    ]


def suffer(pair: Pair, draws: random.Random) -> None:
    """One fault, for a while."""
    end, other = draws.sample(pair.ends, 2)
    match draws.choice(("flips", "flips", "words", "cut", "cut both", "restart", "nothing", "mtu")):
        case "flips":
            end.line.spoil = Spoil(flip=draws.choice((1e-4, 1e-3, 1e-2)))
        case "words":
            end.line.spoil = Spoil(loss=draws.choice((0, 1e-3)), doubling=1e-3, flip=1e-4)
        case "cut":
            end.line.cut = draws.choice(("held", "lost"))
        case "cut both":
            end.line.cut = other.line.cut = draws.choice(("held", "lost"))
        case "restart":
            end.restart(pair.now_ns)
        case "mtu":
            mtu = draws.choice((1500, 1400))
            end.endpoint.set_mtu(mtu)
            pair.run(int(draws.random() * S))
            other.endpoint.set_mtu(mtu)
            for one in pair.ends:
                one.settings = replace(one.settings, mtu=mtu)
    pair.run(int(draws.choice((0.01, 0.3, 1, 6)) * draws.random() * S))
    for one in pair.ends:
        one.line.spoil, one.line.cut = Spoil(), ""


def history(seed: int, width: int) -> Pair:
    """Packets both ways and some faults, then peace."""
    draws = random.Random(seed * 8 + width)
    word_ns = draws.choice((5_000, 50_000, 400_000)) * width // 8 or 1
    pair = Pair(settings_of(draws, width), seed=seed, word_ns=word_ns)
    pair.run(draws.choice((0, 1, 2)) * S)
    for turn in range(draws.randrange(1, 6)):
        for end in pair.ends:
            end.waiting += traffic(draws, 100 * turn, draws.choice((0, 3, 30)))
        suffer(pair, draws)
    pair.run(1000 * S, until_quiet=True)
    return pair


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_nothing_is_lost_doubled_or_invented(batch: int, width: int) -> None:
    for seed in range(batch, HISTORIES, BATCHES):
        try:
            pair = history(seed, width)
            pair.check()
            assert pair.quiet, "after the last fault both ends find each other and finish"
        except BaseException as err:
            err.add_note(f"replay it with history({seed}, {width})")
            raise


def test_a_history_replays() -> None:
    one, two = history(7, 8), history(7, 8)
    assert one.now_ns == two.now_ns
    assert [end.endpoint.counters for end in one.ends] == [end.endpoint.counters for end in two.ends]
    assert [end.received for end in one.ends] == [end.received for end in two.ends]


def test_the_histories_are_worth_their_time() -> None:
    """Between them they show every kind of loss; else the test above proves little."""
    seen = Counters()
    for seed in range(12):
        for end in history(seed, 8).ends:
            for name, value in end.endpoint.counters.as_dict().items():
                setattr(seen, name, getattr(seen, name) + value)
    for name in ("tx_resent", "tx_dropped", "rx_crc_errors", "rx_framing_errors", "rx_duplicates", "peer_restarts"):
        assert getattr(seen, name) > 0, name


@pytest.mark.parametrize("width", WIDTHS)
def test_the_line_stays_up_while_bits_flip(width: int) -> None:
    """One bit in 3,300, both ways, at both ends of the speeds that lines have."""
    for word_ns in (1_000, 500_000):
        pair = Pair(replace(SETTINGS, width_in=width, width_out=width), seed=width, word_ns=word_ns)
        for end in pair.ends:
            end.line.spoil = Spoil(flip=3e-4 * width)
            end.waiting = traffic(random.Random(width), 0, 60)
        pair.run(600 * S, until_quiet=True)
        assert pair.quiet
        pair.check()
        assert [end.session for end in pair.ends] == [1, 1]


def test_an_hour_of_idle_link_time_changes_nothing() -> None:
    pair = Pair(SETTINGS, seed=1, word_ns=10_000)
    pair.run(10 * S)
    before = [state_bytes(end.endpoint) for end in pair.ends]
    pair.run(3600 * S)
    assert [end.session for end in pair.ends] == [1, 1]
    for end, bytes_before in zip(pair.ends, before, strict=True):
        assert state_bytes(end.endpoint) < bytes_before + 100
        assert 3610 * S // HELLO_INTERVAL_NS - 5 <= end.endpoint.counters.tx_frames <= 3610 * S // HELLO_INTERVAL_NS + 5


def test_sequence_numbers_go_round_more_than_once() -> None:
    client, server = connected(replace(SETTINGS, tx_ring=WINDOW))
    sent = received = 0
    while sent < SEQUENCE_MODULUS + 1000:
        while client.can_send():
            client.send(Packet(0, sent.to_bytes(4, "big")))
            sent += 1
        roundtrip(client, server)
        roundtrip(client, server, ACK_DELAY_NS)
        while (event := server.next_event()) is not None:
            assert event == PacketReceived(Packet(0, received.to_bytes(4, "big")))
            received += 1
    assert sent == received == client.counters.tx_packets
