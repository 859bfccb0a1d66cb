"""Answering on the control socket: who may ask, how long and how much, and what becomes of a client that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from gpiomux.control.messages import (
    MAX_REQUEST_BYTES,
    READING_VERBS,
    VERBS,
    Failure,
    Progress,
    Reply,
    Request,
    Result,
    decode_request,
    encode_reply,
)
from gpiomux.errors import DaemonError, GpiomuxError, MachineError, ProtocolError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "gpiomux"
"""Members may use the socket; root and the daemon's own user may always."""
READERS_VARIABLE = "GPIOMUX_READERS"
"""Environment variable that names a group whose members may use the verbs that change nothing."""
IDLE_S = 30.0
"""A client that has not sent a whole request after this time is sent away."""
REPLY_S = 10.0
"""A client that does not take its reply within this time is sent away."""
MAX_CLIENTS = 64

SO_PEERGROUPS = 59
"""Supplementary groups of the peer (asm-generic/socket.h; Linux 4.13); the socket module has no name for it."""
_GROUPS_BYTES = 1024
"""Room for 256 groups; the most that socket.getsockopt takes."""

Handler = Callable[[Request, Callable[[Progress], None], int], Awaitable[Mapping[str, Any]]]
"""Answers a request, or raises a GpiomuxError. The callback takes progress from any thread; the number is the user's
who asks."""

_log = logging.getLogger(__name__)


class Server:
    """The control socket of a daemon.

    *Threads and processes:* lives in one event loop; only the callback for progress may be called elsewhere.
    """

    def __init__(self, path: Path, handler: Handler, *, readers: str = "", idle_s: float = IDLE_S) -> None:
        """Listen at `path`; `readers` names the group that may use the verbs that change nothing, empty for none."""
        self._path = path
        self._handler = handler
        self._readers = readers
        self._readers_gid: int | None = None
        self._idle_s = idle_s
        self._listening: asyncio.Server | None = None
        self._clients = 0
        self._answering: set[asyncio.Task[None]] = set()

    @property
    def clients(self) -> int:
        """How many are connected now."""
        return self._clients

    async def start(self) -> None:
        """Listen. The caller holds the lock of the run directory, so a socket that is there already is a dead one.

        Raises:
            MachineError: the socket cannot be made.
            UnsupportedError: there is no such group of readers.
        """
        if self._readers:
            try:
                self._readers_gid = grp.getgrnam(self._readers).gr_gid
            except KeyError as err:
                hint = f"see {READERS_VARIABLE} in gpiomuxd(8)"
                raise UnsupportedError(f"there is no group {self._readers!r} of readers", hint=hint) from err
        try:
            self._path.unlink(missing_ok=True)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            try:
                sock.bind(str(self._path))
                self._open_to_group()
            except OSError:
                sock.close()
                raise
        except OSError as err:
            reason = err.strerror or str(err)  # a path that is too long has no errno
            raise MachineError(f"control socket {self._path}: {reason}", errno=err.errno or 0) from err
        self._listening = await asyncio.start_unix_server(self._serve, sock=sock, limit=MAX_REQUEST_BYTES)

    def stop_listening(self) -> None:
        """Let nobody in any more, and take the socket out of the file system; who is connected stays."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            self._path.unlink(missing_ok=True)

    async def finish(self) -> None:
        """Stop listening and wait until every request that is being answered has its reply."""
        self.stop_listening()
        if self._answering:
            await asyncio.wait(self._answering)

    def _open_to_group(self) -> None:
        # A socket has one group only: where there are two, everybody may knock, and `_serve` looks who it is.
        os.chmod(self._path, 0o660 if self._readers_gid is None else 0o666)
        with contextlib.suppress(KeyError):  # no such group here: root only
            os.chown(self._path, -1, grp.getgrnam(GROUP).gr_gid)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            sock = writer.get_extra_info("socket")
            refusal = self._refusal(sock)
            if refusal is not None:
                await _reply(writer, Failure(refusal))
                return
            verbs = VERBS.keys() if may_connect(sock) else READING_VERBS
            while await self._serve_request(reader, writer, verbs):
                pass
        except ConnectionError:
            _log.debug("a client went away")
        finally:
            self._clients -= 1
            writer.close()

    def _refusal(self, sock: socket.socket) -> GpiomuxError | None:
        if not may_connect(sock) and not self._may_read(sock):
            hint = f"become root, or a member of the group {GROUP}"
            return DaemonError("gpiomuxd does not answer this user", hint=hint)
        if self._clients > MAX_CLIENTS:
            return DaemonError(f"gpiomuxd has {MAX_CLIENTS} clients already", hint="try again later")
        return None

    def _may_read(self, sock: socket.socket) -> bool:
        return self._readers_gid is not None and self._readers_gid in _groups(sock)

    async def _serve_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, verbs: Collection[str]
    ) -> bool:
        """Answer one request, if it is one of these verbs; False when the connection is to be closed."""
        try:
            line = await asyncio.wait_for(reader.readline(), self._idle_s)
        except TimeoutError:
            await _reply(writer, Failure(ProtocolError(f"no request within {self._idle_s:g} s")))
            return False
        except ValueError:  # from StreamReader.readline: longer than its limit
            await _reply(writer, Failure(ProtocolError(f"request is longer than {MAX_REQUEST_BYTES} bytes")))
            return False
        if not line.endswith(b"\n"):
            return False
        # The answer is a task of its own: it goes on when the client goes away, and `finish` can wait for it.
        answering = asyncio.create_task(self._answer(line, writer, verbs))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)
        await asyncio.shield(answering)
        return True

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter, verbs: Collection[str]) -> None:
        loop = asyncio.get_running_loop()

        def tell(progress: Progress) -> None:
            loop.call_soon_threadsafe(_write, writer, progress)

        reply: Reply
        try:
            request = decode_request(line)
            if request.verb not in verbs:
                hint = f"become root, or a member of the group {GROUP}"
                raise DaemonError(f"gpiomuxd does not {request.verb} for this user, who may only look", hint=hint)
            result = await self._handler(request, tell, peer_user(writer.get_extra_info("socket")))
            reply = Result(result, ending=self._listening is None)
        except GpiomuxError as err:
            reply = Failure(err, ending=self._listening is None)
        with contextlib.suppress(ConnectionError):
            await _reply(writer, reply)


def may_connect(sock: socket.socket) -> bool:
    """Whether the process at the other end may use the daemon: root, our own user, or a member of the group.

    The kernel vouches for the identity: it is that of the moment of connect(2) (unix(7), SO_PEERCRED).
    """
    if peer_user(sock) in (0, os.geteuid()):
        return True
    try:
        return grp.getgrnam(GROUP).gr_gid in _groups(sock)
    except KeyError:
        return False


def peer_user(sock: socket.socket) -> int:
    """Number of the user who has connected (unix(7), SO_PEERCRED)."""
    return _peer(sock)[0]


def _peer(sock: socket.socket) -> tuple[int, int]:
    """User and group."""
    _, uid, gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid, gid


def _groups(sock: socket.socket) -> tuple[int, ...]:
    """The groups of the process at the other end, the primary one first."""
    primary = _peer(sock)[1]
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError as err:
        if err.errno != errno.ERANGE:
            raise
        return (primary,)  # in more groups than Python can ask for: such a user has to make the group the primary one
    return (primary, *struct.unpack(f"{len(raw) // 4}I", raw))


def _write(writer: asyncio.StreamWriter, reply: Reply) -> None:
    if not writer.is_closing():
        writer.write(encode_reply(reply))


async def _reply(writer: asyncio.StreamWriter, reply: Reply) -> None:
    """Send a reply, and cut the connection of a client that does not take it."""
    _write(writer, reply)
    try:
        await asyncio.wait_for(writer.drain(), REPLY_S)
    except TimeoutError:
        writer.transport.abort()
