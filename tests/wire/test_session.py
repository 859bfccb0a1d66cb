"""One session, frame by frame: what a frame holds, when an acknowledgement is said, and what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gpiomux.wire import timing
from gpiomux.wire.counters import Counters
from gpiomux.wire.frame import POSITION_MODULUS, Ack, Data
from gpiomux.wire.packet import HEADER as PACKET_HEADER
from gpiomux.wire.packet import Packet
from gpiomux.wire.record import FIRST, LAST, Record, RecordReader
from gpiomux.wire.record import HEADER as RECORD_HEADER
from gpiomux.wire.session import (
    ACK_DELAY_NS,
    ACK_EVERY,
    ACK_SHARE,
    CROWDED_ACK_SHARE,
    KEEPALIVE_NS,
    MIN_PIECE_BYTES,
    Session,
    ack_bytes,
)
from gpiomux.wire.stream import MAX_RANGES, WINDOW_BYTES
from gpiomux.wire.timing import INITIAL_TIMEOUT_NS, MAX_FRAME_DATA_BYTES, OVERHEAD_BYTES, Pace

if TYPE_CHECKING:
    from gpiomux.wire.frame import Frame

LONGEST_BYTES = 1500


@pytest.fixture(autouse=True)
def _long_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are as long as they may be from the first one on."""
    monkeypatch.setattr(timing, "FIRST_BYTES", 1 << 16)


def make_session(*, datagram: bool = False, tx_ring: int = 64) -> Session:
    return Session(Counters(), Pace(), tx_ring, 0, datagram=datagram)


def counters_of(session: Session) -> Counters:
    return session._counters


def said(session: Session, now_ns: int = 0) -> list[Data | Ack]:
    """All that a session has to say now."""
    found = []
    while (frame := session.next_frame(now_ns)) is not None:
        found.append(frame)
        session.gone_out(now_ns)
    return found


def data_frames(session: Session, now_ns: int = 0) -> list[Data]:
    return [frame for frame in said(session, now_ns) if isinstance(frame, Data)]


def hear(session: Session, frame: Frame, now_ns: int = 0) -> list[Packet]:
    if isinstance(frame, Ack):
        session.on_ack(frame, now_ns)
        return []
    assert isinstance(frame, Data)
    packets = session.on_data(frame, LONGEST_BYTES, now_ns)
    assert packets is not None
    return packets


def records_in(frame: Data) -> list[Record]:
    records = RecordReader().feed(frame.data)
    assert records is not None
    assert sum(len(record.encode()) for record in records) == len(frame.data), "records do not cross frames"
    return records


def packet(number: int, length: int = 20) -> Packet:
    return Packet(number, number.to_bytes(4, "big") + bytes(length))


def whole(one: Packet) -> bytes:
    """A packet in one record."""
    return Record(FIRST | LAST, one.encode()).encode()


# Frames out.


def test_small_packets_share_a_frame() -> None:
    session = make_session()
    for number in range(5):
        session.put(bytes([number]), packet(number))
    (frame,) = data_frames(session)
    assert [record.piece for record in records_in(frame)] == [packet(number).encode() for number in range(5)]
    assert hear(make_session(), frame) == [packet(number) for number in range(5)]


@pytest.mark.parametrize("datagram", [False, True])
def test_a_long_packet_fills_frames(datagram: bool) -> None:
    session = make_session(datagram=datagram)
    session.put(b"flow", packet(1, 1400))
    frames = data_frames(session)
    assert [len(frame.data) for frame in frames[:-1]] == [MAX_FRAME_DATA_BYTES] * (len(frames) - 1)
    peer = make_session(datagram=datagram)
    assert [one for frame in frames for one in hear(peer, frame)] == [packet(1, 1400)]


def test_no_frame_ends_with_a_crumb() -> None:
    """What is left at the end of a frame is not used for less than MIN_PIECE_BYTES, except for a whole packet."""
    for length in range(MAX_FRAME_DATA_BYTES - 80, MAX_FRAME_DATA_BYTES):
        session = make_session()
        session.put(b"one", packet(1, length))
        session.put(b"two", packet(2, 100))
        for frame in data_frames(session)[:-1]:
            last = records_in(frame)[-1]
            assert len(last.piece) >= MIN_PIECE_BYTES or last.flags & LAST


def test_the_window_stops_the_stream_and_not_the_memory() -> None:
    session = make_session()
    for number in range(64):
        session.put(b"flow", packet(number, 1400))
    frames = data_frames(session)
    in_flight = sum(len(frame.data) for frame in frames)
    assert WINDOW_BYTES - MIN_PIECE_BYTES - 3 < in_flight <= WINDOW_BYTES
    assert session.packets() == 64
    hear(session, Ack(in_flight))
    assert counters_of(session).tx_packets == 64 - session.packets() > 0
    assert data_frames(session)[0].position == in_flight


def test_a_session_counts_what_has_arrived() -> None:
    session, peer = make_session(), make_session()
    for number in range(3):
        session.put(b"flow", packet(number, 600))
    frames = data_frames(session)
    hear(session, Ack(frames[0].position + len(frames[0].data)))
    assert counters_of(session).tx_packets == 0
    for frame in frames:
        hear(peer, frame)
    (ack,) = said(peer, ACK_DELAY_NS)
    hear(session, ack)
    assert (counters_of(session).tx_packets, counters_of(session).tx_bytes) == (3, 3 * 604)
    assert session.packets() == 0


def test_datagrams_count_when_they_have_gone_out() -> None:
    session = make_session(datagram=True)
    session.put(b"flow", packet(1))
    assert session.next_frame(0) is not None
    assert (counters_of(session).tx_packets, session.packets()) == (0, 1)
    session.gone_out(0)
    assert (counters_of(session).tx_packets, session.packets()) == (1, 0)
    assert session.deadline_ns() == KEEPALIVE_NS


def test_a_frame_that_is_lost_goes_out_again() -> None:
    session, peer = make_session(), make_session()
    for number in range(4):
        session.put(b"flow", packet(number, 480))
    first, *others = data_frames(session)
    for frame in others:
        assert hear(peer, frame) == []
    (ack,) = said(peer)
    hear(session, ack)
    again = data_frames(session)
    assert sum(len(frame.data) for frame in again) == len(first.data)
    assert len(again) == counters_of(session).tx_resent
    assert [one for frame in again for one in hear(peer, frame)] == [packet(number, 480) for number in range(4)]


def test_the_timer_sends_the_last_frame_again() -> None:
    session = make_session()
    session.put(b"flow", packet(1))
    (frame,) = data_frames(session)
    session.on_deadline(INITIAL_TIMEOUT_NS - 1)
    assert said(session, INITIAL_TIMEOUT_NS - 1) == [Ack(0)]
    assert session.deadline_ns() == INITIAL_TIMEOUT_NS
    session.on_deadline(INITIAL_TIMEOUT_NS)
    again = data_frames(session, INITIAL_TIMEOUT_NS)
    assert [again[0].position, b"".join(one.data for one in again)] == [frame.position, frame.data]


# Acknowledgements out.


def test_an_acknowledgement_waits_for_data_to_ride_on() -> None:
    session = make_session()
    data = whole(packet(1))
    hear(session, Data(0, 0, data))
    assert said(session) == []
    assert session.deadline_ns() == ACK_DELAY_NS
    session.put(b"flow", packet(2))
    (frame,) = said(session, 1)
    assert isinstance(frame, Data)
    assert frame.acknowledgement == len(data)
    assert said(session, ACK_DELAY_NS) == []


def test_an_acknowledgement_waits_no_longer_than_its_delay() -> None:
    session = make_session()
    data = whole(packet(1))
    hear(session, Data(0, 0, data))
    assert said(session, ACK_DELAY_NS - 1) == []
    assert said(session, ACK_DELAY_NS) == [Ack(len(data))]
    assert said(session, 2 * ACK_DELAY_NS) == []


def test_many_frames_are_acknowledged_at_once() -> None:
    session, data = make_session(), whole(packet(1))
    for number in range(ACK_EVERY - 1):
        hear(session, Data(number * len(data), 0, data))
        assert said(session) == []
    hear(session, Data((ACK_EVERY - 1) * len(data), 0, data))
    assert said(session) == [Ack(ACK_EVERY * len(data))]


def test_a_gap_and_a_duplicate_are_acknowledged_at_once() -> None:
    session, data = make_session(), whole(packet(1))
    length = len(data)
    for _ in range(2):
        assert hear(session, Data(length, 0, data)) == []
        assert said(session) == [Ack(0, ((length, length),))]
    assert counters_of(session).rx_duplicates == 1
    assert hear(session, Data(0, 0, data)) == [packet(1), packet(1)]
    hear(session, Data(0, 0, data))
    assert said(session) == [Ack(2 * length)]


def test_data_does_not_take_the_ranges_along() -> None:
    """With a gap, an acknowledgement of its own still has to be said."""
    session, data = make_session(), whole(packet(1))
    hear(session, Data(len(data), 0, data))
    session.put(b"flow", packet(2))
    frames = said(session)
    assert Ack(0, ((len(data), len(data)),)) in frames
    assert [frame.acknowledgement for frame in frames if isinstance(frame, Data)] == [0]


@pytest.mark.parametrize(("gaps", "share"), [(1, ACK_SHARE), (2 * MAX_RANGES, CROWDED_ACK_SHARE)])
def test_acknowledgements_leave_the_wire_to_data_that_waits(gaps: int, share: int) -> None:
    """With a gap each frame asks for one; they get their share, and all of the wire once no data waits."""
    session, data = make_session(), whole(packet(1))
    for number in range(1, gaps + 1):
        hear(session, Data(2 * number * len(data), 0, data))
    said(session)
    said_bytes = {Data: 0, Ack: 0}
    for number in range(200):
        session.put(b"flow", packet(number))
        hear(session, Data(2 * len(data), 0, data))
        frame = session.next_frame(0)
        session.gone_out(0)
        if isinstance(frame, Data):
            said_bytes[Data] += len(frame.data) + OVERHEAD_BYTES
        elif isinstance(frame, Ack):
            said_bytes[Ack] += ack_bytes(frame)
    assert 0.5 / share < said_bytes[Ack] / said_bytes[Data] < 1.1 / share
    data_frames(session)
    hear(session, Data(2 * len(data), 0, data))
    assert [type(frame) for frame in said(session)] == [Ack]


def test_datagrams_are_not_acknowledged() -> None:
    session, data = make_session(datagram=True), whole(packet(1))
    for number in range(2 * ACK_EVERY):
        assert hear(session, Data((number + number // 3) * len(data), 0, data)) == [packet(1)]
    assert said(session, 10 * ACK_DELAY_NS) == []
    assert session.deadline_ns() == KEEPALIVE_NS


# Frames in that make no sense.


def test_wrong_frames_are_counted() -> None:
    session = make_session()
    counters = counters_of(session)
    hear(session, Data(WINDOW_BYTES, 0, b"beyond the window"))
    assert counters.rx_sequence_errors == 1
    hear(session, Ack(5))
    assert counters.rx_sequence_errors == 2
    data = Record(LAST, b"continues nothing").encode()
    hear(session, Data(0, 0, data))
    assert counters.rx_sequence_errors == 3
    short = Record(FIRST | LAST, b"no head").encode()
    hear(session, Data(len(data), 0, short))
    assert counters.rx_length_errors == 1


def test_what_is_no_stream_of_records_is_told() -> None:
    assert make_session().on_data(Data(0, 0, b"\xff\xff\xff"), LONGEST_BYTES, 0) is None


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_lost_datagram_costs_its_packet_only(lost: int) -> None:
    """Never a packet of wrong pieces: those of the packet that the lost frame belongs to are dropped."""
    session, peer = make_session(datagram=True), make_session(datagram=True)
    for number in range(3):
        session.put(b"flow", packet(number, 700))
    frames = data_frames(session)
    del frames[lost]
    found = [one for frame in frames for one in hear(peer, frame)]
    assert set(found) < {packet(number, 700) for number in range(3)}
    assert found == sorted(found, key=lambda one: one.mark)
    assert len(found) >= 1
    assert counters_of(peer).rx_sequence_errors > 0


def test_a_gap_of_a_whole_round_of_positions_is_a_gap() -> None:
    """A cut of an instant on a fast line: 64 KiB are lost, and the next frame has the position that was expected."""
    session, peer = make_session(datagram=True, tx_ring=200), make_session(datagram=True)
    for number in range(200):
        session.put(b"flow", packet(number, MAX_FRAME_DATA_BYTES * 2 - 2 * RECORD_HEADER.size - PACKET_HEADER.size - 4))
    frames = data_frames(session)
    assert {len(frame.data) for frame in frames} == {MAX_FRAME_DATA_BYTES}
    lost = POSITION_MODULUS // MAX_FRAME_DATA_BYTES
    assert hear(peer, frames[0]) == []
    assert hear(peer, frames[1 + lost]) == [], "the second half of another packet"
    assert counters_of(peer).rx_sequence_errors == 2
