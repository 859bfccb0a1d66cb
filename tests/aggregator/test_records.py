"""Tests of `gpiomux.aggregator.records`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator.records import Record, forget, load_all, save
from gpiomux.config.gathered import Gathered
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

FULL = Record(
    link="geth0",
    lines=(Gathered(key="soc", offset=5, name="x"), Gathered(key="A", offset=None)),
    places=(("soc", 5), ("soc", 0)),
    before={"gpio-aggregator.0": 12},
    device="gpio-aggregator.1",
    inode=99,
)


def test_a_record_comes_back_whole(tmp_path: Path) -> None:
    bound = Record(link="geth1", device="door", bound=True, override="x", driver="y")
    for record in (bound, FULL):
        save(tmp_path / "chips", record)
    assert load_all(tmp_path / "chips") == [FULL, bound]


def test_the_directory_goes_with_the_last(tmp_path: Path) -> None:
    assert load_all(tmp_path / "chips") == []
    save(tmp_path / "chips", FULL)
    save(tmp_path / "chips", Record(link="geth1"))
    forget(tmp_path / "chips", "geth0")
    assert load_all(tmp_path / "chips") == [Record(link="geth1")]
    forget(tmp_path / "chips", "geth1")
    forget(tmp_path / "chips", "geth1")
    assert not (tmp_path / "chips").exists()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "geth0.json").write_text("{}")
    with pytest.raises(MachineError, match=r"geth0\.json is not a record of a chip"):
        load_all(tmp_path)
