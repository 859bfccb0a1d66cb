"""Real datapath processes: packets cross a wire, and no request, however wrong, ends one or leaks a descriptor."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
from base64 import b64decode
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.config.tuning import MOST_PMTUS
from gpiomux.control.packets import ask
from gpiomux.errors import GpiomuxError
from gpiomux.lines.wire_file import make_wire
from gpiomux.rundir import RunDir
from tests.datapath.running import Datapath, Packets, eventually, port_of, started_with

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    found = RunDir(tmp_path)
    make_wire(found.wire("cable0"))
    return found


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Datapath]:
    """A process that has not been started."""
    with Datapath(tmp_path / "fresh.sock") as datapath:
        yield datapath


@pytest.fixture
def running(fresh: Datapath, rundir: RunDir) -> Datapath:
    """A process that runs link `geth0`, without a peer."""
    fresh.start("geth0", "a", rundir)
    return fresh


@pytest.fixture
def linked(running: Datapath, rundir: RunDir, tmp_path: Path) -> Iterator[tuple[Datapath, Datapath]]:
    """Two processes with a carrier: `geth0` and `geth1`."""
    with Datapath(tmp_path / "second.sock") as other:
        other.start("geth1", "b", rundir)
        eventually(lambda: running.ask("report")["carrier"] and other.ask("report")["carrier"])
        yield running, other


@pytest.fixture
def kernel() -> Iterator[dict[str, Packets]]:
    """Interface name to packets on it, for as many as a test adds."""
    found: dict[str, Packets] = {}
    yield found
    for packets in found.values():
        packets.close()


# Before it is started.


def test_it_says_how_it_is_started() -> None:
    for arguments in ([], ["x"], ["1", "2"], ["-1"]):
        done = subprocess.run(
            [sys.executable, "-m", "gpiomux.datapath", *arguments], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr.startswith("usage: ")) == (2, True)


def test_a_descriptor_that_is_no_socket() -> None:
    done = subprocess.run([sys.executable, "-m", "gpiomux.datapath", "99"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "gpiomux-datapath: [Errno 9] Bad file descriptor\n"


def test_it_tells_that_it_has_not_been_started(fresh: Datapath) -> None:
    for do in ("report", "attach", "detach", "bind", "unbind", "mtu", "pmtu", "del-pmtu", "poll"):
        with pytest.raises(GpiomuxError, match="datapath: has not been started"):
            fresh.ask(do, child="x", mark=1, mtu=1500, port={"method": "packet-socket", "kind": "tun"})
    assert fresh.alive


def test_it_can_be_stopped_before_it_is_started(fresh: Datapath) -> None:
    assert fresh.ask("stop") == {}
    assert fresh.process.wait(30) == 0


# Messages that nobody should send. Each is answered with an error, or the connection is closed.

GOOD_PORT = {"method": "packet-socket", "kind": "tun", "fds": 2}
GOOD_TRANSPORT = {
    "mode": "net_hdr",
    "medium": "sim",
    "wire": {"name": "c", "end": "a"},
    "protocol": {"reader": 1, "writer": 2},
}
GOOD_START = {"do": "start", "link": "x", "transport": GOOD_TRANSPORT, "mtu": 1500, "port": GOOD_PORT, "driver_fds": 3}
NOT_JSON = [float("inf"), float("nan")]
"""Python's own reader takes them all the same."""
ODD: list[Any] = [None, True, "", "x", "\0", [], [1], {}, {"a": 1}, -1, 0, 1.5, 2**40, 10**400, 1e308, *NOT_JSON]


def hostile_messages() -> Iterator[dict[str, Any]]:
    for odd in ODD:
        yield {"do": odd}
        for name in ("link", "transport", "mtu", "port", "driver_fds"):
            yield {**GOOD_START, name: odd}
        for name in GOOD_TRANSPORT:
            yield {**GOOD_START, "transport": {**GOOD_TRANSPORT, name: odd}}
        yield {**GOOD_START, "transport": {**GOOD_TRANSPORT, "protocol": {"reader": odd, "writer": odd}}}
        yield {**GOOD_START, "transport": {**GOOD_TRANSPORT, "wire": {"name": odd, "end": odd}}}
        yield {**GOOD_START, "transport": {**GOOD_TRANSPORT, "lines": {"out": odd, "in": odd}}}
        yield {**GOOD_START, "transport": {**GOOD_TRANSPORT, "code": {"name": "gpiosk", "interval_us": odd}}}
        for name in GOOD_PORT:
            yield {**GOOD_START, "port": {**GOOD_PORT, name: odd}}
        yield {"do": "attach", "child": odd, "port": GOOD_PORT}
        yield {"do": "attach", "child": "c", "port": odd}
        for method in ("packet-socket", "bpf-tcx", odd):
            yield {"do": "attach", "child": "c", "port": {"method": method, "kind": odd}}
        yield {"do": "detach", "child": odd}
        yield {"do": "bind", "child": odd, "mark": 7}
        yield {"do": "bind", "child": "c", "mark": odd}
        yield {"do": "unbind", "mark": odd}
        yield {"do": "mtu", "mtu": odd}
        yield {"do": "pmtu", "mark": 7, "bytes": odd}
        yield {"do": "pmtu", "mark": odd, "bytes": 1280}
        yield {"do": "del-pmtu", "mark": odd}
        yield {"do": "poll", "poll": [odd]}
        yield {"do": "poll", "poll": {"mode": odd}}
        yield {"do": "poll", "poll": {"idle_us": [odd]}}
        yield {"do": "record", "kinds": odd, "after": -1}
        yield {"do": "record", "kinds": [odd], "after": -1}
        yield {"do": "record", "kinds": ["frame"], "after": odd if odd not in (0, -1, 2**40) else -2}
        yield {"do": "debug", "level": odd or None}
    yield {}
    yield {"do": "start"}
    yield {"do": "attach"}
    yield {"do": "launch", "missiles": 3}
    for lines in ("", "0-2", "0-99", "7-0", "0-6,6", [-1], [0, "1"]):
        bundle = {"data": lines, "req": 8, "ack": 25}
        yield {**GOOD_START, "transport": {**GOOD_TRANSPORT, "lines": {"out": bundle, "in": bundle}}}


RAW = [b"\xff", b"{", b"[]", b"null", b'"stop"', b"[" * 50_000, b" ", b'{"do":"stop"', b"x" * 70_000]


def survive(datapath: Datapath) -> None:
    """Send it everything, with and without descriptors."""
    fds = [os.memfd_create("stray") for _ in range(3)]
    for message in hostile_messages():
        for count in (0, 2, 3):
            with datapath.connection() as sock:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds[:count]))] if count else []
                sock.sendmsg([json.dumps(message).encode()], rights)
                reply = sock.recv(70_000)
                assert reply, f"hung up on {message}"
                assert "error" in json.loads(reply), f"{message} with {count} descriptors: {reply!r}"
    for data in RAW:
        with datapath.connection() as sock:
            sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            assert sock.recv(70_000) == b""
    for fd in fds:
        os.close(fd)


def test_no_message_ends_a_process_that_has_not_been_started(fresh: Datapath) -> None:
    before = fresh.open_files()
    survive(fresh)
    assert fresh.alive
    assert fresh.open_files() == before


@pytest.mark.netns
def test_no_message_ends_a_running_process(running: Datapath) -> None:
    with port_of("child0") as (port, fds):
        running.ask("attach", fds, child="c", port=port)
    before, report = running.open_files(), running.ask("report")
    survive(running)
    assert running.alive
    assert running.open_files() == before
    after = running.ask("report")
    for name in ("link", "mtu", "transport", "epoch", "children", "marks_method"):
        assert after[name] == report[name]


@pytest.mark.netns
def test_descriptors_that_a_request_does_not_take_are_closed(running: Datapath) -> None:
    before = running.open_files()
    stray = os.memfd_create("stray")
    for _ in range(20):
        with running.connection() as sock:
            sock.sendmsg([b'{"do":"report"}'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [stray] * 5))])
            sock.recv(70_000)
    os.close(stray)
    assert running.open_files() == before


@pytest.mark.netns
def test_more_clients_than_there_is_room_for(running: Datapath) -> None:
    """Too many are turned away; when they are gone there is room again."""
    before = running.open_files()
    with ExitStack() as clients:
        for _ in range(40):
            clients.enter_context(running.connection())
        assert len(os.listdir(f"/proc/{running.process.pid}/fd")) <= before + 16
    eventually(lambda: answers(running))
    assert running.open_files() == before


def answers(datapath: Datapath) -> bool:
    """Whether there is room for one more client."""
    try:
        return bool(datapath.ask("report"))
    except (EOFError, OSError):
        return False


def ask_for_ever(sock: socket.socket) -> None:
    while True:
        sock.send(b'{"do":"report"}')


@pytest.mark.netns
def test_a_client_that_never_reads_is_hung_up(running: Datapath) -> None:
    before = running.open_files()
    with running.connection() as sock:
        sock.settimeout(30)
        with pytest.raises(ConnectionError):
            ask_for_ever(sock)
        assert running.ask("report")["link"] == "geth0"
    assert running.open_files() == before


@pytest.mark.netns
def test_several_clients_at_once(running: Datapath) -> None:
    with running.connection() as one, running.connection() as two:
        for sock in (one, two, one):
            assert ask(sock, {"do": "report"})["link"] == "geth0"


@pytest.mark.netns
def test_a_start_that_fails_can_be_repeated(fresh: Datapath, rundir: RunDir) -> None:
    before = fresh.open_files()
    with started_with("geth0", "a", rundir) as (message, fds):
        for wrong in (
            {"mtu": 0},
            {"port": {**message["port"], "method": "telepathy"}},
            {"driver_fds": 2},
            {"link": ""},
        ):
            with pytest.raises(GpiomuxError):
                fresh.ask("start", fds, **{**message, **wrong})
        with pytest.raises(GpiomuxError):
            fresh.ask("start", fds[::-1], **message)
        assert fresh.open_files() == before
        assert fresh.ask("start", fds, **message)["link"] == "geth0"
        with pytest.raises(GpiomuxError, match="runs link geth0 already"):
            fresh.ask("start", fds, **message)


# A link at work.


@pytest.mark.netns
def test_what_a_report_tells(running: Datapath, rundir: RunDir) -> None:
    report = running.ask("report")
    assert report["pid"] == running.process.pid
    assert (report["link"], report["mtu"], report["carrier"], report["peer"]) == ("geth0", 1500, False, None)
    assert report["reason"] == "no peer heard"
    assert report["children"] == []
    assert list(running.ask("stats")["interfaces"]) == ["geth0"]
    assert report["transport"]["mode"] == "net_hdr"
    assert rundir.wire("cable0").exists()


@pytest.mark.netns
def test_it_holds_no_privilege(running: Datapath) -> None:
    lines = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    assert [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")] == [0] * 4
    assert status["NoNewPrivs"].split() == ["1"]


@pytest.mark.netns
def test_packets_cross_the_wire(linked: tuple[Datapath, Datapath], kernel: dict[str, Packets]) -> None:
    for name in ("geth0", "geth1"):
        kernel[name] = Packets(name)
    for number in range(30):
        payload = bytes([number]) * (number * 49)
        kernel["geth0"].send(payload)
        kernel["geth1"].send(payload[::-1] + b"back")
        assert kernel["geth1"].receive() == payload
        assert kernel["geth0"].receive() == payload[::-1] + b"back"
    for datapath in linked:
        report = datapath.ask("report")
        assert report["reason"] == ""
        assert datapath.ask("stats")["interfaces"][report["link"]]["rx_packets"] >= 30


@pytest.mark.netns
def test_children_come_and_go_without_a_restart(linked: tuple[Datapath, Datapath], kernel: dict[str, Packets]) -> None:
    sender, receiver = linked
    kernel["geth0"] = Packets("geth0")
    before = receiver.open_files()
    for turn in range(3):
        with port_of("child0") as (port, fds):
            receiver.ask("attach", fds, child="child0", port=port)
        receiver.ask("bind", child="child0", mark=7)
        assert receiver.ask("report")["children"] == [{"name": "child0", "marks": [7]}]
        child, parent = Packets("child0"), Packets("geth1")
        kernel["geth0"].send(b"marked %d" % turn, mark=7)
        kernel["geth0"].send(b"plain %d" % turn)
        assert (child.receive(), parent.receive()) == (b"marked %d" % turn, b"plain %d" % turn)
        receiver.ask("unbind", mark=7)
        kernel["geth0"].send(b"again %d" % turn, mark=7)
        assert parent.receive() == b"again %d" % turn
        child.close()
        parent.close()
        receiver.ask("detach", child="child0")
        assert receiver.open_files() == before
    assert sender.ask("report")["counters"]["carrier_changes"] == 1


@pytest.mark.netns
def test_what_it_carries_can_be_recorded(linked: tuple[Datapath, Datapath], kernel: dict[str, Packets]) -> None:
    one, other = linked
    kernel["geth0"], kernel["geth1"] = Packets("geth0"), Packets("geth1")
    opened = [end.ask("record", kinds=["packet", "frame"], after=-1) for end in linked]
    assert [answer["transport"]["wire"]["end"] for answer in opened] == ["a", "b"]
    kernel["geth0"].send(b"hello there", mark=7)
    kernel["geth1"].receive()
    out, into = (
        end.ask("record", kinds=["frame", "packet"], after=answer["next"])
        for end, answer in zip((one, other), opened, strict=True)
    )
    (left,) = ([*record[3:7], b64decode(record[-1])[20:]] for record in out["records"] if record[2] == "packet")
    (came,) = ([*record[3:7], b64decode(record[-1])[20:]] for record in into["records"] if record[2] == "packet")
    assert left == ["out", "geth0", 7, 31, b"hello there"]
    assert came == ["in", "geth1", 7, 31, b"hello there"]
    data = [record[-1] for record in out["records"] if record[2:4] == ["frame", "out"] and record[-1].startswith("IA")]
    assert data
    assert set(data) <= {record[-1] for record in into["records"] if record[2:5] == ["frame", "in", ""]}
    assert "transport" not in out


@pytest.mark.netns
def test_debug_output_goes_where_errors_go(linked: tuple[Datapath, Datapath]) -> None:
    running, _ = linked
    assert running.ask("debug", level="") == {"level": "off"}
    assert running.ask("debug", level="frames") == {"level": "frames"}
    assert running.process.stderr is not None
    first = running.process.stderr.readline().decode()
    assert first.endswith(f" gpiomux-datapath[{running.process.pid}]: INFO: geth0: debug output: frames\n")
    hello = next(line for line in running.process.stderr if b" hello " in line)
    assert b" INFO: geth0: wire " in hello
    assert running.ask("debug", level="off") == {"level": "off"}


@pytest.mark.netns
def test_another_mtu(linked: tuple[Datapath, Datapath]) -> None:
    one, two = linked
    one.ask("mtu", mtu=1400)
    eventually(lambda: two.ask("report")["reason"] == "peer's mtu is 1400, this link's 1500")
    two.ask("mtu", mtu=1400)
    eventually(lambda: one.ask("report")["carrier"] and two.ask("report")["carrier"])
    assert (one.ask("report")["mtu"], one.ask("report")["peer"]["mtu"]) == (1400, 1400)


@pytest.mark.netns
@pytest.mark.parametrize("mtu", [0, 67, 65536, -1, "1500", None, 1500.5])
def test_an_mtu_that_cannot_be(running: Datapath, mtu: Any) -> None:
    with pytest.raises(GpiomuxError):
        running.ask("mtu", mtu=mtu)
    assert running.ask("report")["mtu"] == 1500


@pytest.mark.netns
def test_pmtus_and_polling_are_set_while_it_runs_and_reported(running: Datapath) -> None:
    for mark, limit in ((9, 1280), (7, 68), (7, 600)):
        running.ask("pmtu", mark=mark, bytes=limit)
    running.ask("poll", poll={"mode": "auto", "idle_us": 50})
    report = running.ask("report")
    assert (report["pmtu"], report["poll"]) == (
        [[7, 600], [9, 1280]],
        {"mode": "auto", "idle_us": 50, "budget": None},
    )
    running.ask("del-pmtu", mark=9)
    with pytest.raises(GpiomuxError, match="has no PMTU for mark 9"):
        running.ask("del-pmtu", mark=9)
    running.ask("poll", poll="busy")
    report = running.ask("report")
    assert (report["pmtu"], report["poll"]["mode"]) == ([[7, 600]], "busy")


@pytest.mark.netns
def test_a_report_of_all_pmtus_fits_into_a_message(running: Datapath) -> None:
    for mark in range(2**32 - MOST_PMTUS, 2**32):
        running.ask("pmtu", mark=mark, bytes=65535)
    with pytest.raises(GpiomuxError, match="has 1024 PMTUs already"):
        running.ask("pmtu", mark=1, bytes=65535)
    running.ask("pmtu", mark=2**32 - 1, bytes=600)
    assert len(running.ask("report")["pmtu"]) == MOST_PMTUS


@pytest.mark.netns
def test_a_killed_peer_is_followed_by_another(
    running: Datapath, rundir: RunDir, tmp_path: Path, kernel: dict[str, Packets]
) -> None:
    for turn in range(3):
        with Datapath(tmp_path / f"peer{turn}.sock") as peer:
            peer.start("geth1", "b", rundir)
            eventually(lambda: running.ask("report")["carrier"])
            eventually(lambda peer=peer: peer.ask("report")["carrier"])  # type: ignore[misc]
            kernel["geth0"], kernel["geth1"] = Packets("geth0"), Packets("geth1")
            kernel["geth0"].send(b"turn %d" % turn)
            assert kernel["geth1"].receive() == b"turn %d" % turn
            kernel.pop("geth0").close()
            kernel.pop("geth1").close()
        restarts = running.ask("report")["counters"]["peer_restarts"]
    eventually(lambda: not running.ask("report")["carrier"])
    assert running.ask("report")["reason"] == "peer silent"
    assert restarts <= 2


@pytest.mark.netns
def test_it_ends_when_asked_and_the_interface_stays(running: Datapath) -> None:
    assert running.ask("stop") == {}
    assert running.process.wait(30) == 0
    assert "geth0" in [name for _, name in socket.if_nameindex()]
