"""Numbered datagrams over a link, all the time: who of them is missing was lost, and when."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Self

from tests import namespaces
from tests.e2e.host import PATIENCE_S

if TYPE_CHECKING:
    from types import TracebackType

_NUMBER = struct.Struct("!I")
_PAUSE_S = 0.002
"""Between two datagrams."""
_WINDOW = 8
"""Datagrams on the way at the same time: so few that no queue overflows where the machine is busy with other things."""
_PORT = 9


class Stream:
    """Sends from here to an address in a named network namespace while the block lasts, and counts what arrives there.

    *Threads and processes:* two threads of its own, which end with the block.
    """

    def __init__(self, netns: str, address: str) -> None:
        with namespaces.inside(netns):
            self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._receiver.bind((address, _PORT))
        self._receiver.settimeout(PATIENCE_S)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.connect((address, _PORT))
        self._ending = threading.Event()
        self._room = threading.Semaphore(_WINDOW)
        self.sent = 0
        self.received: list[int] = []
        self.errors: list[str] = []
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        if kind is not None:
            self._receiver.settimeout(0.1)
        for thread in self._threads:
            thread.join()
        self._sender.close()
        self._receiver.close()

    def lost(self) -> list[int]:
        """The numbers that never arrived, after the end of the block."""
        return sorted(set(range(self.sent)) - set(self.received))

    def _send(self) -> None:
        while self._room.acquire(timeout=PATIENCE_S) and not self._ending.is_set():
            try:
                self._sender.send(_NUMBER.pack(self.sent))
            except OSError as err:
                self.errors.append(f"number {self.sent}: {err}")
            self.sent += 1
            time.sleep(_PAUSE_S)

    def _receive(self) -> None:
        try:
            while not self._ending.is_set() or len(self.received) < self.sent:
                self.received.append(_NUMBER.unpack(self._receiver.recv(_NUMBER.size))[0])
                self._room.release()
        except TimeoutError:  # `lost` tells
            self._ending.set()
        finally:
            self._room.release()
