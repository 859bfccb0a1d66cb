"""One message in each packet, with its descriptors: there, back, and whatever else a socket may bring."""

from __future__ import annotations

import array
import json
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.control.packets import MAX_FDS, MAX_MESSAGE_BYTES, ask, close_all, receive, send
from gpiomux.errors import GpiomuxError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for sock in (one, two):
        sock.settimeout(20)
    with one, two:
        yield one, two


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def send_with_fds(sock: socket.socket, data: bytes, fds: list[int]) -> None:
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_round_trip(message: dict[str, Any]) -> None:
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, two:
        send(one, message)
        assert receive(two) == (message, [])


def test_messages_are_not_joined(pair: tuple[socket.socket, socket.socket]) -> None:
    for number in range(3):
        send(pair[0], {"number": number})
    assert [receive(pair[1])[0] for _ in range(3)] == [{"number": number} for number in range(3)]


@pytest.mark.parametrize("count", [1, 2, MAX_FDS])
def test_descriptors_come_along_in_order(pair: tuple[socket.socket, socket.socket], count: int) -> None:
    mine = [os.memfd_create(str(number)) for number in range(count)]
    send(pair[0], {"do": "start"}, mine)
    message, theirs = receive(pair[1])
    assert message == {"do": "start"}
    assert [os.readlink(f"/proc/self/fd/{fd}") for fd in theirs] == [
        f"/memfd:{number} (deleted)" for number in range(count)
    ]
    assert not any(os.get_inheritable(fd) for fd in theirs)
    assert not set(mine) & set(theirs)
    close_all(mine + theirs)


def test_the_longest_message(pair: tuple[socket.socket, socket.socket]) -> None:
    frame_bytes = len(json.dumps({"x": ""}, separators=(",", ":")))
    longest = {"x": "y" * (MAX_MESSAGE_BYTES - frame_bytes)}
    send(pair[0], longest)
    assert receive(pair[1]) == (longest, [])
    with pytest.raises(ProtocolError, match=f"longer than {MAX_MESSAGE_BYTES}"):
        send(pair[0], {"x": longest["x"] + "y"})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff\xfe", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[" * 60_000, "is not JSON"),
        (b"[1]", "is not a JSON object"),
        (b'"do"', "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b"1" * 10_000, "is not JSON"),
        (b'{"x": "' + b"y" * MAX_MESSAGE_BYTES + b'"}', "too long"),
    ],
)
def test_what_is_no_message_is_refused_and_its_descriptors_closed(
    pair: tuple[socket.socket, socket.socket], data: bytes, text: str
) -> None:
    mine = [os.memfd_create("x")]
    before = open_files()
    send_with_fds(pair[0], data, mine)
    with pytest.raises(ProtocolError, match=text):
        receive(pair[1])
    assert open_files() == before
    close_all(mine)
    send(pair[0], {"next": 1})
    assert receive(pair[1]) == ({"next": 1}, []), "the connection goes on"


def test_too_many_descriptors_are_refused_and_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    mine = [os.memfd_create("x")] * (MAX_FDS + 20)
    before = open_files()
    send_with_fds(pair[0], b"{}", mine)
    with pytest.raises(ProtocolError, match="too many descriptors"):
        receive(pair[1])
    assert open_files() == before
    os.close(mine[0])


def test_the_end_of_a_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    with pytest.raises(EOFError):
        receive(pair[1])


def test_nothing_has_come_yet(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        receive(pair[1])


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, two:
        one.send(data)
        try:
            message, fds = receive(two)
        except (ProtocolError, EOFError):
            return
        assert isinstance(message, dict)
        assert fds == []


def answered(pair: tuple[socket.socket, socket.socket], reply: bytes, fds: tuple[int, ...] = ()) -> dict[str, Any]:
    """Ask `{"do": "report"}` of somebody who answers with these bytes."""

    def answer() -> None:
        assert receive(pair[1]) == ({"do": "report"}, [])
        send_with_fds(pair[1], reply, list(fds))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        return ask(pair[0], {"do": "report"})
    finally:
        thread.join()


def test_an_answer(pair: tuple[socket.socket, socket.socket]) -> None:
    assert answered(pair, b'{"ok": {"pid": 7}}') == {"pid": 7}


def test_an_answer_with_a_hint(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(GpiomuxError) as caught:
        answered(pair, b'{"error": {"message": "no", "hint": "try"}}')
    assert (caught.value.message, caught.value.hint) == ("no", "try")


@pytest.mark.parametrize("reply", [b"{}", b'{"ok": 1}', b'{"error": "text"}', b'{"ok": null, "error": null}'])
def test_what_is_no_answer(pair: tuple[socket.socket, socket.socket], reply: bytes) -> None:
    with pytest.raises(ProtocolError, match="neither an answer nor an error"):
        answered(pair, reply)


def test_stray_descriptors_of_an_answer_are_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    stray = os.memfd_create("x")
    before = open_files()
    answered(pair, b'{"ok": {}}', (stray,))
    assert open_files() == before
    os.close(stray)


def test_closing_what_is_closed_already() -> None:
    fd = os.memfd_create("x")
    os.close(fd)
    close_all([fd])
