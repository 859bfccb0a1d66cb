"""The verb `metrics`: OpenMetrics text, printed once, or given to whoever asks for it over HTTP on loopback."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gpiomux.cli import ask, output
from gpiomux.errors import GpiomuxError, MachineError, UsageError

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PATH = "/metrics"
REQUEST_S = 10.0
"""How long a client may stay in all, from connecting until it has its answer."""
MOST_CLIENTS = 8
"""At once; anybody on this host may connect, and has a thread of ours then."""


def metrics(listen: str | None) -> int:
    """Print the metrics, or with `listen` serve them until the user has enough.

    Raises:
        UsageError: it is no address of this host alone.
        MachineError: the address cannot be listened on.
        DaemonError: neither a daemon nor the machine could be asked.
    """
    if listen is None:
        sys.stdout.write(_text())
        return 0
    host, port = _address(listen)
    try:
        server = _Server((host, port), _Handler)
    except OSError as err:
        hint = "choose another port, or end what listens there"
        raise MachineError(f"cannot listen on {listen}: {err.strerror}", errno=err.errno or 0, hint=hint) from err
    with server:
        output.note(f"gpiomux: metrics at http://{host}:{server.server_port}{PATH}, until Ctrl-C")
        server.serve_forever()
    return 0


class _Server(ThreadingHTTPServer):
    """Lets a few clients in, and asks the daemon for one of them after the other: others want its threads too."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.room = threading.BoundedSemaphore(MOST_CLIENTS)
        self.asking = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for a client, or send it away."""
        if not self.room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads
            self.room.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a client, and let the next one in."""
        late = threading.Timer(REQUEST_S, _hang_up, (request,))
        late.daemon = True
        try:
            late.start()
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self.room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone away, or was too slow."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        sock.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request: `GET /metrics`."""

    server: _Server

    def do_GET(self) -> None:
        """Send the metrics as they are now; if nobody can tell them, say why."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(404, f"there is {PATH} only")
            return
        try:
            with self.server.asking:
                body = _text().encode()
        except GpiomuxError as error:
            self.send_error(503, explain=error.message)
            return
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a line for each scrape is of no use to anyone."""


def _text() -> str:
    text: str = ask.read("metrics")["text"]
    return text


def _address(listen: str) -> tuple[str, int]:
    """Address and port of `PORT`, `ADDRESS:PORT`.

    Raises:
        UsageError: it is none, or others could reach it.
    """
    host, _, port = listen.rpartition(":")
    host = host or "127.0.0.1"
    try:
        fits = ipaddress.ip_address(host).version == 4 and ipaddress.ip_address(host).is_loopback
    except ValueError:
        fits = False
    if not fits or not port.isdecimal() or not 0 < int(port) < 65536:
        hint = "name a port, or an address of loopback and a port, such as 127.0.0.1:9690"
        raise UsageError(f"metrics: {listen} is nothing that only this host can reach", hint=hint)
    return host, int(port)
