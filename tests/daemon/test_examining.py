"""The verb doctor: what the daemon's own process finds, and what it says of its record."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.load import load_file
from gpiomux.control.messages import Request
from gpiomux.daemon import examining, state_file
from gpiomux.daemon.record import Record
from gpiomux.errors import ConfigError, MachineError
from gpiomux.rundir import RunDir
from gpiomux.version import VERSION
from tests.plan.test_diff import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

TWO_LINKS = Request("doctor", {"text": EXAMPLES["two-links.yaml"].read_text(), "file": "two-links.yaml", "path": ""})
NO_FILE = Request("doctor", {"text": "", "file": "", "path": ""})


def record(rundir: RunDir) -> dict[str, str]:
    (found,) = (it for it in examining.answer(rundir, TWO_LINKS)["findings"] if it["subject"] == "record")
    return dict(found)


def test_who_has_looked_and_what_at(tmp_path: Path) -> None:
    answer = examining.answer(RunDir(tmp_path / "run"), TWO_LINKS)
    assert (answer["pid"], answer["user"], answer["version"]) == (os.getpid(), os.geteuid(), VERSION)
    assert list(dict.fromkeys(it["about"] for it in answer["findings"])) == ["machine", "geth0", "geth1"]
    assert not (tmp_path / "run").exists()
    alone = examining.answer(RunDir(tmp_path / "run"), NO_FILE)
    assert {it["about"] for it in alone["findings"]} == {"machine"}


def test_a_file_with_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        examining.answer(RunDir(tmp_path), Request("doctor", {"text": "links: 7", "file": "x", "path": ""}))


def test_the_record_of_what_is_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rundir = RunDir(tmp_path)
    assert (record(rundir)["state"], record(rundir)["cause"]) == ("ok", "nothing is applied")
    config = load_file(EXAMPLES["two-links.yaml"])
    state_file.save(rundir, Record(serial=1, base=config, config=config, cause="apply", file="x.yaml"))
    assert record(rundir)["cause"] == "2 links applied"
    rundir.state.write_text("{")
    assert (record(rundir)["state"], f"remove {rundir.state}" in record(rundir)["remedy"]) == ("problem", True)

    def refused(_: RunDir) -> Record:
        raise MachineError("cannot read it", errno=errno.EACCES)

    monkeypatch.setattr(state_file, "load", refused)
    assert (record(rundir)["state"], record(rundir)["remedy"]) == ("problem", "become root")
