"""The control socket: right answers to those who may ask, and no harm from those who misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import socket
import stat
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpiomux.control import server as server_module
from gpiomux.control.messages import (
    MAX_REQUEST_BYTES,
    Failure,
    Progress,
    Reply,
    Request,
    Result,
    decode_reply,
    encode_request,
)
from gpiomux.control.server import Handler, Server, may_connect
from gpiomux.errors import DaemonError, MachineError, ProtocolError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

SHOW = encode_request(Request("show", {}))


@pytest.fixture
def path() -> Iterator[Path]:
    """A short path: those of sockets have at most 107 bytes."""
    directory = Path("/run/control-test")
    directory.mkdir()
    yield directory / "s"
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()


async def answer_show(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
    return {"verb": request.verb}


@contextlib.asynccontextmanager
async def serving(
    path: Path, handler: Handler = answer_show, *, readers: str = "", idle_s: float = 30.0
) -> AsyncIterator[Server]:
    server = Server(path, handler, readers=readers, idle_s=idle_s)
    await server.start()
    try:
        yield server
    finally:
        await server.finish()
        await asyncio.sleep(0)  # lets the transports close


class Peer:
    """A client made of plain reads and writes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> Reply:
        return decode_reply(await self.reader.readline())

    async def is_cut(self) -> bool:
        return await self.reader.read() == b""


@contextlib.asynccontextmanager
async def peer(path: Path) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def error_of(reply: Reply) -> Exception:
    assert isinstance(reply, Failure)
    return reply.error


def test_answers_one_after_another_on_one_connection(path: Path) -> None:
    async def run() -> None:
        async with serving(path), peer(path) as client:
            for _ in range(3):
                await client.say(SHOW)
                assert await client.hear() == Result({"verb": "show"})

    asyncio.run(run())


def test_the_socket_is_for_root_and_group(path: Path) -> None:
    async def run() -> None:
        async with serving(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert not path.exists()

    asyncio.run(run())


def test_a_dead_socket_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def run() -> None:
        async with serving(path), peer(path) as client:
            await client.say(SHOW)
            assert isinstance(await client.hear(), Result)

    asyncio.run(run())


def test_a_path_that_is_too_long_is_an_error_of_ours() -> None:
    async def run() -> None:
        await Server(Path("/run") / ("x" * 120), answer_show).start()

    with pytest.raises(MachineError, match="too long"):
        asyncio.run(run())


def test_progress_comes_in_order_and_from_another_thread(path: Path) -> None:
    async def work(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
        def steps() -> None:
            for number in range(5):
                tell(Progress(number, 5, f"step {number}"))

        await asyncio.to_thread(steps)
        return {"done": True}

    async def run() -> None:
        async with serving(path, work), peer(path) as client:
            await client.say(SHOW)
            for number in range(5):
                assert await client.hear() == Progress(number, 5, f"step {number}")
            assert await client.hear() == Result({"done": True})

    asyncio.run(run())


def test_an_error_is_told_and_the_connection_stays(path: Path) -> None:
    async def refuse(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
        raise UsageError("no such link", hint="look again")

    async def run() -> None:
        async with serving(path, refuse), peer(path) as client:
            for _ in range(2):
                await client.say(SHOW)
                error = error_of(await client.hear())
                assert isinstance(error, UsageError)
                assert (error.message, error.hint) == ("no such link", "look again")

    asyncio.run(run())


def test_malformed_requests_are_told(path: Path) -> None:
    async def run() -> None:
        async with serving(path), peer(path) as client:
            await client.say(b"rubbish\n")
            assert isinstance(error_of(await client.hear()), ProtocolError)
            await client.say(SHOW)
            assert isinstance(await client.hear(), Result)

    asyncio.run(run())


def test_an_oversized_request_is_cut_off(path: Path) -> None:
    async def run() -> None:
        async with serving(path), peer(path) as client:
            with contextlib.suppress(ConnectionError):
                await client.say(b"x" * (MAX_REQUEST_BYTES + 100_000))
            error = error_of(await client.hear())
            assert str(error) == f"request is longer than {MAX_REQUEST_BYTES} bytes"
            async with peer(path) as other:
                await other.say(SHOW)
                assert isinstance(await other.hear(), Result)

    asyncio.run(run())


def test_the_largest_request_is_answered(path: Path) -> None:
    async def size(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
        return {"size": len(request.args["text"])}

    async def run() -> None:
        room = MAX_REQUEST_BYTES - len(encode_request(Request("plan", {"text": "", "file": ""})))
        async with serving(path, size), peer(path) as client:
            await client.say(encode_request(Request("plan", {"text": "x" * room, "file": ""})))
            assert await client.hear() == Result({"size": room})

    asyncio.run(run())


def test_a_slow_client_is_sent_away(path: Path) -> None:
    async def run() -> None:
        async with serving(path, idle_s=0.05), peer(path) as client:
            await client.say(b'{"verb": ')
            assert str(error_of(await client.hear())) == "no request within 0.05 s"
            assert await client.is_cut()

    asyncio.run(run())


def test_a_request_without_its_end_is_dropped(path: Path) -> None:
    asked = []

    async def note(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
        asked.append(request)
        return {}

    async def run() -> None:
        async with serving(path, note), peer(path) as client:
            await client.say(SHOW.rstrip())
            client.writer.write_eof()
            assert await client.is_cut()

    asyncio.run(run())
    assert asked == []


def test_a_client_that_goes_away_stops_nothing(path: Path) -> None:
    async def run() -> None:
        begun, finish, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def work(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
            begun.set()
            tell(Progress(0, 1, "step"))
            await finish.wait()
            tell(Progress(1, 1, "step"))
            finished.set()
            return {}

        async with serving(path, work):
            async with peer(path) as client:
                await client.say(SHOW)
                await begun.wait()
            finish.set()
            await finished.wait()

    asyncio.run(run())


def test_too_many_clients_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CLIENTS", 1)

    async def run() -> None:
        async with serving(path), peer(path) as first:
            await first.say(SHOW)
            await first.hear()
            async with peer(path) as second:
                assert str(error_of(await second.hear())) == "gpiomuxd has 1 clients already"
            await first.say(SHOW)
            assert isinstance(await first.hear(), Result)

    asyncio.run(run())


def test_who_may_not_ask_is_told_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "may_connect", lambda sock: False)

    async def run() -> None:
        async with serving(path), peer(path) as client:
            await client.say(SHOW)
            error = error_of(await client.hear())
            assert isinstance(error, DaemonError)
            assert error.exit_status == 3
            assert error.hint == "become root, or a member of the group gpiomux"

    asyncio.run(run())


def test_finish_waits_for_the_answer_and_says_that_it_ends(path: Path) -> None:
    async def run() -> None:
        begun, finish = asyncio.Event(), asyncio.Event()

        async def work(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
            begun.set()
            await finish.wait()
            return {}

        async with serving(path, work) as server, peer(path) as client:
            await client.say(SHOW)
            await begun.wait()
            ending = asyncio.create_task(server.finish())
            await asyncio.sleep(0)
            assert not path.exists()
            assert not ending.done()
            finish.set()
            await ending
            assert await client.hear() == Result({}, ending=True)

    asyncio.run(run())


class Credentials:
    """Stands for a socket whose peer has this identity."""

    def __init__(self, uid: int, gid: int, groups: tuple[int, ...] = ()) -> None:
        self.uid, self.gid, self.groups = uid, gid, groups

    def getsockopt(self, level: int, name: int, size: int) -> bytes:
        assert level == socket.SOL_SOCKET
        if name == socket.SO_PEERCRED:
            return struct.pack("3i", 1, self.uid, self.gid)
        return struct.pack(f"{len(self.groups)}I", *self.groups)


@pytest.mark.parametrize(
    ("uid", "gid", "groups", "allowed"),
    [
        (0, 0, (), True),
        (os.geteuid(), 54321, (), True),
        (54321, 777, (), True),
        (54321, 54321, (1, 777), True),
        (54321, 54321, (1, 2), False),
        (54321, 54321, (), False),
    ],
)
def test_root_own_user_and_group_may_connect(
    uid: int, gid: int, groups: tuple[int, ...], allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = grp.struct_group(("gpiomux", "x", 777, []))
    monkeypatch.setattr(grp, "getgrnam", {"gpiomux": entry}.__getitem__)
    assert may_connect(Credentials(uid, gid, groups)) is allowed  # type: ignore[arg-type]


def test_without_the_group_strangers_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grp, "getgrnam", {}.__getitem__)
    assert not may_connect(Credentials(54321, 0))  # type: ignore[arg-type]


@pytest.fixture
def a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects is in the group `watchers`, and not one who may do everything."""
    entry = grp.struct_group(("watchers", "x", os.getgid(), []))
    monkeypatch.setattr(grp, "getgrnam", {"watchers": entry}.__getitem__)
    monkeypatch.setattr(server_module, "may_connect", lambda sock: False)


def test_readers_may_look_and_nothing_else(path: Path, a_reader: None) -> None:
    async def run() -> None:
        async with serving(path, readers="watchers"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
            async with peer(path) as client:
                await client.say(SHOW)
                assert await client.hear() == Result({"verb": "show"})
                await client.say(encode_request(Request("down", {"links": []})))
                error = error_of(await client.hear())
                assert str(error) == "gpiomuxd does not down for this user, who may only look"
                assert isinstance(error, DaemonError)
                await client.say(SHOW)
                assert isinstance(await client.hear(), Result)

    asyncio.run(run())


def test_who_is_no_reader_is_not_answered(path: Path, a_reader: None, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = grp.struct_group(("watchers", "x", os.getgid() + 54321, []))
    monkeypatch.setattr(grp, "getgrnam", {"watchers": entry}.__getitem__)

    async def run() -> None:
        async with serving(path, readers="watchers"), peer(path) as client:
            await client.say(SHOW)
            assert str(error_of(await client.hear())) == "gpiomuxd does not answer this user"

    asyncio.run(run())


def test_a_group_of_readers_that_does_not_exist(path: Path) -> None:
    async def run() -> None:
        await Server(path, answer_show, readers="nobody-has-this").start()

    with pytest.raises(UnsupportedError, match="there is no group 'nobody-has-this' of readers"):
        asyncio.run(run())
    assert not path.exists()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=200) | st.sampled_from([b"\n", b"{", b'{"verb":', b"\0", SHOW]), max_size=8))
def test_rubbish_does_no_harm(pieces: list[bytes]) -> None:
    """Whatever a client says: it is told, or cut off, and the next one gets its answer."""
    asked: list[str] = []

    async def note(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
        asked.append(request.verb)
        return {}

    async def run() -> None:
        path = Path(f"/run/rubbish-{os.getpid()}")
        async with serving(path, note):
            async with peer(path) as client:
                with contextlib.suppress(ConnectionError):
                    for piece in pieces:
                        await client.say(piece)
                    client.writer.write_eof()
                    async for line in client.reader:
                        assert isinstance(decode_reply(line), Result | Failure)
            async with peer(path) as next_one:
                await next_one.say(SHOW)
                assert isinstance(await next_one.hear(), Result)

    asyncio.run(run())
    whole_lines = b"".join(pieces).split(b"\n")[:-1]
    assert asked == ["show"] * (1 + sum(line + b"\n" == SHOW for line in whole_lines))


def test_the_kernel_gives_identity_and_groups() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert may_connect(ours)
        raw = ours.getsockopt(socket.SOL_SOCKET, server_module.SO_PEERGROUPS, 1024)
    assert struct.unpack(f"{len(raw) // 4}I", raw) == tuple(os.getgroups())


def test_many_at_once(path: Path) -> None:
    """Twenty clients in threads of their own, each with its own answers."""
    from gpiomux.control.client import Client

    async def echo(request: Request, tell: Callable[[Progress], None], uid: int) -> Mapping[str, Any]:
        await asyncio.sleep(0)
        return {"child": request.args["child"]}

    def ask(number: int, wrong: list[int]) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        with Client(sock) as client:
            for turn in range(20):
                child = f"c{number}.{turn}"
                if client.ask("del-child", {"child": child}) != {"child": child}:
                    wrong.append(number)

    async def run() -> list[int]:
        wrong: list[int] = []
        async with serving(path, echo):
            threads = [threading.Thread(target=ask, args=(number, wrong)) for number in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
        return wrong

    assert asyncio.run(run()) == []
