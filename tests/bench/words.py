"""What the protocol costs in words, in virtual time: exact, and the same on every machine.

Two endpoints with a perfect or a noisy line between them, both ways at once, one word in each unit of time. Goodput is
the share of the words that are payload of packets; round trips are counted in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gpiomux.wire.codec import Decoder
from gpiomux.wire.counters import Counters
from gpiomux.wire.frame import Kind
from gpiomux.wire.packet import Packet
from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES, OVERHEAD_BYTES
from tests.wire.conftest import SETTINGS
from tests.wire.lossy_wire import Pair, Spoil

WORD_NS = 1_000
S = 1_000_000_000
SIZES = (64, 128, 256, 512, 1024, 1500)
ERROR_RATES = (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3)
UNEQUAL_ERROR_RATE = 1e-4
ECHO_BYTES = 64 + 28
"""A ping of 64 bytes: IPv4 and ICMP headers, payload."""
ECHO_MARK = 1
"""Makes it another flow than the bulk."""
WAITING = 400
"""More than go out in one step of the measurement."""
MEASURE_NS = 2 * S
ECHOES = 60
OVERLOAD = 2
FILL_NS = 2 * S
STEP_NS = 1_000_000

Figures = dict[str, float]


class Load:
    """Packets of one flow, for one end or both."""

    def __init__(self, pair: Pair, size: int) -> None:
        self._pair, self._size, self._number = pair, size, 0
        self._begin_ns = pair.now_ns

    def refill(self, *ends: int) -> None:
        """As many as an end can ever send, and none too many."""
        for end in ends:
            while len(self._pair.ends[end].waiting) < WAITING:
                self._pair.ends[end].waiting.append(self._packet())

    def flood(self) -> None:
        """More than the line carries, by OVERLOAD, for both ends; they get them whether there is room or not."""
        due = OVERLOAD * (self._pair.now_ns - self._begin_ns) // (self._size * WORD_NS)
        while self._number < 2 * due:
            for end in self._pair.ends:
                end.eager = True
                end.waiting.append(self._packet())

    def _packet(self) -> Packet:
        self._number += 1
        return Packet(0, b"\0bulk" + bytes(15) + self._number.to_bytes(8, "big") + bytes(self._size - 28))


def connected_pair(error_rate: float = 0.0, *, width_out: int = 8, width_in: int = 8) -> Pair:
    """Two ends with a carrier; the widths are those of the first one."""
    pair = Pair(replace(SETTINGS, width_out=width_out, width_in=width_in), seed=1, word_ns=WORD_NS)
    pair.run(S)
    for end in pair.ends:
        end.line.spoil = Spoil(flip=error_rate * end.settings.width_out)
    return pair


def goodput(size: int, *, both: bool, error_rate: float = 0.0) -> float:
    """Payload bytes that arrive for each word that one direction could carry."""
    pair = connected_pair(error_rate)
    load, senders = Load(pair, size), (0, 1) if both else (0,)
    end_ns = pair.now_ns + MEASURE_NS
    while pair.now_ns < end_ns:
        load.refill(*senders)
        pair.run(20_000_000)
    arrived = sum(len(packet.payload) for end in pair.ends for packet in end.received)
    return arrived / (MEASURE_NS / WORD_NS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unequal:
    """Eight lines one way, one line back; shares of what each direction can carry."""

    wide: float
    """Goodput over the eight lines."""
    narrow: float
    """Goodput over the one line."""
    acknowledgements: float
    """What acknowledgements in frames of their own take of the one line."""


def unequal(*, error_rate: float, both: bool) -> Unequal:
    """Bulk over the wide side, and over the narrow one as well or not."""
    pair = connected_pair(error_rate, width_out=8, width_in=1)
    load, senders, ears = Load(pair, 1500), (0, 1) if both else (0,), Decoder(1, Counters())
    narrow, acknowledgements = pair.ends[1], 0

    def listen(words: bytes, now_ns: int) -> None:
        nonlocal acknowledgements
        if any(frame[0] >> 4 == Kind.ACK for frame in ears.decode(words)):
            acknowledgements += len(words)
        speak(words, now_ns)

    speak, narrow.line.load = narrow.line.load, listen  # type: ignore[method-assign]
    end_ns = pair.now_ns + MEASURE_NS
    while pair.now_ns < end_ns:
        load.refill(*senders)
        pair.run(20_000_000)
    wide, back = (sum(len(packet.payload) for packet in end.peer.received) for end in pair.ends)
    words = MEASURE_NS / WORD_NS
    return Unequal(wide=wide / words, narrow=back * 8 / words, acknowledgements=acknowledgements / words)


def echo_words(*, loaded: bool) -> tuple[float, float]:
    """Words that pass in one direction while a small packet goes and its answer comes back; the mean and the most."""
    pair = connected_pair()
    load = Load(pair, 1500)
    step_ns = WORD_NS * 4
    if loaded:
        for _ in range(FILL_NS // STEP_NS):
            load.flood()
            pair.run(STEP_NS)
        assert all(end.endpoint.counters.tx_ring_full for end in pair.ends), "the rings are full"
    took = []
    for number in range(ECHOES):
        start_ns = pair.now_ns
        for sender, receiver in (pair.ends, pair.ends[::-1]):
            sender.waiting.append(Packet(ECHO_MARK, number.to_bytes(4, "big") + bytes(ECHO_BYTES - 4)))
            known = len(receiver.received)
            while not any(packet.mark == ECHO_MARK for packet in receiver.received[known:]):
                if loaded:
                    load.flood()
                pair.run(step_ns)
        took.append((pair.now_ns - start_ns) / WORD_NS)
        # The next one begins somewhere else in the middle of a frame.
        for _ in range(50 + 7 * number):
            if loaded:
                load.flood()
            pair.run(step_ns)
    return sum(took) / ECHOES, max(took)


def figures() -> Figures:
    """All numbers of this page."""
    idle, _ = echo_words(loaded=False)
    loaded, most = echo_words(loaded=True)
    fragment = MAX_FRAME_DATA_BYTES + OVERHEAD_BYTES
    clean = goodput(1500, both=False)
    alone, both = (unequal(error_rate=UNEQUAL_ERROR_RATE, both=both) for both in (False, True))
    return {
        "words_share_1500_one_way": clean,
        "words_share_1500_both_ways": goodput(1500, both=True),
        "words_share_256_one_way": goodput(256, both=False),
        "words_share_256_both_ways": goodput(256, both=True),
        "words_errors_1e-4_of_clean": goodput(1500, both=False, error_rate=1e-4) / clean,
        "words_errors_1e-3_of_clean": goodput(1500, both=False, error_rate=1e-3) / clean,
        "words_unequal_wide_of_alone": both.wide / alone.wide,
        "words_unequal_narrow": both.narrow,
        "words_unequal_acknowledgements": both.acknowledgements,
        "words_echo_idle": idle,
        "words_echo_loaded": loaded,
        "words_echo_loaded_of_allowed": loaded / (4 * idle + fragment),
        "words_echo_loaded_most_of_allowed": most / (4 * idle + fragment),
    }


if __name__ == "__main__":
    for name, figure in figures().items():
        print(f"{name:35} {figure:10.3f}")
