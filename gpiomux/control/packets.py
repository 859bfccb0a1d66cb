"""How the daemon and a datapath talk: one JSON object and its descriptors in each packet of a UNIX socket.

The socket is of type SOCK_SEQPACKET, so a message is never split and its descriptors stay with it (unix(7),
SCM_RIGHTS). Each request is answered by one object: {"ok": ...} or {"error": {"message": ..., "hint": ...}}. Neither
side trusts the other: a message that is too long, cut off or no JSON object is refused, and its descriptors closed.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING, Any

from gpiomux.errors import GpiomuxError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_MESSAGE_BYTES = 128 * 1024
"""The kernel takes 208 KiB, unless told otherwise (wmem_default)."""
MAX_FDS = 32
"""More than any message needs; the kernel's own limit is 253 (SCM_MAX_FD)."""

Message = dict[str, Any]


def send(sock: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message; the descriptors are duplicated into the receiver, ours stay open.

    Raises:
        ProtocolError: the message is longer than MAX_MESSAGE_BYTES.
        OSError: the other side is gone.
    """
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"control message of {len(data)} bytes is longer than {MAX_MESSAGE_BYTES}")
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([data], ancillary)


def receive(sock: socket.socket) -> tuple[Message, list[int]]:
    """Receive one message and the descriptors that came with it, which the caller owns.

    Raises:
        EOFError: the other side has closed the connection.
        ProtocolError: what arrived is no message; its descriptors are closed.
        OSError: as recvmsg(2), for example BlockingIOError on a non-blocking socket.
    """
    space = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
    data, ancillary, flags, _ = sock.recvmsg(MAX_MESSAGE_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    fds = _descriptors(ancillary)
    try:
        if not data:
            raise EOFError("the other side has closed the control connection")
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ProtocolError("control message is too long, or carries too many descriptors")
        return _parse(data), fds
    except (EOFError, ProtocolError):
        close_all(fds)
        raise


def ask(sock: socket.socket, message: Message, fds: Sequence[int] = ()) -> Message:
    """Send a request and return what it was answered with under "ok".

    Raises:
        GpiomuxError: the other side answered with an error, or with nothing that is an answer.
        EOFError: the other side has closed the connection.
        OSError: the connection failed or timed out.
    """
    send(sock, message, fds)
    return answer(sock)


def answer(sock: socket.socket) -> Message:
    """Receive what a request was answered with under "ok".

    Raises:
        GpiomuxError: the other side answered with an error, or with nothing that is an answer.
        EOFError: the other side has closed the connection.
        OSError: the connection failed or timed out.
    """
    reply, stray = receive(sock)
    close_all(stray)
    error, ok = reply.get("error"), reply.get("ok")
    if isinstance(error, dict):
        raise GpiomuxError(str(error.get("message", "unnamed error")), hint=str(error.get("hint", "")))
    if not isinstance(ok, dict):
        raise ProtocolError("control reply is neither an answer nor an error")
    return ok


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors that nobody else will."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _parse(data: bytes) -> Message:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise ProtocolError(f"control message is not JSON: {err}") from err
    if not isinstance(message, dict):
        raise ProtocolError("control message is not a JSON object")
    return message
