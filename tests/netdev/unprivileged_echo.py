"""A process without privilege that holds a port: sends each packet back, its mark one higher. For test_ports.py.

Usage: python -m tests.netdev.unprivileged_echo FD, a SEQPACKET socket that brings the descriptors; it ends when that
socket is closed.
"""

from __future__ import annotations

import select
import socket
import sys
from pathlib import Path

from gpiomux.netdev.ports import open_port


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    text, fds, _, _ = socket.recv_fds(control, 100, 16)
    method, kind = text.decode().split()
    port = open_port(method, kind, tuple(fds))
    port.set_carrier(True)
    status = Path("/proc/self/status").read_text()
    capabilities = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    control.send(f"ready, capabilities {capabilities}".encode())
    while True:
        ready = select.select([port.fileno(), control.fileno()], [], [])[0]
        if control.fileno() in ready:
            break
        while (got := port.read()) is not None:
            port.write(got[0] + 1, got[1])
    port.close()
    control.close()


if __name__ == "__main__":
    main()
