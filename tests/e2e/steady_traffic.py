"""Traffic that never stops and loses nothing: `steady_traffic.py` sends until its standard input ends.

Datagrams go from this network namespace to the addresses below in the namespace `far`, few enough at a time that no
queue is ever full. What was sent through each interface, and has all arrived, is printed as JSON in the end.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import sys

from tests import namespaces

ADDRESSES = {"geth0": "10.10.0.2", "c0": "10.10.7.2"}
"""Interface -> the address that is reached through it."""
PORT = 5000
OUTSTANDING = 32
"""Datagrams of one interface that are under way at most."""
SIZES = (0, 1, 100, 555, 1400)
"""Of payloads, in turn."""
HEADER_BYTES = 28
"""IPv4 and UDP."""
PATIENCE_S = 60.0


class Flow:
    """Datagrams through one interface."""

    def __init__(self, interface: str, address: str) -> None:
        with namespaces.inside("far"):
            self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self.receiver.bind((address, PORT))
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        self._sender.connect((address, PORT))
        self._sizes = itertools.cycle(SIZES)
        self.sent = self.arrived = self.sent_bytes = self.arrived_bytes = 0

    def fill(self) -> None:
        """Send as many as may be under way."""
        while self.sent - self.arrived < OUTSTANDING:
            size = next(self._sizes)
            self._sender.send(bytes(size))
            self.sent += 1
            self.sent_bytes += size + HEADER_BYTES

    def take(self) -> None:
        """Receive one that has come."""
        self.arrived_bytes += len(self.receiver.recv(2000)) + HEADER_BYTES
        self.arrived += 1

    def told(self) -> dict[str, int]:
        assert (self.arrived, self.arrived_bytes) == (self.sent, self.sent_bytes)
        return {"packets": self.sent, "bytes": self.sent_bytes}


def main() -> None:
    """Send until nobody wants more, then wait for what is under way."""
    flows = {interface: Flow(interface, address) for interface, address in ADDRESSES.items()}
    wanted = True
    while wanted or any(flow.arrived < flow.sent for flow in flows.values()):
        for flow in flows.values():
            if wanted:
                flow.fill()
        sockets = {flow.receiver: flow for flow in flows.values()}
        ready = select.select([*sockets, *([sys.stdin] if wanted else [])], [], [], PATIENCE_S)[0]
        assert ready, "a datagram was lost"
        for each in ready:
            if isinstance(each, socket.socket):
                sockets[each].take()
            else:
                wanted = False
    print(json.dumps({interface: flow.told() for interface, flow in flows.items()}))


if __name__ == "__main__":
    main()
