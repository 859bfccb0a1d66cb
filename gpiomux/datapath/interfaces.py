"""The interfaces of one link in its datapath: the link's own and its children, and which mark belongs to whom."""

from __future__ import annotations

import errno
from collections import deque
from dataclasses import asdict, dataclass, field
from select import POLLIN
from typing import TYPE_CHECKING, Any

from gpiomux.config.model import Mode
from gpiomux.errors import UsageError
from gpiomux.wire import protocols
from gpiomux.wire.packet import Packet
from gpiomux.wire.pmtu import PathMtus, TooBig

if TYPE_CHECKING:
    import select
    from collections.abc import Iterator

    from gpiomux.datapath.recorder import Recorder
    from gpiomux.netdev.port import PacketPort


_GONE = frozenset({errno.EBADFD, errno.ENODEV})
"""What tun(4) and packet(7) answer when the interface was removed; EIO is one that is only down."""


def disagreement(link: str, what: str) -> UsageError:
    """The daemon asks for what does not go with what runs: it has looked before, so both believe different things."""
    return UsageError(f"{link}: {what}", hint=f"'gpiomux restart {link}' starts its datapath anew, as it was applied")


@dataclass(slots=True)
class InterfaceCounters:
    """Packets of one interface; `rx` arrive on it from the wire, `tx` leave through it. They only grow."""

    rx_packets: int = 0
    """Packets that the kernel has taken."""
    rx_bytes: int = 0
    """Bytes of these packets, as the kernel counts them: without the protocol number of mode `raw`."""
    rx_dropped: int = 0
    """The kernel did not take the packet: the interface is down or gone, or it is no packet of the link's mode."""
    rx_ring_full: int = 0
    """Datagrams dropped because too many waited for interfaces."""
    rx_xdp: int = 0
    """Packets of `rx_packets` that did not reach the network stack: an XDP program dropped them, sent them back or
    elsewhere (or a tc program that somebody has put before ours)."""
    rx_kinds: list[int] = field(default_factory=lambda: [0] * protocols.KINDS)
    """Packets of `rx_packets` by their kind, see `gpiomux.wire.protocols`."""
    tx_kinds: list[int] = field(default_factory=lambda: [0] * protocols.KINDS)
    """Packets of `tx_packets` by their kind."""
    tx_packets: int = 0
    """Packets that were taken from the kernel for the wire."""
    tx_bytes: int = 0
    """Bytes of these packets, counted as `rx_bytes`."""
    tx_dropped: int = 0
    """No packet of the link's mode."""
    tx_fragmented: int = 0
    """Packets of `tx_packets` that were cut into fragments: the PMTU of their mark, or the link's MTU, is less."""
    tx_too_big: int = 0
    """Packets of `tx_packets` that were dropped for the same reason; their senders were told, where they may be."""

    def as_dict(self) -> dict[str, Any]:
        """Name to value in the order above, and under `protocols` packets by direction and protocol."""
        plain = asdict(self)
        kinds = {"rx": plain.pop("rx_kinds"), "tx": plain.pop("tx_kinds")}
        plain["protocols"] = {
            f"{direction}_{name}": packets
            for direction, counted in kinds.items()
            for name, packets in protocols.by_name(counted).items()
        }
        return plain


@dataclass(slots=True, eq=False)
class Member:
    """One interface and its port."""

    name: str
    port: PacketPort
    marks: list[int] = field(default_factory=list)
    """Bound to it, ascending; always empty for the link's own interface."""
    counters: InterfaceCounters = field(default_factory=InterfaceCounters)
    gone: bool = False
    """Somebody removed the interface."""
    waiting: deque[Packet] = field(default_factory=deque)
    """What has arrived and the interface did not take yet."""

    def counted(self) -> InterfaceCounters:
        """The counters, with what only the kernel knows."""
        reached = self.port.reached()
        if reached is not None:
            self.counters.rx_xdp = self.counters.rx_packets - reached
        return self.counters


class Interfaces:
    """All members of a link.

    *Threads and processes:* one thread. Owns the ports.
    """

    def __init__(
        self,
        poller: select.poll,
        mode: Mode,
        main: Member,
        *,
        rx_ring: int | None = None,
        datagram: bool = False,
    ) -> None:
        """Begin with the link's own interface, without a carrier.

        Args:
            poller: where the ports are registered.
            mode: of the link.
            main: the link's own interface.
            rx_ring: packets that may wait for interfaces; None: what is not taken at once is dropped.
            datagram: what comes while so many wait is dropped; else it waits as well, and the caller looks at `full`.

        Raises:
            OSError: the interface is gone.
        """
        self._rx_ring = rx_ring
        self._drops_when_full = datagram
        self.waiting = 0
        """Packets that wait for interfaces."""
        self.tap: Recorder | None = None
        """Sees each packet that comes from the wire or leaves through an interface; None: nobody looks."""
        self._poller = poller
        self._ip_only = mode is Mode.NET_HDR
        self._kind_of = protocols.KIND_OF[mode.value]
        self._uncounted_bytes = 2 if mode is Mode.RAW else 0
        """The protocol number before the payload is no part of the packet to the kernel."""
        self.pmtus = PathMtus(mode.value)
        """What the packets that leave may have, by mark."""
        self._main = main
        self._children: dict[str, Member] = {}
        self._by_mark: dict[int, Member] = {}
        self._by_fd: dict[int, Member] = {}
        self._carrier = False
        self._add(main)

    def __iter__(self) -> Iterator[Member]:
        return iter((self._main, *self._children.values()))

    def children(self) -> list[Member]:
        """The children, in the order in which they were attached."""
        return list(self._children.values())

    def member_of(self, fd: int) -> Member | None:
        """Whose descriptor it is."""
        return self._by_fd.get(fd)

    # Changes, by the daemon.

    def attach(self, child: Member) -> None:
        """Add a child; nothing else of the link changes.

        Raises:
            UsageError: a child of that name is attached already.
            OSError: the interface is gone.
        """
        if child.name in self._children or child.name == self._main.name:
            raise disagreement(self._main.name, f"{child.name} is attached already")
        self._add(child)
        self._children[child.name] = child

    def detach(self, name: str) -> None:
        """Remove a child; its marks go back to the link's own interface.

        Raises:
            UsageError: there is no such child.
        """
        child = self._child(name)
        for mark in child.marks:
            del self._by_mark[mark]
        del self._children[name]
        self._close(child)

    def bind(self, name: str, mark: int) -> None:
        """Let packets of a mark arrive on a child.

        Raises:
            UsageError: there is no such child, or the mark is bound already.
        """
        child = self._child(name)
        if mark in self._by_mark:
            raise disagreement(self._main.name, f"mark {mark} is bound to {self._by_mark[mark].name} already")
        self._by_mark[mark] = child
        child.marks = sorted((*child.marks, mark))

    def unbind(self, mark: int) -> None:
        """Let packets of a mark arrive on the link's own interface again.

        Raises:
            UsageError: the mark is not bound.
        """
        child = self._by_mark.pop(mark, None)
        if child is None:
            raise disagreement(self._main.name, f"mark {mark} is not bound")
        child.marks.remove(mark)

    # Packets, by the pump.

    def deliver(self, packet: Packet) -> None:
        """Let a packet from the wire arrive: on the child its mark is bound to, else on the link's own interface."""
        member = self._by_mark.get(packet.mark, self._main)
        if self.tap is not None:
            self.tap.packet(False, member.name, packet.mark, packet.payload)
        if not member.waiting and self._write(member, packet):
            return
        if self.full and self._drops_when_full:
            member.counters.rx_ring_full += 1
            return
        member.waiting.append(packet)
        self.waiting += 1

    @property
    def full(self) -> bool:
        """True if as many packets wait for interfaces as may."""
        return self._rx_ring is not None and self.waiting >= self._rx_ring

    def rings(self) -> dict[str, dict[str, int | str]]:
        """How full the ring is in which packets wait for interfaces, if there is one; see `Endpoint.rings`."""
        if self._rx_ring is None:
            return {}
        return {"rx_ring": {"filled": self.waiting, "size": self._rx_ring, "unit": "packets"}}

    def offer_again(self) -> None:
        """Try to write what waits for interfaces."""
        for member in self:
            while member.waiting and self._write(member, member.waiting[0]):
                member.waiting.popleft()
                self.waiting -= 1

    def _write(self, member: Member, packet: Packet) -> bool:
        """Write a packet, or drop it if it will never be taken; False if it should wait."""
        counters = member.counters
        if member.gone:
            counters.rx_dropped += 1
            return True
        try:
            member.port.write(packet.mark, packet.payload)
        except OSError as err:  # down (EIO), gone (EBADFD) or no packet (EINVAL): counted, as a driver would
            if err.errno == errno.EAGAIN and self._rx_ring is not None:
                return False
            counters.rx_dropped += 1
            return True
        counters.rx_packets += 1
        counters.rx_bytes += len(packet.payload) - self._uncounted_bytes
        counters.rx_kinds[self._kind_of(packet.payload)] += 1
        return True

    def take(self, member: Member) -> tuple[int, bytes] | None:
        """The next packet that leaves through an interface, with its mark; None if there is none now.

        A packet without a mark that leaves through a child gets the child's lowest mark: netfilter marks no ARP, and
        what leaves through a child here shall arrive on the child there.
        """
        while True:
            try:
                taken = member.port.read()
            except OSError as err:
                if err.errno in _GONE:
                    self.lose(member)
                return None
            if taken is None:
                return None
            mark, payload = taken
            if self._ip_only and (not payload or payload[0] >> 4 not in (4, 6)):
                member.counters.tx_dropped += 1
                continue
            counters = member.counters
            counters.tx_packets += 1
            counters.tx_bytes += len(payload) - self._uncounted_bytes
            counters.tx_kinds[self._kind_of(payload)] += 1
            mark = mark or (member.marks[0] if member.marks else 0)
            if self.tap is not None:
                self.tap.packet(True, member.name, mark, payload)
            return mark, payload

    def leaving(self, member: Member, most: int) -> Iterator[Packet]:
        """What leaves through an interface now, cut into fragments where it is too large.

        Args:
            member: the interface.
            most: after so many the next packet is left where it is; only the fragments of the last one may be more.
        """
        take, unchecked_bytes = self.take, self.pmtus.unchecked_bytes
        while most > 0:
            taken = take(member)
            if taken is None:
                return
            mark, payload = taken
            most -= 1
            if len(payload) <= unchecked_bytes:
                yield Packet(mark, payload)
                continue
            pieces = self._fitted(member, mark, payload)
            most -= max(len(pieces) - 1, 0)
            for piece in pieces:
                yield Packet(mark, piece)

    def _fitted(self, member: Member, mark: int, payload: bytes) -> tuple[bytes, ...]:
        """What a packet leaves as under the limit of its mark; if it is dropped, its sender is told."""
        found = self.pmtus.fitted(mark, payload)
        if not isinstance(found, TooBig):
            member.counters.tx_fragmented += len(found) > 1
            return found
        member.counters.tx_too_big += 1
        if found.answer is not None:
            if self.tap is not None:
                self.tap.packet(False, member.name, mark, found.answer)
            self._write(member, Packet(mark, found.answer))
        return ()

    def set_carrier(self, on: bool) -> None:
        """Tell the kernel about the carrier of every interface."""
        self._carrier = on
        for member in list(self._by_fd.values()):
            try:
                member.port.set_carrier(on)
            except OSError:
                self.lose(member)

    def set_send_buffer(self, limit_bytes: int) -> None:
        """Let no interface hold more bytes, of packets that it has taken, from now on."""
        for member in list(self._by_fd.values()):
            try:
                member.port.set_send_buffer(limit_bytes)
            except OSError:
                self.lose(member)

    def lose(self, member: Member) -> None:
        """Somebody has removed an interface: it is no longer looked at, until the daemon brings another."""
        if not member.gone:
            member.gone = True
            self._forget(member)

    def close(self) -> None:
        """Close every port."""
        for member in list(self):
            self._close(member)

    def _child(self, name: str) -> Member:
        if name not in self._children:
            raise disagreement(self._main.name, f"has no child {name}")
        return self._children[name]

    def _add(self, member: Member) -> None:
        member.port.set_carrier(self._carrier)
        fd = member.port.fileno()
        self._by_fd[fd] = member
        self._poller.register(fd, POLLIN)

    def _forget(self, member: Member) -> None:
        fd = member.port.fileno()
        if self._by_fd.pop(fd, None) is not None:
            self._poller.unregister(fd)
        self.waiting -= len(member.waiting)
        member.counters.rx_dropped += len(member.waiting)
        member.waiting.clear()

    def _close(self, member: Member) -> None:
        self._forget(member)
        member.port.close()
