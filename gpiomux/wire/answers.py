"""Whether a peer that says no hello still answers. Pure.

A gpiosk board that a stray edge has wedged, or that is gone, cannot be told from one that has nothing to say; but what
is sent to a wedged board is written behind the end of its memory. So sending ends when too much stays unanswered.
"""

from __future__ import annotations

UNANSWERED_FRAMES = 8
"""Frames that ask for an answer, at least, before a peer is given up."""
UNANSWERED_NS = 60_000_000_000
"""And how long it must have been silent. When packets go one way only, the kernel may take up to 50 s to ask whether
its neighbour is still there (base_reachable_time_ms times 1.5, then delay_first_probe_time; arp(7))."""

_ARP = b"\x08\x06"
_GROUPS = (b"\x33\x33", b"\x01\x00\x5e", b"\x01\x80\xc2", b"\xff\xff\xff\xff\xff\xff")
"""IPv6 and IPv4 multicast, bridges and the like, broadcast. gpiosk's own address is a multicast address of another
kind, and what is sent to it does ask."""


def asks(frame: bytes) -> bool:
    """Whether a frame lets expect an answer: it is for one station, or looks for one by ARP."""
    return frame[12:14] == _ARP or not frame.startswith(_GROUPS)


class Answers:
    """The carrier of a link whose peer says nothing of itself.

    Attributes:
        up: the peer may be sent to.
        heard_ns: when it was last heard; None: never.
    """

    def __init__(self) -> None:
        """Begin with a carrier: somebody has to speak first."""
        self.up = True
        self.heard_ns: int | None = None
        self._asked = 0
        """Frames that ask for an answer since the peer was last heard."""
        self._since_ns = 0
        """When the first of them was sent."""

    @property
    def reason(self) -> str:
        """Why there is no carrier; empty while there is."""
        if self.up:
            return ""
        return f"peer has not answered {self._asked} frames in {UNANSWERED_NS // 10**9} s: it is no longer sent to"

    def sent(self, frame: bytes, now_ns: int) -> None:
        """A frame has gone out."""
        if asks(frame):
            if not self._asked:
                self._since_ns = now_ns
            self._asked += 1
        if self._asked >= UNANSWERED_FRAMES and now_ns - self._since_ns >= UNANSWERED_NS:
            self.up = False

    def heard(self, now_ns: int) -> None:
        """A whole frame has come."""
        self.heard_ns, self._asked, self.up = now_ns, 0, True
