"""The door between a datapath and one network interface: packets with their marks, in and out.

A process on a TUN or TAP descriptor neither sees nor sets `skb->mark`. How the mark is carried depends on what the
kernel grants, so there are several implementations; `gpiomux.netdev.marks` prepares the descriptors with privilege,
`open_port` makes a port of them without any.

A *packet* is, by mode of the link: `eth` an Ethernet frame from the destination address on, without check sequence;
`net_hdr` an IPv4 or IPv6 packet; `raw` a 16-bit protocol number (EtherType, network order) and the payload,
which has one byte at least: the kernel neither sends nor takes an empty one.
"""

from __future__ import annotations

from typing import Protocol


class PacketPort(Protocol):
    """Packets of one interface.

    *Threads and processes:* one port, one thread. It owns its descriptors; `close` closes them.
    """

    def fileno(self) -> int:
        """Polls readable while a packet waits; readable or POLLERR when the interface is gone: `read` then raises."""

    def read(self) -> tuple[int, bytes] | None:
        """The next packet leaving through the interface as (mark, packet), or None if there is none now.

        Raises:
            OSError: the interface is gone (EBADFD). One that is down is no error, it only sends nothing.
        """

    def write(self, mark: int, packet: bytes) -> None:
        """Let a packet arrive on the interface.

        Raises:
            OSError: EIO while the interface is down, EINVAL if the kernel cannot tell what it is, EBADFD when it is
                gone.
        """

    def reached(self) -> int | None:
        """How many of the packets that were written without an error have passed XDP; None if nobody counts them."""

    def set_carrier(self, on: bool) -> None:
        """Tell the kernel whether the interface has a carrier.

        Raises:
            OSError: the interface is gone.
        """

    def set_send_buffer(self, limit_bytes: int) -> None:
        """Let `write` fail with EAGAIN while the interface holds more: see `tuntap.set_send_buffer`.

        Raises:
            OSError: the interface is gone.
        """

    def close(self) -> None:
        """Give the descriptors back; a second call does nothing."""
