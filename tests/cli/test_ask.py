"""gpiomux.cli.ask: who is asked."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from gpiomux.cli import ask
from gpiomux.errors import ConfigError, DaemonError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.rundir import RunDir
    from tests.cli.fake_daemon import FakeDaemon


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "links.yaml"
    path.write_bytes(b"links: []\r\n")
    assert ask.read_text(str(path)) == ("links: []\r\n", str(path))


def test_a_file_that_is_not_utf_8_is_a_fault_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "links.yaml"
    path.write_bytes(b"links:\n- \xff\n")
    with pytest.raises(ConfigError) as caught:
        ask.read_text(str(path))
    assert [(fault.line, fault.column) for fault in caught.value.faults] == [(2, 3)]


def test_a_file_that_is_not_there_is_a_wrong_command_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        ask.read_text(str(tmp_path / "links.yaml"))


def test_no_socket_means_no_daemon(rundir: RunDir) -> None:
    assert ask.running() is None


def test_a_socket_that_a_dead_daemon_left_means_no_daemon(rundir: RunDir) -> None:
    rundir.root.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(rundir.control_socket))
    assert ask.running() is None


def test_a_socket_that_cannot_be_reached_is_an_error(rundir: RunDir) -> None:
    rundir.root.write_text("no directory")
    with pytest.raises(DaemonError, match="Not a directory"):
        ask.running()


def test_a_running_daemon_is_asked(daemon: FakeDaemon) -> None:
    daemon.answers["status"] = {"links": []}
    assert ask.read("status") == {"links": []}
    assert [request.verb for request in daemon.requests] == ["status"]
