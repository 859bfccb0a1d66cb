"""What a pump does with descriptors, whatever its medium: its own, those of interfaces, and those of the daemon."""

from __future__ import annotations

import select
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.datapath.interfaces import Interfaces, Member


class Serving(ABC):
    """The part of a pump that all media share.

    *Threads and processes:* one thread, that of the pump.

    Attributes:
        interfaces: the link's interface and its children; whoever inherits makes them.
        sleeps: times that the process went to sleep.
        interrupts: times that edges, or the bell of a channel, were found.
        sleeping: the process sleeps, or slept when it was woken to report.
    """

    interfaces: Interfaces

    def __init__(self, fd: int) -> None:
        """Wait for `fd`, on which the peer is noticed: the lines, or the bell of a channel."""
        self._fd = fd
        self._poller = select.poll()
        self._poller.register(fd, select.POLLIN)
        self._callbacks: dict[int, Callable[[], None]] = {}
        self.interrupts = self.sleeps = 0
        self.sleeping = False

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call `callback` whenever `fd` is readable."""
        self._callbacks[fd] = callback
        self._poller.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Undo `watch`."""
        del self._callbacks[fd]
        self._poller.unregister(fd)

    def _serve(self, ready: list[tuple[int, int]]) -> None:
        """Do what is to be done about descriptors that are ready; one may have been closed because of another."""
        for fd, events in ready:
            if fd == self._fd:
                self.interrupts += 1
                self._answer_peer()
            elif fd in self._callbacks:
                self._callbacks[fd]()
            elif (member := self.interfaces.member_of(fd)) is not None:
                if events & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
                    self.interfaces.lose(member)
                else:
                    self._take_packets(member)
        self.sleeping = False

    @abstractmethod
    def _answer_peer(self) -> None:
        """Take note that the peer has done something."""

    @abstractmethod
    def _take_packets(self, member: Member) -> None:
        """Take packets that leave through an interface."""
