"""An endpoint and a peer that says what it likes: nothing raises, nothing grows, everything wrong is counted."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.codec import WIDTHS, Encoder
from gpiomux.wire.events import LinkDown, LinkUp
from gpiomux.wire.frame import POSITION_MODULUS, Ack, Data, Frame, Hello
from gpiomux.wire.peering import BROKEN
from gpiomux.wire.record import FIRST, LANE_SHIFT, Record
from gpiomux.wire.stream import WINDOW_BYTES
from tests.wire.conftest import (
    SETTINGS,
    connected,
    drop,
    events,
    hear,
    make_endpoint,
    numbered,
    packets,
    roundtrip,
    state_bytes,
)

S = 1_000_000_000

U16, U64 = st.integers(0, 0xFFFF), st.integers(0, (1 << 64) - 1)
NEAR = st.one_of(U16, st.integers(0, 2000), st.integers(POSITION_MODULUS - 2000, POSITION_MODULUS - 1))
STREAM = st.lists(st.builds(Record, st.integers(0, 15), st.binary(max_size=200)), min_size=1, max_size=3).map(
    lambda records: b"".join(record.encode() for record in records)[:600]
)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Data, NEAR, NEAR, st.binary(min_size=1, max_size=40)),
    st.builds(Data, NEAR, NEAR, STREAM),
    st.builds(Data, NEAR, NEAR, st.integers(1, 630).map(bytes)),
    st.builds(Ack, NEAR, st.lists(st.tuples(NEAR, NEAR), max_size=20).map(tuple)),
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
    bound_bytes = 32 * 1500 + 2 * WINDOW_BYTES + 4 * 2200 + 700 + 30_000
    assert state_bytes(end) < bound_bytes


def test_a_peer_that_only_begins_packets_costs_no_memory() -> None:
    """Pieces for ever, on every lane, and a window full of bytes behind a gap."""
    _, server = connected()
    at_first_bytes = state_bytes(server)
    position = 0
    for number in range(700):
        data = Record(number % 4 << LANE_SHIFT | FIRST * (number < 4), bytes(500)).encode()
        hear(server, Data(position % POSITION_MODULUS, 0, data))
        position += len(data)
        drop(server)
    for ahead in range(1, 2 * WINDOW_BYTES, 500):
        hear(server, Data((position + ahead) % POSITION_MODULUS, 0, bytes(500)))
        drop(server)
    assert packets(server) == []
    assert state_bytes(server) < at_first_bytes + WINDOW_BYTES + 5000
    assert server.counters.rx_length_errors == 4
    assert server.counters.rx_sequence_errors > 600


def test_every_wrong_frame_is_counted() -> None:
    client, server = connected()
    rights = server.counters.rx_frames
    for data in (b"\xf0", b"\x20", b"\x20\0\0\0\0", b"\x30" + bytes(11), b"\x10"):
        server.receive(Encoder(8).encode(data), 0)
    assert server.counters.rx_unknown == 5
    assert server.counters.rx_frames == rights
    hear(server, Data(WINDOW_BYTES, 0, b"x"))
    assert server.counters.rx_sequence_errors == 1
    hear(server, Ack(5))
    assert server.counters.rx_sequence_errors == 2
    assert client.peering.up


def test_a_peer_that_breaks_the_record_format_is_left() -> None:
    """Nothing tells where the next record begins: both ends begin anew, and then all is well."""
    client, server = connected()
    epoch = server.peering.own.epoch
    hear(server, Data(0, 0, b"\xff\xff\xff"))
    assert events(server) == [LinkDown(BROKEN)]
    assert server.counters.rx_length_errors == 1
    assert server.peering.own.epoch != epoch
    roundtrip(client, server)
    assert [type(event) for event in events(server)] == [LinkUp]
    assert [type(event) for event in events(client)] == [LinkDown, LinkUp]
    client.send(numbered(1))
    roundtrip(client, server)
    assert packets(server) == [numbered(1)]


@given(st.sampled_from(WIDTHS).flatmap(lambda w: st.tuples(st.just(w), st.lists(st.integers(0, (1 << w) - 1)))))
def test_no_words_make_an_end_raise(case: tuple[int, list[int]]) -> None:
    width, words = case
    end = make_endpoint(replace(SETTINGS, width_in=width), 1)
    end.receive(bytes(words), 0)
    assert end.counters.rx_packets == 0
    assert events(end) == []
