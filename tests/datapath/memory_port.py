"""A port in memory: what the kernel would send and receive, as lists."""

from __future__ import annotations

import errno
import os
from collections import deque


class MemoryPort:
    """Keeps the promises of `PacketPort`; can refuse as the kernel does."""

    def __init__(self) -> None:
        self.leaving: deque[tuple[int, bytes]] = deque()
        self.arrived: list[tuple[int, bytes]] = []
        self.carrier: bool | None = None
        self.limit_bytes: int | None = None
        self.read_errno = self.write_errno = self.carrier_errno = 0
        self.passed: int | None = None
        self.closed = False
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def send(self, mark: int, packet: bytes) -> None:
        """Let a packet leave through the interface."""
        self.leaving.append((mark, packet))
        os.eventfd_write(self._fd, 1)

    def fileno(self) -> int:
        return self._fd

    def read(self) -> tuple[int, bytes] | None:
        if self.read_errno:
            raise OSError(self.read_errno, "refused")
        if not self.leaving:
            return None
        if len(self.leaving) == 1:
            os.eventfd_read(self._fd)
        return self.leaving.popleft()

    def write(self, mark: int, packet: bytes) -> None:
        if self.write_errno:
            raise OSError(self.write_errno, "refused")
        self.arrived.append((mark, packet))

    def reached(self) -> int | None:
        return self.passed

    def set_carrier(self, on: bool) -> None:
        if self.carrier_errno:
            raise OSError(self.carrier_errno, "refused")
        self.carrier = on

    def set_send_buffer(self, limit_bytes: int) -> None:
        if self.carrier_errno:
            raise OSError(self.carrier_errno, "refused")
        self.limit_bytes = limit_bytes

    def remove(self) -> None:
        """The interface is gone."""
        self.read_errno = self.write_errno = self.carrier_errno = errno.EBADFD

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._fd)
