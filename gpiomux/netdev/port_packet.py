"""A port without BPF: a packet socket on the interface tells the marks of what leaves (SO_RCVMARK).

The packet socket gets a copy of each packet just before the device does; the device's own copy is read and thrown
away. What arrives is written to the device and has mark 0: nothing in this way of working can set it.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

from gpiomux.netdev.packet_socket import PACKET_AUXDATA, SOL_PACKET
from gpiomux.netdev.strays import without_stray
from gpiomux.netdev.tuntap import BUFFER_BYTES, set_carrier, set_send_buffer

_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata in linux/if_packet.h
_VLAN_VALID = 0x10
_ANCILLARY_BYTES = socket.CMSG_SPACE(4) + socket.CMSG_SPACE(_AUXDATA.size)

_TAG_AT = 12  # in an Ethernet frame, after the two addresses


class PacketSocketPort:
    """The `packet-socket` PacketPort. Takes over the descriptors: device, packet socket.

    *Threads and processes:* one port, one thread.
    """

    def __init__(self, kind: str, fds: tuple[int, ...]) -> None:
        self._kind = kind
        self._tun, sock = fds
        self._socket = socket.socket(fileno=sock)
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        # Packets show at the socket, but the end of the interface for certain at the device only. The kernel wakes for
        # it as for a packet, so it must be waited for like that; `read` leaves neither of the two readable.
        self._poll = select.epoll()
        self._poll.register(self._socket, select.EPOLLIN)
        self._poll.register(self._tun, select.EPOLLIN)

    def fileno(self) -> int:
        """See `PacketPort.fileno`; shows the end of the interface as readable, `read` then raises."""
        return self._poll.fileno()

    def read(self) -> tuple[int, bytes] | None:
        """See `PacketPort.read`."""
        while True:
            try:
                length, control, _, sender = self._socket.recvmsg_into((self._view,), _ANCILLARY_BYTES)
            except BlockingIOError:
                # What is still in the device, the socket had no room for, or is about to get: lost or not needed.
                while self._drop_from_device():
                    pass
                return None
            except OSError as err:
                # Told once when the interface is set down, and when it goes; then the device knows, too.
                if err.errno != errno.ENETDOWN:
                    raise
                self._drop_from_device()
                if not self._socket.getsockname()[0]:
                    # It is in another network namespace: this socket will never see a packet of it again.
                    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from err
                continue
            self._drop_from_device()
            mark, tag = read_control(control)
            packet = self._packet(length, tag, sender[1])
            return without_stray(self._kind, mark, packet), packet

    def write(self, mark: int, packet: bytes) -> None:
        """See `PacketPort.write`; the mark is lost."""
        if self._kind == "tun-pi":
            os.writev(self._tun, (b"\0\0", packet))  # struct tun_pi: flags, then the protocol that `packet` begins with
        else:
            os.write(self._tun, packet)

    def set_carrier(self, on: bool) -> None:
        """See `PacketPort.set_carrier`."""
        set_carrier(self._tun, on)

    def reached(self) -> int | None:
        """See `PacketPort.reached`."""
        return None

    def set_send_buffer(self, limit_bytes: int) -> None:
        """See `PacketPort.set_send_buffer`."""
        set_send_buffer(self._tun, limit_bytes)

    def close(self) -> None:
        """See `PacketPort.close`."""
        if not self._poll.closed:
            self._poll.close()
            self._socket.close()
            os.close(self._tun)

    def _packet(self, length: int, tag: bytes, protocol: int) -> bytes:
        if self._kind == "tun-pi":
            return protocol.to_bytes(2, "big") + self._view[:length]
        if tag and self._kind == "tap":
            return b"".join((self._view[:_TAG_AT], tag, self._view[_TAG_AT:length]))
        return bytes(self._view[:length])

    def _drop_from_device(self) -> bool:
        try:
            os.read(self._tun, 4)  # less than 4 bytes is refused where protocol information comes first
        except BlockingIOError:
            return False
        return True


def read_control(control: list[tuple[int, int, bytes]]) -> tuple[int, bytes]:
    """The mark, and the VLAN tag of an upper interface, which the kernel keeps beside the frame; empty if none."""
    mark, tag = 0, b""
    for level, kind, content in control:
        if level == socket.SOL_SOCKET and kind == socket.SO_MARK:
            mark = int.from_bytes(content, "little" if struct.pack("=H", 1) == b"\1\0" else "big")
        elif level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, *_, tci, protocol = _AUXDATA.unpack(content)
            if status & _VLAN_VALID:
                tag = struct.pack("!HH", protocol, tci)
    return mark, tag
