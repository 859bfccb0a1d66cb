"""What whoever started the daemon hears from it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from gpiomux.control.client import READY_VARIABLE
from gpiomux.daemon.notify import Starter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end at which a starter listens; the other is named in the environment."""
    listening, saying = os.pipe()
    monkeypatch.setenv(READY_VARIABLE, str(saying))
    os.set_inheritable(saying, True)
    yield listening
    os.close(listening)


def heard(pipe: int) -> bytes:
    """All that was said; the end of it only comes when the other end is closed everywhere."""
    return b"".join(iter(lambda: os.read(pipe, 4096), b""))


def test_ready_is_said_once(pipe: int) -> None:
    starter = Starter()
    assert READY_VARIABLE not in os.environ
    starter.ready()
    starter.ready()
    starter.refused(b"too late\n")
    assert heard(pipe) == b"READY=1\n"


def test_a_refusal(pipe: int) -> None:
    starter = Starter()
    starter.refused(b"no\n")
    starter.ready()
    assert heard(pipe) == b"no\n"


def test_no_child_inherits_the_pipe(pipe: int) -> None:
    number = int(os.environ[READY_VARIABLE])
    starter = Starter()
    assert not os.get_inheritable(number)
    starter.ready()


def test_a_starter_that_has_gone_away(monkeypatch: pytest.MonkeyPatch) -> None:
    listening, saying = os.pipe()
    monkeypatch.setenv(READY_VARIABLE, str(saying))
    os.close(listening)
    Starter().ready()
    with pytest.raises(OSError):
        os.fstat(saying)


@pytest.mark.parametrize("value", ["", "x", "-1", "9999"])
def test_no_pipe(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READY_VARIABLE, value)
    Starter().ready()


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd(abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "@gpiomux-notify-test" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        starter = Starter()
        assert "NOTIFY_SOCKET" not in os.environ
        starter.ready()
        starter.stopping()
        assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_systemd_has_gone_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nowhere"))
    Starter().stopping()


@pytest.mark.parametrize(
    ("microseconds", "pid", "expected"),
    [
        ("180000000", "", 180.0),
        ("500", str(os.getpid()), 0.0005),
        ("500", str(os.getpid() + 1), None),
        ("0", "", None),
        ("x", "", None),
        ("", "", None),
    ],
)
def test_the_watchdog(microseconds: str, pid: str, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert Starter().watchdog_s == expected
    assert not {"WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)
