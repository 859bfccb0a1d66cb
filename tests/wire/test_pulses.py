"""The pulse code against a model of gpiosk that was written from its source; see gpiosk_model.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.wire.pulses import CTL, DATA, IDLE_NS, LATE_NS, Edge, PulseCounters, PulseReceiver, pulses_of
from tests.wire import gpiosk_model

GAP_NS = 64_000
HEADER = bytes.fromhex("464554483031 464554483032 0800")
FRAMES = st.binary(min_size=46, max_size=200).map(lambda rest: HEADER + rest)
FRAME, OTHER = HEADER + bytes(range(86)), HEADER + bytes(reversed(range(86)))
LINES = {"c": CTL, "d": DATA}


def sent(frame: bytes) -> str:
    """What our transmitter makes of a frame."""
    return "".join("dc"[line] for part in pulses_of(frame) for line in part)


class Receiver:
    """Ours, fed with pulses."""

    def __init__(self, first_seqno: int = 1) -> None:
        self.counters = PulseCounters()
        self.inner = PulseReceiver(self.counters)
        self.now_ns, self.seqno = 10**9, 1
        self.packets: list[bytes] = []

    def edges(self, pulses: str, lost: frozenset[int] = frozenset()) -> list[Edge]:
        found = []
        for index, pulse in enumerate(pulses):
            self.now_ns += GAP_NS
            if index not in lost:
                found.append(Edge(self.now_ns, LINES[pulse], self.seqno & 0xFFFFFFFF))
            self.seqno += 1
        return found

    def hear(self, edges: list[Edge]) -> None:
        self.packets += self.inner.hear(edges, self.now_ns)

    def pause(self, ns: int) -> None:
        self.now_ns += ns


def heard(pulses: str) -> Receiver:
    receiver = Receiver()
    receiver.hear(receiver.edges(pulses))
    return receiver


@given(st.binary(min_size=1, max_size=1500))
def test_the_pulses_are_those_of_gpiosk(frame: bytes) -> None:
    pulses = sent(frame)
    assert pulses == gpiosk_model.transmit(frame)
    bits = "".join(f"{byte:08b}"[::-1] for byte in frame.ljust(60, b"\0"))
    transitions = sum(one != other for one, other in zip("0" + bits, bits, strict=False))
    assert len(pulses) == 8 + len(bits) + transitions


@pytest.mark.parametrize("length", [60, 98, 1500])
def test_gpiosk_understands_what_we_send(length: int) -> None:
    frame = (HEADER + bytes(range(256)) * 6)[:length]
    board = gpiosk_model.Receiver()
    board.hear(sent(frame) * 3)
    assert (board.packets, board.wedged) == ([frame] * 3, False)


def test_a_frame_that_overruns_a_board_is_not_sent() -> None:
    with pytest.raises(ValueError, match="a frame of 1501 bytes is longer than 1500"):
        pulses_of(bytes(1501))


@given(st.lists(FRAMES, max_size=4), st.integers(1, 50))
def test_we_understand_what_gpiosk_sends(frames: list[bytes], batch: int) -> None:
    receiver = Receiver()
    edges = receiver.edges("".join(gpiosk_model.transmit(frame) for frame in frames))
    for start in range(0, len(edges), batch):
        receiver.hear(edges[start : start + batch])
    assert receiver.packets == frames
    assert (receiver.counters.rx_sequence_errors, receiver.counters.rx_framing_errors) == (0, 0)


@given(st.text("cd", max_size=400), FRAMES)
def test_nothing_wedges_the_receiver(noise: str, frame: bytes) -> None:
    """After any noise, the second whole frame is understood; the first, if the noise is over before it begins."""
    pulses = gpiosk_model.transmit(frame)
    receiver = heard(noise + pulses * 2)
    assert receiver.packets[-1] == frame
    receiver.pause(IDLE_NS + 1)
    count = len(receiver.packets)
    receiver.hear(receiver.edges(noise))
    receiver.pause(IDLE_NS + 1)
    receiver.hear(receiver.edges(pulses))
    assert receiver.packets[count:][-1] == frame


@given(st.data(), FRAMES)
def test_an_edge_that_the_kernel_loses_costs_one_frame(data: st.DataObject, frame: bytes) -> None:
    pulses = gpiosk_model.transmit(frame)
    lost = data.draw(st.integers(0, len(pulses) - 1))
    receiver = Receiver()
    receiver.hear(receiver.edges(pulses, frozenset({lost})))
    receiver.hear(receiver.edges(gpiosk_model.transmit(OTHER)))
    receiver.pause(LATE_NS + 1)
    receiver.hear([])
    receiver.pause(LATE_NS + 1)
    receiver.hear([])
    receiver.hear(receiver.edges(gpiosk_model.transmit(FRAME)))
    assert receiver.counters.rx_sequence_errors == 1
    assert receiver.packets[-2:] == [OTHER, FRAME] or receiver.packets == [FRAME]
    assert set(receiver.packets) <= {OTHER, FRAME}, "what has a gap is never delivered"


@given(st.data(), FRAMES)
def test_edges_that_come_out_of_order_are_sorted(data: st.DataObject, frame: bytes) -> None:
    receiver = Receiver()
    edges = receiver.edges(gpiosk_model.transmit(frame))
    late = sorted(edges, key=lambda edge: edge.seqno + (data.draw(st.integers(0, 5)) if edge.seqno % 7 == 0 else 0))
    for start in range(0, len(late), 5):
        receiver.hear(late[start : start + 5])
    assert receiver.packets == [frame]
    assert receiver.counters.rx_sequence_errors == 0


def test_numbers_of_edges_wrap() -> None:
    receiver = Receiver()
    receiver.inner._expected = receiver.seqno = 2**32 - 100
    receiver.hear(receiver.edges(gpiosk_model.transmit(FRAME) * 2))
    assert receiver.packets == [FRAME] * 2


START, END = len("cccd"), len(gpiosk_model.transmit(FRAME)) - 4
PULSES = gpiosk_model.transmit(FRAME)
FIRST_DATA = PULSES.index("cd", START + 100)
FAULTS = {
    "extra ctl edge while idle": ("c" + PULSES, True),
    "last ctl of the end lost": (PULSES[: END + 2] + PULSES[END + 3 :], True),
    "data pulse of the end lost": (PULSES[: END + 3], True),
    "first ctl of the start lost": (PULSES[1:], False),
    "ctl edge lost inside the data": (PULSES[:FIRST_DATA] + PULSES[FIRST_DATA + 1 :], False),
    "ctl edge added inside the data": (PULSES[:FIRST_DATA] + "c" + PULSES[FIRST_DATA:], False),
    "data edge lost inside the data": (PULSES[: FIRST_DATA + 1] + PULSES[FIRST_DATA + 2 :], False),
}
"""The faults of one frame, and whether each wedges a gpiosk board for good."""


@pytest.mark.parametrize("fault", FAULTS)
def test_single_faults(fault: str) -> None:
    """On the wire itself, so that no number is missing: a board may be wedged, and we lose one frame or two."""
    pulses, wedges = FAULTS[fault]
    following = PULSES * 3
    board = gpiosk_model.Receiver()
    board.hear(pulses + following)
    assert board.wedged == wedges
    assert (board.packets[-1:] == [FRAME]) == (not wedges)
    receiver = heard(pulses + following)
    assert receiver.packets[-2:] == [FRAME] * 2
    assert receiver.counters.rx_sequence_errors == 0


def test_a_sender_that_dies_costs_nothing_of_the_next_frame() -> None:
    receiver = heard(PULSES[:300])
    receiver.pause(IDLE_NS + 1)
    receiver.hear(receiver.edges(PULSES))
    assert receiver.packets == [FRAME]
    assert receiver.counters.rx_framing_errors == 1


def test_a_sender_that_pauses_loses_nothing() -> None:
    receiver = heard(PULSES[:300])
    receiver.pause(IDLE_NS - GAP_NS * 2)
    receiver.hear(receiver.edges(PULSES[300:]))
    assert receiver.packets == [FRAME]


@pytest.mark.parametrize(
    ("frame", "counter"),
    [
        (HEADER[:12] + b"\x05\xff" + bytes(86), "rx_type_errors"),
        (HEADER[:12] + b"\x00\x57" + bytes(86), "rx_type_errors"),
        (HEADER + bytes(1487), "rx_framing_errors"),
    ],
)
def test_frames_that_cannot_be(frame: bytes, counter: str) -> None:
    receiver = heard(gpiosk_model.transmit(frame))
    assert receiver.packets == []
    counted = receiver.counters.as_dict()
    assert {name: count for name, count in counted.items() if count} == {counter: 1}


def test_a_frame_with_the_length_of_ieee_802_3_is_one() -> None:
    frame = HEADER[:12] + b"\x00\x56" + bytes(86)
    assert heard(gpiosk_model.transmit(frame)).packets == [frame]


def test_a_frame_that_is_too_short() -> None:
    short = heard("cccd" + "d" * 8 * 59 + "cccd")
    assert (short.packets, short.counters.rx_length_errors) == ([], 1)
    odd = heard("cccd" + "d" * (8 * 60 + 1) + "cccd")
    assert (odd.packets, odd.counters.rx_framing_errors) == ([], 1)


def test_a_flood_without_end_takes_no_memory() -> None:
    receiver = heard("cccd" + "d" * 50_000)
    assert receiver.packets == []
    assert receiver.counters.rx_framing_errors == 1
    assert len(receiver.inner._bits) <= 12_000
