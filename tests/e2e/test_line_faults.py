"""One long TCP connection while everything goes wrong with the lines below it."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.defaults import SIM_LINES
from gpiomux.config.model import Faults
from gpiomux.lines.faults import set_faults
from tests import namespaces, traffic
from tests.e2e.host import RUN_DIRECTORY

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

FAR, PORT = "10.10.0.2", 5000
BYTES = 8 << 20
CUT_S = 5.0
"""Longer than the silence after which a peer counts as gone."""
PATIENCE_S = 240.0
"""How long the connection may make no progress at all; TCP itself waits longer after each loss."""


def spoil(faults: Faults) -> None:
    """The same faults on both ways of the wire."""
    for end in "ab":
        set_faults(RUN_DIRECTORY / "wires" / "cable0", end, faults, SIM_LINES.into)


class Transfer:
    """One TCP connection from here to the far end; what arrives is hashed."""

    def __init__(self, data: bytes) -> None:
        self.arrived = 0
        self._expected = len(data)
        self.digest = hashlib.sha256()
        with namespaces.inside("far"):
            self._server = socket.create_server((FAR, PORT))
        self._threads = [threading.Thread(target=work) for work in (self._receive, lambda: self._send(data))]
        for thread in self._threads:
            thread.start()

    def _receive(self) -> None:
        with self._server, self._server.accept()[0] as connection:
            while chunk := connection.recv(1 << 16):
                self.digest.update(chunk)
                self.arrived += len(chunk)

    def _send(self, data: bytes) -> None:
        with socket.create_connection((FAR, PORT)) as connection:
            connection.sendall(data)

    def wait_for(self, arrived: int) -> None:
        """Wait until so many bytes have come; fail if none come any more."""
        before, since_s = self.arrived, time.monotonic()
        while self.arrived < arrived:
            if self.arrived != before:
                before, since_s = self.arrived, time.monotonic()
            assert time.monotonic() - since_s < PATIENCE_S, f"stuck after {self.arrived} bytes"
            time.sleep(0.02)

    def finish(self) -> str:
        """Wait for the end; the SHA-256 of what came."""
        self.wait_for(self._expected)
        for thread in self._threads:
            thread.join()
        return self.digest.hexdigest()


def test_tcp_survives_a_cut_a_death_and_noise(host: Host) -> None:
    host.gpiomux("apply", "configs/two-links.yaml")
    host.wait_for_carrier()
    data = traffic.payload_of(BYTES)
    transfer = Transfer(data)

    transfer.wait_for(BYTES // 4)
    spoil(Faults(cut=True))
    host.wait_for(lambda: not any(link["carrier"] for link in host.status()["links"]), "both ends notice the cut")
    assert {link["reason"] for link in host.status()["links"]} == {"peer silent"}
    time.sleep(CUT_S)
    spoil(Faults())

    transfer.wait_for(BYTES // 2)
    os.kill(host.datapaths()["geth1"], signal.SIGKILL)
    host.wait_for(lambda: host.link("geth1")["datapath"]["restarts"] == 1, "the datapath is started again")
    host.wait_for_carrier()

    transfer.wait_for(BYTES * 7 // 8)
    spoil(Faults(flip_rate=1e-3, seed=1))
    assert transfer.finish() == hashlib.sha256(data).hexdigest()

    stats = {link["name"]: link["counters"] for link in host.stats()["links"]}
    assert all(counters["rx_crc_errors"] > 0 for counters in stats.values())
    assert stats["geth0"]["tx_resent"] > 0


def test_tcp_survives_words_that_are_lost_doubled_and_reordered(host: Host) -> None:
    host.gpiomux("apply", "configs/two-links.yaml")
    host.wait_for_carrier()
    spoil(Faults(loss_rate=1e-4, double_rate=1e-4, reorder_rate=1e-4, seed=1))
    data = traffic.payload_of(BYTES // 64)
    assert Transfer(data).finish() == hashlib.sha256(data).hexdigest()
    stats = {link["name"]: link["counters"] for link in host.stats()["links"]}
    assert all(counters["rx_crc_errors"] + counters["rx_framing_errors"] > 0 for counters in stats.values())
    assert stats["geth0"]["tx_resent"] > 0
