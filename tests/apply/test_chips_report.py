"""The answer to the verb `chips`, on a fake kernel."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator.chip import Chips
from gpiomux.aggregator.node import Access
from gpiomux.apply import real_lines
from gpiomux.apply.chips_report import report_chips
from gpiomux.config.gathered import Gathered
from gpiomux.errors import MachineError
from gpiomux.rundir import RunDir
from tests.aggregator.fake_kernel import FakeKernel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """A machine with a link that has two lines, and others that hold or do not hold more."""
    fake = FakeKernel(tmp_path, monkeypatch)
    monkeypatch.setattr(real_lines, "Roots", lambda run: replace(fake.roots, run=run))
    fake.chip("soc", ["A", None, None, None])
    lines = (Gathered(key="soc", offset=2), Gathered(key="A", offset=None))
    real_lines.chips_of(RunDir(fake.roots.run)).make("g0", lines, None, Access())
    fake.hold("soc", 1, "kettle")
    fake.hold("gpio-aggregator.0", 1, "gpiomux-g0")
    return fake


def test_who_uses_which_line(kernel: FakeKernel) -> None:
    soc, made = report_chips(RunDir(kernel.roots.run), ["g0", "g1"])["chips"]
    assert (soc["label"], soc["node"], soc["link"]) == ("soc", str(kernel.roots.dev / "gpiochip0"), None)
    told = [(line["name"], line["used"], line["consumer"], line["link"]) for line in soc["lines"]]
    assert told == [
        ("A", True, "gpio-aggregator.0", "g0"),
        ("", True, "kettle", None),
        ("", True, "gpio-aggregator.0", "g0"),
        ("", False, "", None),
    ]
    assert (made["label"], made["link"]) == ("gpio-aggregator.0", "g0")
    assert [(line["consumer"], line["link"]) for line in made["lines"]] == [("", None), ("gpiomux-g0", "g0")]


def fail(number: int) -> object:
    def standing(_: Chips) -> None:
        raise MachineError("cannot", errno=number)

    return standing


def test_a_chip_that_hangs_hides_no_other(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chips, "standing", fail(errno.EBUSY))
    soc, made = report_chips(RunDir(kernel.roots.run), ["g0"])["chips"]
    assert [line["consumer"] for line in soc["lines"]] == ["gpio-aggregator.0", "kettle", "gpio-aggregator.0", ""]
    assert made["lines"][1]["link"] == "g0"


def test_any_other_trouble_is_told(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chips, "standing", fail(errno.EIO))
    with pytest.raises(MachineError, match="cannot"):
        report_chips(RunDir(kernel.roots.run), [])
