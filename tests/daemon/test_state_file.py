"""What the next daemon has to know, on disk: whole, or as it was before."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpiomux.config.load import load_file
from gpiomux.config.plain import config_to_plain
from gpiomux.daemon import state_file
from gpiomux.daemon.record import Pending, Record
from gpiomux.daemon.state_file import HISTORY, Intent, load, save
from gpiomux.errors import DaemonError, MachineError
from gpiomux.rundir import RunDir
from tests.plan.configs import configs

EXAMPLES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))

TEXTS = st.text(st.characters(codec="utf-8"), max_size=10)
SECONDS = st.floats(min_value=0, max_value=2e9)
RECORDS = st.builds(
    Record,
    serial=st.integers(min_value=0, max_value=2**40),
    base=configs(),
    config=configs(),
    cause=st.sampled_from(("apply", "down", "rollback", "revert")),
    file=TEXTS,
    path=TEXTS,
    applied_at_s=SECONDS,
    applied_by=TEXTS,
    pending=st.none() | st.builds(Pending, token=TEXTS, deadline_s=SECONDS),
)


def record(path: Path, serial: int = 1) -> Record:
    config = load_file(path)
    return Record(serial=serial, base=config, config=config, cause="apply", file=path.name)


def test_nothing_was_saved(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path / "nowhere")
    assert load(rundir) == Record()
    assert state_file.history(rundir, 7) == []
    assert state_file.begun(rundir) is None


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_survive(path: Path, tmp_path: Path) -> None:
    save(RunDir(tmp_path), record(path))
    assert load(RunDir(tmp_path)) == record(path)


@given(RECORDS)
def test_any_record_survives(tmp_path_factory: pytest.TempPathFactory, record: Record) -> None:
    rundir = RunDir(tmp_path_factory.getbasetemp())
    save(rundir, record)
    assert load(rundir) == record


def test_the_last_one_counts_and_nothing_else_is_left(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    save(rundir, record(EXAMPLES[0]))
    save(rundir, Record())
    assert load(rundir) == Record()
    assert list(tmp_path.iterdir()) == [rundir.state]
    assert rundir.state.stat().st_mode & 0o777 == 0o600


def test_a_failure_leaves_the_one_before(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    save(rundir, record(EXAMPLES[0]))
    rundir.state.with_suffix(".new").mkdir()
    with pytest.raises(MachineError, match=r"cannot write .*state\.json: Is a directory"):
        save(rundir, Record())
    assert load(rundir) == record(EXAMPLES[0])


def test_what_finds_no_room_takes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the draft would keep the run directory from being removed when all is down."""

    def refuse(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    rundir = RunDir(tmp_path)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        with pytest.raises(MachineError, match=r"cannot write .*1\.json: No space left on device") as caught:
            state_file.keep(rundir, record(EXAMPLES[0]))
    assert caught.value.hint == f"make room on the file system of {rundir.history}"
    assert list(rundir.history.iterdir()) == []
    state_file.forget(rundir)
    assert list(tmp_path.iterdir()) == []


def test_the_first_format_is_read(tmp_path: Path) -> None:
    config = load_file(EXAMPLES[0])
    RunDir(tmp_path).state.write_text(json.dumps({"format": 1, "config": config_to_plain(config)}))
    assert load(RunDir(tmp_path)) == Record(serial=1, base=config, config=config, cause="apply")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"format": 1}',
        '{"format": 1, "config": {"links": [{}]}}',
        '{"format": 2, "config": {"links": []}}',
        '{"format": 2, "config": {"links": 7}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_said_to_be(text: str, tmp_path: Path) -> None:
    RunDir(tmp_path).state.write_text(text)
    with pytest.raises(DaemonError, match="is damaged") as caught:
        load(RunDir(tmp_path))
    assert "gpiomux down --all" in caught.value.hint


def test_another_version_is_refused(tmp_path: Path) -> None:
    RunDir(tmp_path).state.write_text(json.dumps({"format": 99, "config": {"links": []}}))
    with pytest.raises(DaemonError, match="another version"):
        load(RunDir(tmp_path))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    RunDir(tmp_path).state.mkdir()
    with pytest.raises(MachineError, match="cannot read"):
        load(RunDir(tmp_path))


def test_history_is_newest_first_and_holds_ten(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    records = [record(EXAMPLES[serial % len(EXAMPLES)], serial) for serial in range(1, 15)]
    for each in records:
        state_file.keep(rundir, each)
    assert state_file.history(rundir, 15) == records[: -HISTORY - 1 : -1]
    assert len(list(rundir.history.iterdir())) == HISTORY == 10


def test_history_passes_over_what_has_not_become_true(tmp_path: Path) -> None:
    """The running record is kept before its successor is tried; if that fails, it runs on."""
    rundir = RunDir(tmp_path)
    first, second = record(EXAMPLES[0], 1), record(EXAMPLES[1], 2)
    state_file.keep(rundir, first)
    state_file.keep(rundir, second)
    assert state_file.history(rundir, 2) == [first]
    (rundir.history / "notes.txt").write_text("mine")
    (rundir.history / "x.json").write_text("mine")
    assert state_file.history(rundir, 3) == [second, first]
    state_file.keep(rundir, replace(second, file="again.yaml"))
    assert [it.file for it in state_file.history(rundir, 3)] == ["again.yaml", first.file]


def test_damaged_history_is_told(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    state_file.keep(rundir, record(EXAMPLES[0], 1))
    (rundir.history / "1.json").write_text("{")
    with pytest.raises(DaemonError, match=r"1\.json is damaged") as caught:
        state_file.history(rundir, 2)
    assert caught.value.hint == f"remove {rundir.history / '1.json'}"


@pytest.mark.parametrize("deadline_s", [None, 12.5])
def test_a_change_that_has_begun(deadline_s: float | None, tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    intent = Intent(namespaces=("far", "near"), deadline_s=deadline_s)
    state_file.begin(rundir, intent)
    assert state_file.begun(rundir) == intent
    state_file.end(rundir)
    state_file.end(rundir)
    assert state_file.begun(rundir) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"namespaces": 7, "deadline_s": null}'])
def test_a_damaged_intent_is_told(text: str, tmp_path: Path) -> None:
    RunDir(tmp_path).intent.write_text(text)
    with pytest.raises(DaemonError, match=r"intent\.json is damaged"):
        state_file.begun(RunDir(tmp_path))


def test_all_of_it_is_forgotten(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    save(rundir, record(EXAMPLES[0], 2))
    state_file.keep(rundir, record(EXAMPLES[0], 1))
    state_file.begin(rundir, Intent(namespaces=()))
    state_file.forget(rundir)
    state_file.forget(rundir)
    assert list(tmp_path.iterdir()) == []
