"""Asking all datapaths at once: what one does, or does not do, is of no matter to the others."""

from __future__ import annotations

import errno
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.apply.datapaths import MOST_ANSWERS, Datapaths
from gpiomux.apply.reports import report_all
from gpiomux.control import packets
from gpiomux.errors import MachineError
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORT = {"pid": 7, "marks_method": "bpf-tcx"}
NEVER_S = 0.05
"""Long enough where nobody will ever answer."""


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    rundir = RunDir(tmp_path)
    rundir.links.mkdir()
    return rundir


@contextmanager
def listening(rundir: RunDir, link: str, backlog: int = 4) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.bind(str(rundir.datapath_socket(link)))
        sock.listen(backlog)
        yield sock


@contextmanager
def answering(rundir: RunDir, link: str, reply: dict[str, Any] | None) -> Iterator[None]:
    """A datapath that gives one answer, or hangs up."""

    def answer() -> None:
        connection, _ = sock.accept()
        with connection:
            assert packets.receive(connection)[0] == {"do": "report"}
            if reply is not None:
                packets.send(connection, reply)

    with listening(rundir, link) as sock:
        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()


def test_nothing_runs(tmp_path: Path) -> None:
    assert report_all(RunDir(tmp_path / "nowhere")) == {}


def test_all_kinds_at_once(rundir: RunDir) -> None:
    (rundir.links / "notes.txt").write_text("mine")
    with listening(rundir, "dead"):
        pass  # its socket stays, as that of a process that was killed
    refusal = {"error": {"message": "has not been started", "hint": ""}}
    with ExitStack() as stack:
        for link, reply in (("good", {"ok": REPORT}), ("unstarted", refusal), ("rude", None)):
            stack.enter_context(answering(rundir, link, reply))
        reports = report_all(rundir)
    assert list(reports) == ["dead", "good", "rude", "unstarted"]
    assert reports["good"] == {**REPORT, "marks_limits": ""}
    assert (reports["dead"], reports["rude"], reports["unstarted"]) == (None, None, None)


def test_one_that_does_not_answer_is_told_and_the_others_too(rundir: RunDir) -> None:
    with listening(rundir, "deaf"), answering(rundir, "good", {"ok": REPORT}):
        reports = report_all(rundir, patience_s=1.0)
    silent = reports["deaf"]
    assert isinstance(silent, MachineError)
    assert (silent.errno, silent.message) == (errno.ETIMEDOUT, "datapath of deaf does not answer")
    assert "gpiomux restart deaf" in silent.hint
    assert reports["good"] == {**REPORT, "marks_limits": ""}


def test_one_whose_queue_is_full_is_silent_at_once(rundir: RunDir) -> None:
    """The kernel lets nobody wait in line at a process that takes nobody off the line."""
    with listening(rundir, "deaf", backlog=0):
        answers = [report_all(rundir, patience_s=NEVER_S)["deaf"] for _ in range(4)]
    assert [isinstance(it, MachineError) and it.errno == errno.ETIMEDOUT for it in answers] == [True] * 4


def test_a_directory_that_cannot_be_read(tmp_path: Path) -> None:
    RunDir(tmp_path).links.write_text("no directory")
    with pytest.raises(MachineError, match="cannot read") as caught:
        report_all(RunDir(tmp_path))
    assert caught.value.errno == errno.ENOTDIR


@contextmanager
def counting(rundir: RunDir, pages: list[dict[str, Any]], asked: list[dict[str, Any]]) -> Iterator[None]:
    """A datapath that answers one page after the other, and the last one for ever."""

    def answer() -> None:
        with suppress(OSError):
            while True:
                connection, _ = sock.accept()
                with connection:
                    asked.append(packets.receive(connection)[0])
                    packets.send(connection, {"ok": pages[min(len(asked), len(pages)) - 1]})

    with listening(rundir, "geth0") as sock:
        thread = threading.Thread(target=answer)
        thread.start()
        yield
        sock.shutdown(socket.SHUT_RDWR)
        thread.join()


PAGES: list[dict[str, Any]] = [
    {"counters": {"rx_packets": 7}, "interfaces": {"geth0": {"rx_packets": 1}, "c1": {"rx_packets": 2}}, "next": 2},
    {"interfaces": {"c2": {"rx_packets": 3}}, "next": 3},
    {"interfaces": {"c3": {"rx_packets": 4}}, "next": None},
]
WHOLE = {
    "counters": {"rx_packets": 7},
    "interfaces": {name: {"rx_packets": number} for number, name in enumerate(("geth0", "c1", "c2", "c3"), 1)},
}


@pytest.mark.parametrize("message", [{"do": "stats", "total": True}, {"do": "reset-stats"}])
def test_what_many_interfaces_have_counted_comes_in_turns(rundir: RunDir, message: dict[str, Any]) -> None:
    asked: list[dict[str, Any]] = []
    with counting(rundir, PAGES, asked):
        assert Datapaths(rundir).ask_counters("geth0", message) == WHOLE
    assert asked == [message, {**message, "first": 2}, {**message, "first": 3}]


def test_of_all_datapaths_too(rundir: RunDir) -> None:
    with counting(rundir, PAGES, []):
        assert Datapaths(rundir).counted(total=True) == {"geth0": WHOLE}


def test_who_never_comes_to_an_end_is_asked_no_more(rundir: RunDir) -> None:
    asked: list[dict[str, Any]] = []
    with counting(rundir, PAGES[:2], asked):
        found = Datapaths(rundir).counted(total=True)["geth0"]
    assert isinstance(found, MachineError)
    assert str(found) == "datapath of geth0 tells of interfaces without end"
    assert len(asked) == MOST_ANSWERS + 1
