"""The far end of the demo, started inside the namespace `far` with `ip netns exec`.

far_end.py receive ADDRESS PORT       take one TCP connection, write all its bytes to standard output
far_end.py send ADDRESS PORT MARK     send one UDP datagram with this netfilter mark; 0: without one
"""

from __future__ import annotations

import socket
import sys

SO_MARK = 36  # asm-generic/socket.h


def receive(address: str, port: int) -> None:
    """Say `listening` on standard error, then take the first connection to its end, then write what it brought.

    Not before the end: whoever sends reads our output only when everything is sent.
    """
    arrived = bytearray()
    with socket.create_server((address, port)) as server:
        print("listening", file=sys.stderr, flush=True)
        connection, _ = server.accept()
        with connection:
            while chunk := connection.recv(65536):
                arrived += chunk
    sys.stdout.buffer.write(arrived)


def send(address: str, port: int, mark: int) -> None:
    """Send one datagram that says what it bears."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if mark:
            sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        sock.sendto(f"mark {mark}".encode(), (address, port))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["receive", address, port]:
            receive(address, int(port))
        case ["send", address, port, mark]:
            send(address, int(port), int(mark))
        case _:
            sys.exit(__doc__)
