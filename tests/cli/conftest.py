"""A command line in a run directory of its own, with and without a daemon."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from gpiomux.cli.main import main
from gpiomux.rundir import VARIABLE, RunDir
from tests.cli.commands import ROOT, Outcome
from tests.cli.fake_daemon import FakeDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Run(Protocol):
    """Performs a command line."""

    def __call__(self, *words: str) -> Outcome: ...


@pytest.fixture
def rundir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """An empty run directory, which this process and its children use."""
    path = tmp_path / "run"
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # a daemon that a command starts finds this checkout, installed or not
    return RunDir(path)


@pytest.fixture(autouse=True)
def greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the time zone of the machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def daemon(rundir: RunDir) -> Iterator[FakeDaemon]:
    """A daemon that answers what the test puts into its `answers`."""
    fake = FakeDaemon(rundir)
    yield fake
    fake.stop()


@pytest.fixture
def run(rundir: RunDir, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Perform command lines in this process; its output and errors are no terminal."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # main sets its own

    def perform(*words: str) -> Outcome:
        capsys.readouterr()
        status = main(list(words))
        return Outcome(status, *capsys.readouterr())

    return perform
