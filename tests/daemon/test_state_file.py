"""The running configuration on disk: whole, or the one before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from gpiomux.config.load import load_file
from gpiomux.config.model import Config
from gpiomux.daemon.state_file import load, save
from gpiomux.errors import DaemonError, MachineError
from gpiomux.rundir import RunDir
from tests.plan.configs import configs

EXAMPLES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def test_nothing_was_saved(tmp_path: Path) -> None:
    assert load(RunDir(tmp_path / "nowhere")) == Config()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_survive(path: Path, tmp_path: Path) -> None:
    save(RunDir(tmp_path), load_file(path))
    assert load(RunDir(tmp_path)) == load_file(path)


@given(configs())
def test_any_configuration_survives(tmp_path_factory: pytest.TempPathFactory, config: Config) -> None:
    rundir = RunDir(tmp_path_factory.getbasetemp())
    save(rundir, config)
    assert load(rundir) == config


def test_the_last_one_counts_and_nothing_else_is_left(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    save(rundir, load_file(EXAMPLES[0]))
    save(rundir, Config())
    assert load(rundir) == Config()
    assert list(tmp_path.iterdir()) == [rundir.state]
    assert rundir.state.stat().st_mode & 0o777 == 0o600


def test_a_failure_leaves_the_one_before(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    save(rundir, load_file(EXAMPLES[0]))
    rundir.state.with_suffix(".new").mkdir()
    with pytest.raises(MachineError, match=r"cannot write .*state\.json: Is a directory"):
        save(rundir, Config())
    assert load(rundir) == load_file(EXAMPLES[0])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"format": 1}', '{"format": 1, "config": {"links": [{}]}}', "[" * 100_000]
)
def test_a_damaged_file_is_said_to_be(text: str, tmp_path: Path) -> None:
    RunDir(tmp_path).state.write_text(text)
    with pytest.raises(DaemonError, match="is damaged") as caught:
        load(RunDir(tmp_path))
    assert "remove" in caught.value.hint


def test_another_version_is_refused(tmp_path: Path) -> None:
    RunDir(tmp_path).state.write_text(json.dumps({"format": 99, "config": {"links": []}}))
    with pytest.raises(DaemonError, match="another version"):
        load(RunDir(tmp_path))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    RunDir(tmp_path).state.mkdir()
    with pytest.raises(MachineError, match="cannot read"):
        load(RunDir(tmp_path))
