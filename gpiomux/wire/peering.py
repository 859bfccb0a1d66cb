"""Whether there is a peer, and whether it fits: hellos, epochs, the carrier and the reason for having none.

Each end says in its hello who it is, what it reads and writes, and which epoch of the peer it has heard. An end has a
carrier while it hears hellos that fit and that name its own epoch. A peer with a new epoch has been restarted. An end
that loses its carrier for any other reason takes a new epoch itself, so that the peer begins anew as well: sequence
numbers of two sessions can then never meet, because the wire keeps order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gpiomux.wire.frame import VERSION, Hello, WireMode

if TYPE_CHECKING:
    from collections.abc import Callable

HELLO_INTERVAL_NS = 800_000_000
SILENCE_NS = 2_500_000_000
"""Without any right frame for so long, the peer is taken for gone."""

HANDSHAKE_NS = SILENCE_NS + HELLO_INTERVAL_NS
"""After so long, a peer that still names an epoch which is not ours hears somebody else: if it were our last epoch, the
peer would have named a new one by now, or none because we had become silent to it."""

NO_PEER = "no peer heard"
SILENT = "peer silent"
MEETING = "peer heard, waiting for its answer"
DEAF = "peer does not hear this link"
HEARS_ANOTHER = "peer hears another link: its in lines are not wired to this link's out lines"
BROKEN = "peer breaks the record format"
LOOP = "this link hears itself: its out lines lead to its own in lines"


def show_id(protocol_id: int) -> str:
    """A protocol id for people, as configurations have it."""
    return hex(protocol_id)


def mode_name(mode: int) -> str:
    """Name of a `WireMode`, or its number if this version knows none."""
    return WireMode(mode).name if mode in WireMode.__members__.values() else f"unknown ({mode})"


def mismatches(own: Hello, peer: Hello) -> list[str]:
    """What keeps two ends from talking, a sentence for each field that does not fit; empty if all fits."""
    if peer.version != VERSION:
        return [f"peer speaks version {peer.version} of the wire protocol, this link {VERSION}"]
    if peer.epoch == own.epoch:
        return [LOOP]
    found = []
    if (peer.reader, peer.writer) == (own.reader, own.writer) and own.reader != own.writer:
        both = f"reads {show_id(peer.reader)} and writes {show_id(peer.writer)}"
        return [f"peer {both}, as this link does: they must be crosswise", *_other_mismatches(own, peer)]
    if peer.writer != own.reader:
        found.append(f"peer writes {show_id(peer.writer)}, this link reads {show_id(own.reader)}")
    if peer.reader != own.writer:
        found.append(f"peer reads {show_id(peer.reader)}, this link writes {show_id(own.writer)}")
    return found + _other_mismatches(own, peer)


def _other_mismatches(own: Hello, peer: Hello) -> list[str]:
    found = []
    if peer.mode != own.mode:
        found.append(f"peer's mode is {mode_name(peer.mode)}, this link's {mode_name(own.mode)}")
    if peer.mtu != own.mtu:
        found.append(f"peer's mtu is {peer.mtu}, this link's {own.mtu}")
    if peer.datagram != own.datagram:
        found.append(f"peer's delivery is {_delivery(peer)}, this link's {_delivery(own)}")
    return found


def _delivery(hello: Hello) -> str:
    return "datagram" if hello.datagram else "reliable"


class Peering:
    """The carrier of one end.

    Attributes:
        own: what this end says of itself; `peer_epoch` follows what is heard.
        peer: the peer's last hello that was heard, fitting or not; None after silence.
        up: there is a carrier.
        reason: why there is none; empty while `up`.
    """

    def __init__(self, own: Hello, draw_epoch: Callable[[], int], now_ns: int) -> None:
        """Begin without a peer; `draw_epoch` gives a random number, 1..2^64-1, at each call."""
        self.own = own
        self.peer: Hello | None = None
        self.up = False
        self.reason = NO_PEER
        self._draw_epoch = draw_epoch
        self._heard_ns = now_ns
        self._unheard_ns: int | None = None
        """Since when a peer is heard that does not name our epoch; None: it does, or there is none."""
        self._said_ns: int | None = None
        """When the last hello was handed out, or has gone out; None: one is due now."""

    def hears(self, hello: Hello, now_ns: int) -> bool:
        """Take a hello. Returns True if it is from another run of the peer than the one before."""
        before, was_up = self.peer, self.up
        restarted = before is not None and before.epoch != hello.epoch
        self.peer, self._heard_ns = hello, now_ns
        looped = hello.epoch == self.own.epoch
        heard = hello.peer_epoch == self.own.epoch
        self.own = replace(self.own, peer_epoch=0 if looped else hello.epoch)
        # An answer helps once only: ends that are wired in a ring would answer each other without end.
        if not looped and hello != before and (before is None or restarted or not heard):
            self._said_ns = None
        if heard or looped:
            self._unheard_ns = None
        elif self._unheard_ns is None:
            self._unheard_ns = now_ns
        self._judge(hello, heard=heard)
        if was_up and not self.up and not restarted:
            self._renew()
        return restarted

    def hears_frame(self, now_ns: int) -> None:
        """Any right frame shows that the peer is alive."""
        self._heard_ns = now_ns

    def set_mtu(self, mtu: int) -> None:
        """Tell the peer another MTU from now on; the carrier is gone until the peer says the same."""
        self.own = replace(self.own, mtu=mtu)
        self._renew()
        if self.peer is not None:
            self._judge(self.peer, heard=False)

    def reject(self, reason: str) -> None:
        """Break with a peer that says what makes no sense; both ends then begin anew."""
        self.up, self.reason = False, reason
        self._renew()

    def _judge(self, hello: Hello, *, heard: bool) -> None:
        found = mismatches(self.own, hello)
        self.up = heard and not found
        if self._unheard_ns is not None and self._heard_ns - self._unheard_ns >= HANDSHAKE_NS:
            found.append(HEARS_ANOTHER if hello.peer_epoch else DEAF)
        elif not heard and not found:
            found.append(MEETING if hello.peer_epoch else DEAF)
        self.reason = "; ".join(found)

    def _renew(self) -> None:
        """Begin another epoch, and say so at once."""
        self.own = replace(self.own, epoch=self._draw_epoch())
        self._said_ns = None

    def hello_due(self, now_ns: int) -> bool:
        """True if it is time to say hello."""
        return self._said_ns is None or now_ns - self._said_ns >= HELLO_INTERVAL_NS

    def say_hello(self, now_ns: int) -> Hello:
        """The hello to be sent now."""
        self._said_ns = now_ns
        return self.own

    def hello_gone_out(self, now_ns: int) -> None:
        """The peer has taken the last word of a hello: the next one, unless due at once, leaves a slow line to data."""
        if self._said_ns is not None:
            self._said_ns = now_ns

    def deadline_ns(self, *, can_say: bool) -> int | None:
        """When silence, and if something can be sent `hello_due`, must be looked at next; None: no need to."""
        silence_ns = None if self.peer is None else self._heard_ns + SILENCE_NS
        if not can_say:
            return silence_ns
        due_ns = 0 if self._said_ns is None else self._said_ns + HELLO_INTERVAL_NS
        return due_ns if silence_ns is None else min(due_ns, silence_ns)

    def silent_since(self, now_ns: int) -> bool:
        """Notice a peer that has fallen silent. Returns True when it is noticed."""
        if self.peer is None or now_ns - self._heard_ns < SILENCE_NS:
            return False
        self.peer, self.up, self.reason = None, False, SILENT
        self._unheard_ns = None
        self.own = replace(self.own, peer_epoch=0)
        self._renew()
        return True
