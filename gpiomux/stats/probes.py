"""What `gpiomux probe` has found out: the answers of the daemon, turn by turn, as lines of ping and as plain data."""

from __future__ import annotations

from gpiomux.frozen import Frozen

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

FIGURES = ("received", "damaged", "pattern_bits", "wrong_bits")
"""What an end counts, in the order of the answer."""
_WAYS = {"there": "to the peer", "here": "from the peer"}
"""Who has counted -> the way that this is about."""


class Reply(Frozen):
    """One reply that has come."""

    sequence: int
    """Of its probe, from 1."""
    round_trip_ns: int


class Probes:
    """All probes of one run of the command.

    Attributes:
        sent: probes that were asked for.
        round_trips_ns: of those that were answered, by sequence number.
    """

    def __init__(self, link: str, size_bytes: int) -> None:
        self._link = link
        self._size_bytes = size_bytes
        self.sent = 0
        self.round_trips_ns: dict[int, int] = {}
        self._open: dict[int, int] = {}
        """Number on the wire -> sequence number, of those that may still be answered."""
        self._last_number = 0
        self._first: dict[str, list[int]] = {}
        """What each end had counted at the beginning."""
        self._now: dict[str, list[int]] = {}
        self._answer: dict[str, Any] = {}

    @property
    def after(self) -> int:
        """The number after which replies are wanted."""
        return min(self._open, default=self._last_number + 1) - 1

    @property
    def open(self) -> bool:
        """True if a reply may still come."""
        return bool(self._open)

    @property
    def waiting(self) -> bool:
        """True if the last probe has not gone out yet."""
        return self._answer.get("waiting", 0) == self._last_number and self.open

    def take(self, answer: dict[str, Any]) -> list[Reply]:
        """Take an answer of the daemon; what is new in it. The wire keeps order, so one reply ends older waiting."""
        self._answer = answer
        if answer["number"]:
            if answer["number"] <= self._last_number:  # the datapath was started again
                self._open.clear()
                self._first.clear()
            self._last_number = answer["number"]
            self.sent += 1
            self._open[answer["number"]] = self.sent
        found = []
        self._count("here", answer["here"])
        for number, took_ns, *figures in answer["replies"]:
            if number in self._open:
                self._count("there", figures)
                sequence = self._open[number]
                self.round_trips_ns[sequence] = took_ns
                found.append(Reply(sequence, took_ns))
                self._open = {other: each for other, each in self._open.items() if other > number}
        return found

    def _count(self, end: str, figures: list[int]) -> None:
        self._first.setdefault(end, figures)
        self._now[end] = figures

    def counted(self) -> dict[str, dict[str, int] | None]:
        """What each end has counted since the beginning; of the peer, since its first reply; None: nothing is known."""
        return {end: self._since(end) for end in _WAYS}

    def _since(self, end: str) -> dict[str, int] | None:
        if end not in self._first:
            return None
        since = zip(FIGURES, self._first[end], self._now[end], strict=True)
        return {name: (now - first) % (1 << 32) for name, first, now in since}

    def explanation(self) -> str:
        """Why there was no reply at all, or why there is no carrier although there was one; empty if all is well."""
        answer = self._answer
        if not answer or (self.round_trips_ns and answer["carrier"]):
            return ""
        if self.round_trips_ns:
            return f"there are replies, but no carrier: {answer['reason']}"
        if answer["waiting"]:
            return "nobody takes the words that go out: the peer does not run, or the wires to it are broken"
        if answer["hears_us"]:
            return "the peer hears this link and answers no probe: it seems to be of a version that knows none"
        if answer["heard"]:
            return f"a peer is heard, but it answers no probe: {answer['reason']}"
        return f"there is no peer: {answer['reason']}"

    def line(self, reply: Reply) -> str:
        """A reply in the words of ping."""
        time_ms = _ms(reply.round_trip_ns)
        return f"{self._size_bytes} bytes from the peer of {self._link}: seq={reply.sequence} time={time_ms} ms"

    def summary(self, took_s: float) -> list[str]:
        """The last lines, as ping has them, and what is known of the damage in either direction."""
        lost = self.lost_percent
        lines = [
            f"--- {self._link} probe statistics ---",
            f"{self.sent} probes transmitted, {len(self.round_trips_ns)} received, {lost:g}% loss, "
            f"time {took_s * 1000:.0f} ms",
        ]
        times = self.times_ms()
        if times is not None:
            numbers = "/".join(f"{times[name]:.3f}" for name in ("min", "avg", "max", "mdev"))
            lines.append(f"rtt min/avg/max/mdev = {numbers} ms")
        for end, way in _WAYS.items():
            counted = self._since(end)
            if counted is not None:
                lines.append(f"{way}: {_damage(counted)}")
        return lines

    @property
    def lost_percent(self) -> float:
        """Of the probes that were asked for."""
        return round(100 * (1 - len(self.round_trips_ns) / self.sent), 3) if self.sent else 0.0

    def times_ms(self) -> dict[str, float] | None:
        """Least, average and greatest round trip, and its standard deviation, in milliseconds; None without a reply."""
        times = [took_ns / 1e6 for took_ns in self.round_trips_ns.values()]
        if not times:
            return None
        average = sum(times) / len(times)
        variance = sum((time - average) ** 2 for time in times) / len(times)
        return {"min": min(times), "avg": average, "max": max(times), "mdev": variance**0.5}

    def plain(self, took_s: float) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "link": self._link,
            "size_bytes": self._size_bytes,
            "transmitted": self.sent,
            "received": len(self.round_trips_ns),
            "loss_percent": self.lost_percent,
            "time_ms": round(took_s * 1000, 3),
            "round_trip_ms": self.times_ms(),
            "probes": [{"seq": sequence, "time_ms": self._time_ms(sequence)} for sequence in range(1, self.sent + 1)],
            "damage": self.counted(),
            "explanation": self.explanation(),
        }

    def _time_ms(self, sequence: int) -> float | None:
        took_ns = self.round_trips_ns.get(sequence)
        return None if took_ns is None else took_ns / 1e6


def _ms(took_ns: int) -> str:
    return f"{took_ns / 1e6:.3f}"


def _damage(counted: dict[str, int]) -> str:
    bits, wrong = counted["pattern_bits"], counted["wrong_bits"]
    rate = f" ({wrong / bits:.1e})" if wrong and bits else ""
    return (
        f"{counted['received']} frames received, {counted['damaged']} damaged, "
        f"{wrong} of {bits} bits of patterns wrong{rate}"
    )
