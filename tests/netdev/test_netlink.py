"""Answers of every form, whole and damaged, end in messages or in an error with the kernel's words."""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from gpiomux.netdev.netlink import Netlink, attribute, attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK, ERROR, DONE = 16, 2, 3
MULTI, INTERRUPTED, CAPPED, WITH_ATTRIBUTES = 0x2, 0x10, 0x100, 0x200
GET_LINK = 18
NO_LINK = b"\0" * 16


def message(kind: int, flags: int, body: bytes, sequence: int = 1) -> bytes:
    length = 16 + len(body)
    return struct.pack("=IHHII", length, kind, flags, sequence, 0) + body + bytes(-length % 4)


def number(value: int) -> bytes:
    return struct.pack("=i", value)


class Kernel:
    """The other end of a socket: says what it is told to, whatever it is asked."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def says(self, *parts: bytes) -> None:
        self._sock.send(b"".join(parts))

    def heard(self) -> int:
        """How many questions have been asked."""
        self._sock.setblocking(False)
        count = 0
        try:
            while self._sock.recv(1024):
                count += 1
        except BlockingIOError:
            pass
        return count


@pytest.fixture
def netlink() -> Iterator[Netlink]:
    opened = Netlink()
    yield opened
    opened.close()


@pytest.fixture
def kernel(netlink: Netlink, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.settimeout(10)
    monkeypatch.setattr(netlink, "_sock", ours)
    with ours, theirs:
        yield Kernel(theirs)
        monkeypatch.undo()


def test_a_list_in_several_pieces(netlink: Netlink, kernel: Kernel) -> None:
    kernel.says(message(LINK, MULTI, b"one."), message(LINK, MULTI, b"two"))
    kernel.says(message(LINK, MULTI, b"three"), message(DONE, MULTI, number(0)))
    assert netlink.dump(GET_LINK, NO_LINK) == [b"one.", b"two", b"three"]


def test_what_answers_an_earlier_question_is_passed_over(netlink: Netlink, kernel: Kernel) -> None:
    kernel.says(message(LINK, MULTI, b"old", 7), message(DONE, MULTI, number(0), 7))
    kernel.says(message(LINK, MULTI, b"new"), message(DONE, MULTI, number(0)))
    assert netlink.dump(GET_LINK, NO_LINK) == [b"new"]


@pytest.mark.parametrize("where", ["message", "end"])
def test_a_list_with_holes_is_asked_for_again(netlink: Netlink, kernel: Kernel, where: str) -> None:
    marks = (MULTI | INTERRUPTED, MULTI) if where == "message" else (MULTI, MULTI | INTERRUPTED)
    kernel.says(message(LINK, marks[0], b"some"), message(DONE, marks[1], number(0)))
    kernel.says(message(LINK, MULTI, b"all", 2), message(DONE, MULTI, number(0), 2))
    assert netlink.dump(GET_LINK, NO_LINK) == [b"all"]


def test_a_list_that_always_has_holes_is_given_up(netlink: Netlink, kernel: Kernel) -> None:
    for sequence in range(1, 11):
        kernel.says(message(DONE, MULTI | INTERRUPTED, number(0), sequence))
    with pytest.raises(OSError, match="they change faster than they can be read") as caught:
        netlink.dump(GET_LINK, NO_LINK)
    assert caught.value.errno == errno.EAGAIN
    assert kernel.heard() == 10


@pytest.mark.parametrize("flags", [WITH_ATTRIBUTES, WITH_ATTRIBUTES | CAPPED])
def test_the_kernels_words(netlink: Netlink, kernel: Kernel, flags: int) -> None:
    request = message(GET_LINK, 1, b"" if flags & CAPPED else NO_LINK)
    if flags & CAPPED:  # the header tells the whole length all the same
        request = struct.pack("=I", 32) + request[4:]
    words = attribute(1, b"Unknown device type\0")
    kernel.says(message(ERROR, flags, number(-errno.EOPNOTSUPP) + request + words))
    with pytest.raises(OSError, match="Unknown device type") as caught:
        netlink.ask(GET_LINK, NO_LINK)
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_list_that_ends_with_an_error(netlink: Netlink, kernel: Kernel) -> None:
    words = attribute(1, b"FIB table does not exist\0")
    kernel.says(message(DONE, MULTI | WITH_ATTRIBUTES, number(-errno.ENOENT) + words))
    with pytest.raises(OSError, match="FIB table does not exist"):
        netlink.dump(GET_LINK, NO_LINK)


def test_without_words_the_errors_own(netlink: Netlink, kernel: Kernel) -> None:
    kernel.says(message(ERROR, 0, number(-errno.ENODEV) + message(GET_LINK, 1, NO_LINK)))
    with pytest.raises(OSError, match="No such device"):
        netlink.ask(GET_LINK, NO_LINK)


def test_a_message_that_does_not_fit(netlink: Netlink, kernel: Kernel) -> None:
    kernel.says(message(LINK, 0, bytes(140_000)))
    with pytest.raises(OSError) as caught:
        netlink.ask(GET_LINK, NO_LINK)
    assert caught.value.errno == errno.EMSGSIZE


def test_attributes_there_and_back() -> None:
    packed = attribute(3, b"eth0\0") + attribute(4 | 0x8000, b"nested") + attribute(5, b"")
    assert attributes(b"1234" + packed, 4) == {3: b"eth0\0", 4: b"nested", 5: b""}


@pytest.mark.parametrize("damage", [b"\1", b"\3\0\1\0", b"\0\0\0\0"])
def test_attributes_without_sense_end_the_list(damage: bytes) -> None:
    assert attributes(attribute(1, b"abcd") + damage) == {1: b"abcd"}


def test_lo_is_found_by_its_name(netlink: Netlink) -> None:
    told = netlink.ask(GET_LINK, NO_LINK + attribute(3, b"lo\0"))
    assert attributes(told, 16)[3] == b"lo\0"
    with pytest.raises(OSError) as caught:
        netlink.ask(GET_LINK, NO_LINK + attribute(3, b"nothing0\0"))
    assert caught.value.errno == errno.ENODEV
