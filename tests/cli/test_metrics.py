"""gpiomux.cli.metrics: whoever of this host connects, and however, takes neither the daemon nor the log from others."""

from __future__ import annotations

import socket
import struct
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from gpiomux.cli import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.fake_daemon import FakeDaemon

LONG_S = 10.0
TURN_S = 0.01


@pytest.fixture
def exporter(daemon: FakeDaemon) -> Iterator[metrics._Server]:
    daemon.answers["metrics"] = {"text": "# EOF\n"}
    with metrics._Server(("127.0.0.1", 0), metrics._Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(TURN_S,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def connected(server: metrics._Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.server_port), LONG_S) as sock:
        yield sock


def scraped(server: metrics._Server) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=LONG_S) as answer:
        text: str = answer.read().decode()
        return text


def scraped_at_last(server: metrics._Server) -> str:
    """The same as soon as there is room again."""
    until_s = time.monotonic() + LONG_S
    while True:
        try:
            return scraped(server)
        except OSError:
            assert time.monotonic() < until_s
            time.sleep(TURN_S)


def chatter(sock: socket.socket) -> None:
    """Go on with a request as if it had no end, for long."""
    until_s = time.monotonic() + LONG_S
    sock.sendall(b"GET /metrics HTTP/1.1\r\n")
    while time.monotonic() < until_s:
        sock.sendall(b"x")
        time.sleep(TURN_S)


def heard_nothing(sock: socket.socket) -> bool:
    """Whether the other end closes the connection without a word."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_who_comes_when_there_are_enough_is_sent_away(exporter: metrics._Server) -> None:
    with ExitStack() as held:
        for _ in range(metrics.MOST_CLIENTS):
            held.enter_context(connected(exporter))
        with connected(exporter) as one_more:
            assert heard_nothing(one_more)
    assert scraped_at_last(exporter) == "# EOF\n"


def test_a_client_has_one_time_for_everything_it_says(
    exporter: metrics._Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "REQUEST_S", 0.3)
    with connected(exporter) as sock, pytest.raises(ConnectionError):
        chatter(sock)


def test_a_client_that_goes_away_is_nobodys_traceback(
    exporter: metrics._Server, daemon: FakeDaemon, capfd: pytest.CaptureFixture[str]
) -> None:
    daemon.answers["metrics"] = {"text": "x" * 20_000_000}
    with connected(exporter) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert sock.recv(1) == b"H"
    daemon.answers["metrics"] = {"text": "# EOF\n"}
    assert scraped(exporter) == "# EOF\n"
    for _ in range(metrics.MOST_CLIENTS):
        assert exporter.room.acquire(timeout=LONG_S), "nobody is left in it"
    assert capfd.readouterr().err == ""
