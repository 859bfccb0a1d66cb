"""Answering one client where no daemon runs."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.load import load_file
from gpiomux.config.plain import config_to_plain
from gpiomux.control.client import Client
from gpiomux.control.messages import VERBS
from gpiomux.daemon import oneshot, state_file
from gpiomux.daemon.record import Record
from gpiomux.errors import ConfigError, DaemonError, ProtocolError
from gpiomux.rundir import RunDir
from tests.plan.test_diff import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def asked(rundir: RunDir) -> Iterator[tuple[Client, socket.socket]]:
    """A client of a one-shot that runs in a thread, and the client's socket."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=oneshot.answer, args=(rundir, theirs.detach()))
    thread.start()
    with Client(ours) as client:
        yield client, ours
    thread.join()


def test_several_questions_and_nothing_is_made(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path / "run")
    with asked(rundir) as (client, _):
        assert client.ask("show") == {"config": {"links": []}, "overlay": [], "path": ""}
        status = client.ask("status")
        assert (status["daemon"], status["links"], status["applied"]["half_done"]) == (None, [], False)
        assert client.ask("history") == {"records": []}
        assert client.ask("stats") == {"links": []}
    assert not rundir.root.exists()


def test_what_a_daemon_left(tmp_path: Path) -> None:
    config = load_file(EXAMPLES["two-links.yaml"])
    state_file.save(RunDir(tmp_path), Record(serial=1, base=config, config=config, cause="apply", file="x.yaml"))
    with asked(RunDir(tmp_path)) as (client, _):
        assert client.ask("show")["config"] == config_to_plain(config)
        assert client.ask("status")["applied"]["file"] == "x.yaml"
        assert [link["datapath"]["state"] for link in client.ask("status")["links"]] == ["failed", "failed"]


@pytest.mark.parametrize("verb", ["apply", "down", "add-child", "del-child", "add-mark", "del-mark"])
def test_what_would_change_something_is_refused(verb: str, tmp_path: Path) -> None:
    values = {str: "geth0", int: 7, list: [], bool: False}
    args = {name: values[kind] for name, kind in VERBS[verb].items()} | ({"path": ""} if verb == "apply" else {})
    with asked(RunDir(tmp_path)) as (client, _), pytest.raises(DaemonError, match=f"{verb} needs gpiomuxd"):
        client.ask(verb, args)


def test_faults_of_a_text_are_told(tmp_path: Path) -> None:
    with asked(RunDir(tmp_path)) as (client, _):
        with pytest.raises(ConfigError) as caught:
            client.ask("plan", {"text": "links: 7", "file": "mine.yaml"})
        assert caught.value.faults[0].file == "mine.yaml"
        assert client.ask("show")["config"] == {"links": []}


def test_rubbish_is_refused(tmp_path: Path) -> None:
    with asked(RunDir(tmp_path)) as (client, sock):
        sock.sendall(b"rubbish\n")
        with pytest.raises(ProtocolError):
            client.ask("show")


@pytest.mark.netns
def test_plan(tmp_path: Path) -> None:
    text = EXAMPLES["two-links.yaml"].read_text()
    with asked(RunDir(tmp_path / "run")) as (client, _):
        answer = client.ask("plan", {"text": text, "file": "two-links.yaml"})
    assert {"sign": "+", "kind": "netns", "name": "far", "text": "+ network namespace far"} in answer["operations"]
    assert answer["notes"] == []
    assert not (tmp_path / "run").exists()
