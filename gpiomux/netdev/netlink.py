"""Questions to rtnetlink, and the parts of its answers: how the machine is looked at, before and after every change.

pyroute2 makes the changes. It does not ask the questions, because an event loop and a tree of objects for each message
cost 0.5 ms an interface, and its import costs more than all that a short command does. Numbers are from linux/netlink.h
and linux/rtnetlink.h, the format from netlink(7).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = struct.Struct("=IHHII")
"""Length, type, flags, sequence number, port."""
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=i")
_TYPE_BITS = 0x3FFF
"""Of an attribute's type: the others say that it is nested, or in network order."""
_ERROR, _DONE = 2, 3
_REQUEST, _DUMP = 0x1, 0x300
_MULTI, _INTERRUPTED, _CAPPED, _WITH_ATTRIBUTES = 0x2, 0x10, 0x100, 0x200
_ERROR_WORDS = 1  # NLMSGERR_ATTR_MSG
_SOL_NETLINK, _EXT_ACK, _STRICT_CHECK = 270, 11, 12
_BUFFER_BYTES = 1 << 17
"""Four times the most that the kernel puts into one piece of a dump."""
_ATTEMPTS = 10

Message = bytes
"""What follows the header of a message: a structure of its type, then attributes."""


class Netlink:
    """A socket of the network namespace in which it was opened.

    *Threads and processes:* one object, one thread.
    """

    def __init__(self) -> None:
        """Open the socket.

        Raises:
            OSError: the kernel refused.
        """
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        try:
            self._sock.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
            self._sock.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
        except OSError:
            self._sock.close()
            raise
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def ask(self, kind: int, body: bytes) -> Message:
        """Ask for one object.

        Raises:
            OSError: the kernel refused; `strerror` is its extended message, if it gave one.
        """
        messages, _ = self._answer(kind, _REQUEST, body)
        return messages[0]

    def dump(self, kind: int, body: bytes) -> list[Message]:
        """Ask for all objects of a kind, again while the list may have holes because something changed meanwhile.

        Raises:
            OSError: the kernel refused, or EAGAIN, the objects change all the time.
        """
        for _ in range(_ATTEMPTS):
            messages, whole = self._answer(kind, _REQUEST | _DUMP, body)
            if whole:
                return messages
        raise OSError(errno.EAGAIN, "they change faster than they can be read")

    def _answer(self, kind: int, flags: int, body: bytes) -> tuple[list[Message], bool]:
        """The messages of an answer, and whether nothing changed between them."""
        self._sequence += 1
        self._sock.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        found: list[Message] = []
        whole = True
        while True:
            data, _, how, _ = self._sock.recvmsg(_BUFFER_BYTES)
            if how & socket.MSG_TRUNC:
                raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
            for what, marks, sequence, message in _messages(data):
                if sequence != self._sequence:  # of a question that was given up
                    continue
                whole = whole and not marks & _INTERRUPTED
                if what in (_ERROR, _DONE):
                    _raise_refusal(what, marks, message)
                    return found, whole
                found.append(message)
                if not marks & _MULTI:
                    return found, whole


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute with its header, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(message: bytes, start: int = 0) -> dict[int, bytes]:
    """The attributes of a message, or of an attribute that holds others, by type.

    Args:
        message: what holds them.
        start: offset of the first, behind the structure.
    """
    found = {}
    while start + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, start)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_BITS] = message[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return found


def _messages(data: bytes) -> Iterator[tuple[int, int, int, Message]]:
    """Type, flags, sequence number and rest of each message in a datagram."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, what, marks, sequence, _ = _HEADER.unpack_from(data, start)
        if length < _HEADER.size:
            return
        yield what, marks, sequence, data[start + _HEADER.size : start + length]
        start += (length + 3) & ~3


def _raise_refusal(what: int, marks: int, message: Message) -> None:
    """Raise what the end of an answer tells: an error number, and perhaps the kernel's words."""
    number = -_NUMBER.unpack_from(message)[0] if len(message) >= _NUMBER.size else errno.EPROTO
    if number <= 0:  # of some dumps the end bears a length
        return
    words = b""
    if marks & _WITH_ATTRIBUTES:
        start = _NUMBER.size
        if what == _ERROR:  # the request stands between, or only its header
            request_bytes, *_ = _HEADER.unpack_from(message, start)
            start += _HEADER.size if marks & _CAPPED else (request_bytes + 3) & ~3
        words = attributes(message, start).get(_ERROR_WORDS, b"").rstrip(b"\0")
    raise OSError(number, words.decode(errors="replace") or os.strerror(number))
