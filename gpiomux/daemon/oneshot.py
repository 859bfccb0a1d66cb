"""`gpiomuxd --answer FD`: answers one client where no daemon runs. Takes no lock and changes nothing."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from gpiomux.control.messages import (
    EXAMINING_VERBS,
    MAX_REQUEST_BYTES,
    READING_VERBS,
    Failure,
    Reply,
    Request,
    Result,
    decode_request,
    encode_reply,
)
from gpiomux.daemon import examining, state_file
from gpiomux.daemon.reading import Reading
from gpiomux.errors import DaemonError, GpiomuxError, UsageError

if TYPE_CHECKING:
    from gpiomux.rundir import RunDir


def answer(rundir: RunDir, fd: int) -> None:
    """Answer requests on a connected stream socket until the client goes away.

    Raises:
        UsageError: `fd` is no such socket.
    """
    try:
        connection = socket.socket(fileno=fd)
        connection.getpeername()
    except OSError as err:
        hint = "leave out --answer: gpiomux uses it where no gpiomuxd runs"
        raise UsageError(f"--answer: descriptor {fd} is no connected socket", hint=hint) from err
    # A client that goes away without waiting for its answer is no fault.
    with suppress(ConnectionError), connection as sock, sock.makefile("rb") as requests:
        while (line := requests.readline(MAX_REQUEST_BYTES + 1)).endswith(b"\n"):
            sock.sendall(encode_reply(_reply(rundir, line)))


def _reply(rundir: RunDir, line: bytes) -> Reply:
    try:
        return Result(_answer(rundir, decode_request(line)))
    except GpiomuxError as err:
        return Failure(err)


def _answer(rundir: RunDir, request: Request) -> dict[str, object]:
    if request.verb in EXAMINING_VERBS:
        return examining.answer(rundir, request)
    if request.verb not in READING_VERBS:
        raise DaemonError(f"{request.verb} needs gpiomuxd, which is not running")
    return Reading(rundir).answer(request, state_file.load(rundir), {})
