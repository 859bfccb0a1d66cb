"""Sending packets through an interface at a rate: a packet socket, so that they take the road of every other packet.

What watches the interface sees them, its queue and its marks work as for any sender, and no address or route is needed.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiomux.errors import MachineError
from gpiomux.netdev.inside import entered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TURN_S = 0.25
"""How long one call of `send_paced` takes at most, but for one packet."""
_FULL = frozenset({errno.EAGAIN, errno.ENOBUFS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where packets leave."""

    interface: str
    netns: str | None
    ethertype: int
    destination: bytes
    """Ethernet address; empty for an interface without link header."""
    mark: int
    """Netfilter mark, 0 for none."""


@dataclass(slots=True)
class Sent:
    """What became of packets."""

    packets: int = 0
    bytes: int = 0
    refused: int = 0
    """Packets that the queue of the interface had no room for."""
    first_s: float = 0.0
    """When the first one went, in monotonic time."""
    last_s: float = 0.0


def send_paced(way: Way, packets: Iterable[bytes], rate_pps: int, late_s: float) -> Sent:
    """Send packets, each at its time, as many as are due within a moment.

    Args:
        way: where they leave.
        packets: without link header, not longer than the MTU.
        rate_pps: packets in a second.
        late_s: how long ago the first one was due.

    Raises:
        MachineError: the interface is down or gone (ENETDOWN, ENODEV), or the kernel refused for another reason.
    """
    sent = Sent()
    with entered(way.netns), _refusals(way), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
        sock.setblocking(False)
        if way.mark:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, way.mark)
        to = (way.interface, way.ethertype, 0, 0, way.destination)
        now_s = time.monotonic()
        first_s, end_s = now_s - late_s, now_s + TURN_S
        for number, packet in enumerate(packets):
            due_s, now_s = first_s + number / rate_pps, time.monotonic()
            if number and max(due_s, now_s) > end_s:
                break
            if due_s > now_s:
                time.sleep(due_s - now_s)
            try:
                sock.sendto(packet, to)
                sent.last_s = time.monotonic()
                sent.first_s = sent.first_s or sent.last_s
                sent.packets, sent.bytes = sent.packets + 1, sent.bytes + len(packet)
            except OSError as err:
                if err.errno not in _FULL:
                    raise
                sent.refused += 1
    return sent


@contextmanager
def _refusals(way: Way) -> Iterator[None]:
    try:
        yield
    except MachineError:
        raise
    except OSError as err:
        number = err.errno or 0
        hint = f"set it up first: ip link set {way.interface} up" if number == errno.ENETDOWN else ""
        if number == errno.EPERM:
            hint = "this needs CAP_NET_RAW in that network namespace"
        message = f"cannot send through {way.interface}: {os.strerror(number)}"
        raise MachineError(message, errno=number, hint=hint) from err
