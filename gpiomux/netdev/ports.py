"""Make a port of the descriptors that `gpiomux.netdev.marks.prepare_port` made; needs no privilege."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.errors import ProtocolError

# Not when needed: a datapath that has given up its privileges may not be able to read the installation any more.
from gpiomux.netdev.port_bpf import BpfPort
from gpiomux.netdev.port_packet import PacketSocketPort

if TYPE_CHECKING:
    from gpiomux.netdev.port import PacketPort


def open_port(method: str, kind: str, fds: tuple[int, ...]) -> PacketPort:
    """The port of a method and kind; takes over the descriptors, in the order in which `PortHandles` has them.

    Raises:
        ProtocolError: there is no such method.
        OSError: the kernel does not let us use what was handed over; the descriptors remain the caller's.
    """
    match method:
        case "bpf-tcx" | "bpf-clsact":
            return BpfPort(kind, fds)
        case "packet-socket":
            return PacketSocketPort(kind, fds)
        case _:
            raise ProtocolError(f"there is no way {method!r} to carry marks")
