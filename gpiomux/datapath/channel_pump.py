"""The one loop of a datapath whose link runs over SHMStream channels instead of lines.

Channels have no interrupt: they are polled, often while packets come and seldom when not. Where the peer is a gpiomux
on the same run directory, each end rings the other's bell, a named pipe, and nobody polls while nothing happens; then
each also waits while the other has no room, and the queues of the interfaces with it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import time
from typing import TYPE_CHECKING, Any

from gpiomux.channels.fence import fence_of
from gpiomux.channels.link import ChannelLink
from gpiomux.config.model import Poll, PollMode, ShmMedium
from gpiomux.datapath.interfaces import Interfaces
from gpiomux.datapath.recorder import PACKET
from gpiomux.datapath.serving import Serving
from gpiomux.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.config.model import Transport
    from gpiomux.datapath.interfaces import Member
    from gpiomux.datapath.recorder import Recorder

ELEMENTS_PER_TURN = 64
"""Elements that are looked at before interfaces and the daemon get their turn, unless the budget says otherwise."""
PACKETS_PER_TURN = 16
MOST_PATIENCE_NS = 200_000
"""Unless the idle time says otherwise."""
LEAST_PATIENCE_NS = 20_000
BELL_S = 1.0
"""How long to sleep between two looks at a peer that rings."""
STALLED_MS = 100
"""How long to wait for room in a channel; a reader that has gone would make us wait for ever."""
_DRAIN_BYTES = 4096


class Patience:
    """How long to go on polling after the last packet before sleeping.

    Grows while packets come soon after falling asleep, and is halved when they do not: the rule by which KVM polls
    before it halts a CPU (grow_halt_poll_ns and shrink_halt_poll_ns in virt/kvm/kvm_main.c).
    """

    def __init__(self, most_ns: int) -> None:
        """Begin with little; with a `most_ns` of 0 there is never any."""
        self._most_ns = most_ns
        self._least_ns = min(LEAST_PATIENCE_NS, most_ns)
        self.ns = self._least_ns

    def slept(self, slept_ns: int) -> None:
        """Learn from a sleep of that length which ended because there was something to do."""
        if slept_ns <= self._most_ns:
            self.ns = min(2 * self.ns, self._most_ns)
        else:
            self.ns = max(self.ns // 2, self._least_ns)


class ChannelPump(Serving):
    """Runs one link; see `gpiomux.datapath.pump.Pump`, whose place it takes.

    *Threads and processes:* one thread. Owns the regions, the bells and, through `interfaces`, the ports.
    """

    def __init__(
        self, fds: list[int], transport: Transport, mtu: int, main: Member, draw_epoch: Callable[[], int]
    ) -> None:
        """Take channels and the link's own interface into use.

        Args:
            fds: as `gpiomux.channels.files.open_channels` returns them; closed by `close`.
            transport: of the link.
            mtu: of its own interface.
            main: its own interface.
            draw_epoch: a new random number, 1..2^64-1.

        Raises:
            ValueError: the channel to write is too small.
            OSError: a channel cannot be mapped.
        """
        medium = transport.medium
        assert isinstance(medium, ShmMedium)
        assert transport.protocol is not None
        out_fd, in_fd, self._peer_bell, self._bell, out_taken_fd, in_taken_fd = fds
        super().__init__(self._bell)
        writable, readable = mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ
        self._maps = (
            _mapped(out_fd, writable),
            _mapped(in_fd, readable),
            _mapped(out_taken_fd, readable),
            _mapped(in_taken_fd, writable),
        )
        self._fds = tuple(fds)
        self._link = ChannelLink(
            out=memoryview(self._maps[0]),
            into=memoryview(self._maps[1]),
            out_taken=memoryview(self._maps[2]),
            into_taken=memoryview(self._maps[3]),
            mode=transport.mode,
            protocol=transport.protocol,
            mtu=mtu,
            draw_epoch=draw_epoch,
            fence=fence_of(),
        )
        self._poll_ms = medium.poll_ms
        self.set_poll(Poll())
        self._poller_without_interfaces = select.poll()
        """For the time in which there is no room for their packets."""
        self._poller_without_interfaces.register(self._bell, select.POLLIN)
        self._rings = False
        """The peer has rung during this epoch, so it need not be polled."""
        self._peer_epoch = 0
        self._busy_ns = self._room_ns = time.monotonic_ns()
        self.interfaces = Interfaces(self._poller, transport.mode, main)
        self._polls = 0
        self._ring()

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call `callback` whenever `fd` is readable."""
        super().watch(fd, callback)
        self._poller_without_interfaces.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Undo `watch`."""
        super().unwatch(fd)
        self._poller_without_interfaces.unregister(fd)

    def turn(self) -> None:
        """Move what can be moved; sleep if there is nothing."""
        busy = self._receive()
        ready = self._poller_now().poll(0)
        now_ns = time.monotonic_ns()
        if busy or ready:
            self._busy_ns = now_ns
        elif self._never_sleeps:
            self._watch_room(now_ns)
        elif now_ns - self._busy_ns >= self._patience.ns:
            ready = self._sleep(now_ns)
        self._polls += 1
        self._serve(ready)

    def _receive(self) -> bool:
        """Deliver what has come; False if there was nothing."""
        link = self._link
        if not link.waiting():
            return False
        was_up = link.up
        for _ in range(self._budget):
            packet = link.receive()
            if packet is not None:
                self.interfaces.deliver(packet)
            if not link.waiting():
                break
        if link.reader.epoch != self._peer_epoch:
            self._peer_epoch = link.reader.epoch
            self._rings = False
        if link.up != was_up:
            self.interfaces.set_carrier(link.up)
        if link.tell():
            self._ring()
        return True

    def _poller_now(self) -> select.poll:
        return self._poller if self._link.room() else self._poller_without_interfaces

    def _sleep(self, now_ns: int) -> list[tuple[int, int]]:
        """Sleep until something happens, or it is time to look at the channel again."""
        if self._link.waiting():
            return []
        self.sleeping = True
        self.sleeps += 1
        if self._link.room():
            ready = self._poller.poll(BELL_S * 1000 if self._rings else self._poll_ms)
        else:
            ready = self._poller_without_interfaces.poll(STALLED_MS)
            if not ready and not self._link.room():
                self._link.waited_in_vain()
        if ready or self._link.waiting():
            self._patience.slept(time.monotonic_ns() - now_ns)
            self._busy_ns = time.monotonic_ns()
        return ready

    def _watch_room(self, now_ns: int) -> None:
        """Notice, without ever sleeping, that the peer has made no room for long."""
        if self._link.room():
            self._room_ns = now_ns
        elif now_ns - self._room_ns >= STALLED_MS * 1_000_000:
            self._link.waited_in_vain()
            self._room_ns = now_ns

    def _answer_peer(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, _DRAIN_BYTES)
        self._rings = True

    def _take_packets(self, member: Member) -> None:
        """Write packets that leave through an interface, as many as there is room for; of the fragments of one packet,
        those for which there is none are lost, because one element too many costs the peer all that it has not read.
        """
        room = self._link.room()
        sent = 0
        for packet in self.interfaces.leaving(member, min(PACKETS_PER_TURN, room)):
            if sent < room:
                self._link.send(packet)
            else:
                self._link.counters.tx_dropped += 1
            sent += 1
        if sent:
            self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it has been rung often enough
            os.write(self._peer_bell, b"\0")

    def set_poll(self, poll: Poll) -> None:
        """Wait for the peer in another way from now on; what was learnt is forgotten."""
        self._budget = poll.budget or ELEMENTS_PER_TURN
        self._never_sleeps = poll.mode is PollMode.BUSY
        most_ns = MOST_PATIENCE_NS if poll.idle_us is None else 1000 * poll.idle_us
        self._patience = Patience(0 if poll.mode is PollMode.IRQ else most_ns)

    def set_mtu(self, mtu: int) -> None:
        """Tell the MTU of the link's own interface.

        Raises:
            ValueError: the channel to write is too small for it.
        """
        self._link.set_mtu(mtu)
        self._ring()

    def set_tap(self, kind: str, recorder: Recorder | None) -> None:
        """Hand everything of a kind to `recorder` from now on; None: to nobody.

        Raises:
            UsageError: the link has nothing of that kind.
        """
        if kind != PACKET:
            raise UsageError(
                f"a link of medium shm has nothing of the kind {kind}: what crosses it is packets, as they are",
                hint="tcpdump on its interface shows them",
            )
        self.interfaces.tap = recorder

    def report(self) -> dict[str, Any]:
        """What `status` and `stats` tell of the link beyond its interfaces."""
        link, reader = self._link, self._link.reader
        return {
            "carrier": link.up,
            "reason": link.reason,
            "epoch": link.epoch,
            "peer": {
                "epoch": reader.epoch,
                "writer": reader.protocol,
                "element_bytes": reader.element_bytes,
                "elements": reader.elements,
            }
            if link.up
            else None,
            "rings": link.rings(),
            "element_bytes": {"out": link.element_bytes, "in": reader.element_bytes if link.up else None},
            "counters": link.counters.as_dict(),
            "channel": {
                "interrupts": self.interrupts,
                "polls": self._polls,
                "sleeps": self.sleeps,
                "sleeping": self.sleeping,
            },
        }

    def close(self) -> None:
        """Stop writing, wake the peer so that it sees it, and give everything back."""
        self.interfaces.close()
        self._link.close()
        self._ring()
        for mapped in self._maps:
            mapped.close()
        for fd in self._fds:
            os.close(fd)


def _mapped(fd: int, protection: int) -> mmap.mmap:
    """Map a whole channel file. If somebody cuts it short later, SIGBUS ends this process: it harms this link alone."""
    return mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_SHARED, protection)
