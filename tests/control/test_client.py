"""Asking: answers and errors come out as they went in, and a daemon that is not there is said to be."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.control import client as client_module
from gpiomux.control.client import Client, connect, connect_to, one_shot, start_daemon
from gpiomux.control.messages import (
    Failure,
    Progress,
    Reply,
    Request,
    Result,
    decode_request,
    encode_reply,
)
from gpiomux.errors import ConfigError, DaemonError, Fault, MachineError, ProtocolError
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULT = Fault(file="f.yaml", line=3, column=5, path="links[0].mtu", message="is too small")


@pytest.fixture
def rundir() -> Iterator[RunDir]:
    """A run directory with a short path; a test that leaves something in it fails."""
    root = Path("/run/client-test")
    yield RunDir(root)
    with contextlib.suppress(FileNotFoundError):
        root.rmdir()


@contextlib.contextmanager
def answered(request: Request, *replies: Reply) -> Iterator[Client]:
    """A client whose daemon expects `request`, answers with `replies` and goes away."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with theirs, theirs.makefile("rb") as lines:
            assert decode_request(lines.readline()) == request
            for reply in replies:
                theirs.sendall(encode_reply(reply))

    thread = threading.Thread(target=answer)
    thread.start()
    with Client(ours) as client:
        yield client
    thread.join()


SHOW = Request("show", {})


def test_result() -> None:
    with answered(SHOW, Result({"config": {"links": []}})) as client:
        assert client.ask("show") == {"config": {"links": []}}


def test_who_is_told_how_long_to_wait_waits_no_longer(rundir: RunDir) -> None:
    rundir.root.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(rundir.control_socket))
        listening.listen()
        with connect_to(str(rundir.control_socket), 0.05) as client:
            with pytest.raises(DaemonError, match="gpiomuxd does not answer"):
                client.ask("show")
    rundir.control_socket.unlink()


def test_progress() -> None:
    steps: list[dict[str, Any]] = []
    request = Request("down", {"links": ["geth0"], "all": False})
    with answered(request, Progress(0, 2, "- a"), Progress(1, 2, "- b"), Result({})) as client:
        assert client.ask("down", {"links": ["geth0"], "all": False}, steps.append) == {}
    assert steps == [{"done": 0, "total": 2, "operation": "- a"}, {"done": 1, "total": 2, "operation": "- b"}]


def test_progress_without_anybody_to_tell() -> None:
    with answered(SHOW, Progress(0, 1, "- a"), Result({})) as client:
        assert client.ask("show") == {}


def test_errors_are_raised_as_they_were() -> None:
    with answered(SHOW, Failure(ConfigError((FAULT,)))) as client, pytest.raises(ConfigError) as caught:
        client.ask("show")
    assert caught.value.faults == (FAULT,)
    with (
        answered(SHOW, Failure(MachineError("geth0: no", errno=16, hint="wait"))) as client,
        pytest.raises(MachineError) as refused,
    ):
        client.ask("show")
    assert (refused.value.errno, refused.value.hint) == (16, "wait")


def test_a_daemon_that_goes_away() -> None:
    with (
        answered(SHOW, Progress(0, 1, "+ a")) as client,
        pytest.raises(DaemonError, match="went away before it answered"),
    ):
        client.ask("show")


def test_a_daemon_that_went_away_before_the_question() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with Client(ours) as client, pytest.raises(DaemonError, match="went away before it answered"):
        client.ask("show")


def test_what_a_refusing_daemon_said_is_heard() -> None:
    """It has closed the connection by the time we write."""
    ours, theirs = socket.socketpair()
    theirs.sendall(encode_reply(Failure(MachineError("not for you", errno=1))))
    theirs.close()
    with Client(ours) as client, pytest.raises(MachineError, match="not for you"):
        client.ask("show")


def test_rubbish_from_the_daemon() -> None:
    ours, theirs = socket.socketpair()
    with theirs, Client(ours) as client:
        theirs.sendall(b"rubbish\n")
        with pytest.raises(ProtocolError):
            client.ask("show")


ENDING = """
import socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
listener.listen()
connection, _ = listener.accept()
connection.makefile("rb").readline()
connection.sendall(b'{"result": {}, "ending": true}\\n')
connection.shutdown(socket.SHUT_RDWR)
sys.stdin.read()
"""
"""A daemon that says it is ending, hangs up, and ends when its standard input does."""


def test_an_ending_daemon_is_waited_for(rundir: RunDir) -> None:
    rundir.root.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(rundir.control_socket))
        command = [sys.executable, "-c", ENDING, str(listener.fileno())]
        daemon = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(listener.fileno(),))
    _wait_for(lambda: _answers(rundir))
    answered = threading.Event()

    def ask() -> None:
        with connect(rundir) as client:
            client.ask("down", {"links": []})
        answered.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert not answered.wait(0.05)
    with daemon:
        pass  # closes its standard input and waits
    asking.join()
    assert answered.is_set()
    rundir.control_socket.unlink()


def test_a_daemon_that_has_ended_already_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int) -> int:
        raise ProcessLookupError

    monkeypatch.setattr(os, "pidfd_open", gone)
    with answered(SHOW, Result({}, ending=True)) as client:
        assert client.ask("show") == {}


def test_in_another_process_namespace_the_end_of_the_connection_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(struct, "unpack", lambda format, data: (0, 0, 0))
    with answered(SHOW, Result({}, ending=True)) as client:
        assert client.ask("show") == {}


def test_nobody_there(rundir: RunDir) -> None:
    with pytest.raises(DaemonError, match="gpiomuxd is not running") as caught:
        connect(rundir)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_dead_socket(rundir: RunDir) -> None:
    rundir.root.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(rundir.control_socket))
    with pytest.raises(DaemonError, match="gpiomuxd is not running") as caught:
        connect(rundir)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    rundir.control_socket.unlink()


def test_a_path_that_is_too_long() -> None:
    with pytest.raises(DaemonError, match="too long"):
        connect(RunDir(Path("/run") / ("x" * 120)))


@pytest.fixture
def fake_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python program that is started in place of gpiomuxd; the test writes it."""
    program = tmp_path / "fake.py"
    monkeypatch.setattr(client_module, "_command", lambda *options: [sys.executable, str(program), *options])
    return program


def test_one_shot(rundir: RunDir, fake_program: Path) -> None:
    fake_program.write_text(
        "import os, socket, sys\n"
        "sock = socket.socket(fileno=int(sys.argv[2]))\n"
        "for line in sock.makefile('rb'):\n"
        '    sock.sendall(b\'{"result": {"run": "%s"}}\\n\' % os.environ[\'GPIOMUX_RUN_DIR\'].encode())\n'
    )
    with one_shot(rundir) as client:
        assert client.ask("show") == {"run": str(rundir.root)}
        assert client.ask("show") == {"run": str(rundir.root)}


def test_a_one_shot_that_dies_leaves_its_last_words(rundir: RunDir, fake_program: Path) -> None:
    fake_program.write_text("import sys\nsys.exit('out of luck')\n")
    with one_shot(rundir) as client, pytest.raises(DaemonError, match="before it answered: out of luck"):
        client.ask("show")


def test_start(rundir: RunDir, fake_program: Path) -> None:
    fake_program.write_text(
        "import os, sys, time\n"
        "assert sys.argv[1:] == ['--exit-when-idle']\n"
        "print('in its log')\n"
        "assert os.getsid(0) == os.getpid()\n"
        "os.write(int(os.environ['GPIOMUX_READY_FD']), b'READY=1\\n')\n"
    )
    start_daemon(rundir)
    # It ends by itself; the end of its standard output is when the log is complete.
    _wait_for(lambda: rundir.log.read_text() == "in its log\n")
    rundir.log.unlink()


def test_start_that_is_refused(rundir: RunDir, fake_program: Path) -> None:
    line = encode_reply(Failure(MachineError("may not", errno=1, hint="be root")))
    fake_program.write_text(f"import os\nos.write(int(os.environ['GPIOMUX_READY_FD']), {line!r})\n")
    with pytest.raises(MachineError, match="may not") as caught:
        start_daemon(rundir)
    assert caught.value.hint == "be root"
    assert not rundir.root.exists()


def test_start_that_dies_says_what_its_log_says(rundir: RunDir, fake_program: Path) -> None:
    fake_program.write_text("import sys\nsys.exit('out of luck')\n")
    with pytest.raises(DaemonError, match="gpiomuxd did not start: out of luck"):
        start_daemon(rundir)
    assert not rundir.root.exists()


def test_start_that_lost_the_race_is_a_start(rundir: RunDir, fake_program: Path) -> None:
    fake_program.write_text("import sys\nsys.exit('another gpiomuxd runs')\n")
    rundir.root.mkdir()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(rundir.control_socket))
        other.listen()
        start_daemon(rundir)
    rundir.control_socket.unlink()
    rundir.log.unlink()


def test_start_where_no_directory_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DaemonError, match="cannot start gpiomuxd"):
        start_daemon(RunDir(tmp_path / "file" / "run"))


def test_importing_the_client_costs_little() -> None:
    """What costs time is imported where it is used: a command that finds a daemon needs none of it."""
    code = "import sys, gpiomux.control.client; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "subprocess", "tempfile", "pyroute2", "jsonschema", "yaml"} & set(modules)


def _wait_for(condition: Any) -> None:
    """Until `condition` holds; a hang is ended by the run's own limit."""
    while not condition():
        time.sleep(0.005)


def _answers(rundir: RunDir) -> bool:
    """Whether somebody listens; looks without connecting, which would be the one connection that is answered."""
    listing = Path("/proc/net/unix").read_text().splitlines()
    accepting = "00010000"  # __SO_ACCEPTCON in the column of flags
    return any(line.endswith(str(rundir.control_socket)) and line.split()[3] == accepting for line in listing)
