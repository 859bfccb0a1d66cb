"""A port whose marks go through BPF programs on the interface: `gpiomux.netdev.bpf` says what they do and agree on."""

from __future__ import annotations

import mmap
import os
import struct

from gpiomux.netdev import bpf
from gpiomux.netdev.strays import without_stray
from gpiomux.netdev.tuntap import BUFFER_BYTES, set_carrier, set_send_buffer

_TAG = struct.Struct("!HH")
_MARK = struct.Struct("=I")
_IS_WRITING = bpf.IS_WRITING  # used for each packet


class BpfPort:
    """The `bpf-tcx` and `bpf-clsact` PacketPort. Takes over the descriptors: device, memory, and links if any.

    *Threads and processes:* one port, one thread; an interface has one port, because it has one slot.
    """

    def __init__(self, kind: str, fds: tuple[int, ...]) -> None:
        self._kind = kind
        self._fds = list(fds)
        self._tun = fds[0]
        self._start = 4 if kind == "tun-pi" else 0  # struct tun_pi: flags, protocol
        self._memory = mmap.mmap(fds[1], bpf.MEMORY_BYTES)
        self._words = memoryview(self._memory).cast("I")
        self._slot = memoryview(self._memory).cast("Q")
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)

    def fileno(self) -> int:
        """See `PacketPort.fileno`."""
        return self._tun

    def read(self) -> tuple[int, bytes] | None:
        """See `PacketPort.read`."""
        try:
            length = os.readv(self._tun, (self._buffer,))
        except BlockingIOError:
            return None
        start = self._start
        tag_at = start + bpf.TAG_AT
        protocol, control = _TAG.unpack_from(self._buffer, tag_at)
        if protocol != bpf.TAG_PROTOCOL or length < tag_at + _TAG.size:
            return 0, bytes(self._view[start // 2 : length])
        if control == bpf.ESCAPE:
            mark = _MARK.unpack_from(self._buffer, start)[0]
            head, rest = self._view[start // 2 : start], self._view[start + bpf.PREFIX_BYTES + _TAG.size : length]
        else:
            mark = control if control < bpf.FIRST_LEARNED else self._words[bpf.MARKS + control - bpf.FIRST_LEARNED]
            head, rest = self._view[start // 2 : tag_at], self._view[tag_at + _TAG.size : length]
        packet = b"".join((head, rest))
        return without_stray(self._kind, mark, packet), packet

    def write(self, mark: int, packet: bytes) -> None:
        """See `PacketPort.write`."""
        # The kernel runs the ingress program within the write, so the slot is this packet's alone; it is emptied for
        # the sake of packets that another interface redirects here (tc mirred), which come at any time.
        self._slot[0] = mark | _IS_WRITING
        try:
            if self._start:
                os.writev(self._tun, (b"\0\0", packet))  # flags; the protocol is what `packet` begins with
            else:
                os.write(self._tun, packet)
        finally:
            self._slot[0] = 0

    def reached(self) -> int | None:
        """See `PacketPort.reached`."""
        return self._slot[bpf.REACHED // 2]

    def set_carrier(self, on: bool) -> None:
        """See `PacketPort.set_carrier`."""
        set_carrier(self._tun, on)

    def set_send_buffer(self, limit_bytes: int) -> None:
        """See `PacketPort.set_send_buffer`."""
        set_send_buffer(self._tun, limit_bytes)

    def close(self) -> None:
        """See `PacketPort.close`."""
        if self._fds:
            self._words.release()
            self._slot.release()
            self._memory.close()
            while self._fds:
                os.close(self._fds.pop())
