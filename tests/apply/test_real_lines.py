"""Real lines before a plan is begun, on a fake kernel: what is not there, who has it, and what is ours already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator.node import Access
from gpiomux.aggregator.roots import DOOR
from gpiomux.apply import real_lines
from gpiomux.apply.real_lines import chips_of, node_of, require_lines
from gpiomux.config.gathered import consumer, gathered
from gpiomux.config.model import Bundle, GpioMedium, Lines, LineSource, Mode, ProtocolIds, Transport
from gpiomux.errors import ConflictError, MachineError, UnsupportedError
from gpiomux.plan.diff import make_plan
from gpiomux.plan.observed import Observed
from gpiomux.plan.state import Chip, Datapath, Resource
from gpiomux.rundir import RunDir
from tests.aggregator.fake_kernel import FakeKernel

if TYPE_CHECKING:
    from pathlib import Path

OUT, INTO = Bundle(data=(0,), req=1, ack=2), Bundle(data=(3,), req=4, ack=5)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """A machine with GPIO, where everything looks for it."""
    fake = FakeKernel(tmp_path, monkeypatch)
    fake.chip("soc", [f"S{offset}" for offset in range(16)])
    fake.chip("expander", [f"E{offset}" for offset in range(8)])
    fake.roots.gpio.mkdir(parents=True)
    monkeypatch.setattr(real_lines, "Roots", lambda run: replace(fake.roots, run=run))
    monkeypatch.delenv(DOOR, raising=False)
    return fake


@pytest.fixture
def rundir(kernel: FakeKernel) -> RunDir:
    return RunDir(kernel.roots.run)


def of_soc(*offsets: int) -> Lines:
    return Lines(sources=(LineSource(chip="soc", offsets=offsets),), out=OUT, into=INTO)


def named(*names: str) -> Lines:
    return Lines(sources=tuple(LineSource(name=name) for name in names), out=OUT, into=INTO)


def chip(link: str, lines: Lines) -> Chip:
    return Chip(link=link, lines=gathered(link, lines))


def bare(link: str, lines: Lines) -> Datapath:
    """A link without aggregator."""
    transport = Transport(
        mode=Mode.RAW,
        protocol=ProtocolIds(reader=1, writer=2),
        medium=GpioMedium(),
        lines=replace(lines, aggregate=False),
    )
    return Datapath(link=link, transport=transport)


def require(rundir: RunDir, *wanted: Resource, had: Resource | None = None) -> None:
    """What is said of a plan that leads from what there is to what is wanted."""
    observed = Observed(state=frozenset() if had is None else frozenset({had}))
    require_lines(make_plan(wanted, observed), wanted, rundir)


@pytest.mark.parametrize("door", ["Configfs", "gpio", "configfs,sysfs", " "])
def test_a_door_that_does_not_exist(rundir: RunDir, monkeypatch: pytest.MonkeyPatch, door: str) -> None:
    monkeypatch.setenv(DOOR, door)
    with pytest.raises(UnsupportedError) as caught:
        chips_of(rundir)
    assert caught.value.message == f"GPIOMUX_AGGREGATOR is {door!r}"
    assert caught.value.hint == "expected configfs or sysfs, or nothing"


@pytest.mark.parametrize(("door", "chosen"), [("sysfs", "sysfs"), ("configfs", "configfs"), ("", "configfs")])
def test_doors_that_exist(rundir: RunDir, monkeypatch: pytest.MonkeyPatch, door: str, chosen: str) -> None:
    monkeypatch.setenv(DOOR, door)
    assert chips_of(rundir).door() == chosen


def test_lines_that_are_there(rundir: RunDir) -> None:
    require(rundir, chip("g0", of_soc(*range(6))), chip("g1", of_soc(*range(6, 12))), bare("g2", of_soc(15)))


def test_a_plan_without_real_lines_needs_no_gpio(kernel: FakeKernel, rundir: RunDir) -> None:
    kernel.roots.gpio.rmdir()
    require(rundir)
    with pytest.raises(UnsupportedError, match="this kernel has no GPIO"):
        require(rundir, chip("g0", of_soc(0)))


def test_all_that_is_missing_is_told_at_once(rundir: RunDir) -> None:
    with pytest.raises(UnsupportedError) as caught:
        require(rundir, chip("g0", of_soc(0, 16)), chip("g1", named("S1", "nosuch")))
    assert caught.value.message == ("link g0: chip soc has no line 16, only 0..15; link g1: no line is named nosuch")
    assert caught.value.hint == "`gpiomux chips` shows what there is"


def test_lines_that_somebody_has(kernel: FakeKernel, rundir: RunDir) -> None:
    kernel.hold("soc", 3, "kettle")
    with pytest.raises(ConflictError) as caught:
        require(rundir, chip("g0", of_soc(2, 3)), bare("g1", of_soc(3)))
    assert caught.value.message == "; ".join(
        f"link {link}: line 3 of chip soc is in use by kettle" for link in ("g0", "g1")
    )


def test_a_line_that_two_links_take_under_two_names(rundir: RunDir) -> None:
    for second in (chip("g1", named("S3")), bare("g1", of_soc(3))):
        with pytest.raises(ConflictError, match="line 3 of chip soc is taken by g0 and by g1"):
            require(rundir, chip("g0", of_soc(2, 3)), second)


def test_lines_of_a_chip_that_will_be_made_anew_are_free(rundir: RunDir) -> None:
    """But those of a link that stays are not."""
    old, new = chip("g0", of_soc(0, 1)), chip("g0", of_soc(1, 2))
    chips_of(rundir).make("g0", old.lines, None, Access())
    require(rundir, new, had=old)
    with pytest.raises(ConflictError, match=r"line 1 of chip soc is in use by gpio-aggregator\.0"):
        require(rundir, old, chip("g1", of_soc(1)), had=old)


def test_sources_are_looked_at_again_each_time(kernel: FakeKernel, rundir: RunDir) -> None:
    """Line names move when a chip comes again with others."""
    wanted = chip("g0", named("S3"))
    require(rundir, wanted)
    kernel.rename("soc", 3, "elsewhere")
    with pytest.raises(UnsupportedError, match="link g0: no line is named S3"):
        require(rundir, wanted)
    kernel.rename("expander", 1, "S3")
    require(rundir, wanted)
    kernel.rename("soc", 9, "S3")
    with pytest.raises(UnsupportedError, match=r"there is more than one line S3: .*gpiochip0 \(soc\), .*gpiochip1"):
        require(rundir, wanted)


def test_a_device_that_is_not_there(kernel: FakeKernel, rundir: RunDir) -> None:
    door = Chip(link="g0", lines=(), device="door")
    with pytest.raises(UnsupportedError, match="there is no device door in "):
        require(rundir, door)
    kernel.platform_device("door")
    require(rundir, door)


def test_a_door_that_is_not_there(kernel: FakeKernel, rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.roots.groups.rmdir()
    require(rundir, chip("g0", of_soc(0)))
    monkeypatch.setenv(DOOR, "configfs")
    with pytest.raises(UnsupportedError, match="gpio-aggregator has no door in configfs"):
        require(rundir, chip("g0", of_soc(0)))


def test_the_node_that_a_link_runs_on(kernel: FakeKernel, rundir: RunDir) -> None:
    with pytest.raises(MachineError, match="link g0 has no chip"):
        node_of("g0", of_soc(0), rundir)
    made = chips_of(rundir).make("g0", gathered("g0", of_soc(0)), None, Access())
    assert node_of("g0", of_soc(0), rundir) == made
    assert node_of("g1", replace(of_soc(1), aggregate=False), rundir) == kernel.roots.dev / "gpiochip0"
    with pytest.raises(UnsupportedError, match="link g1: chip soc has no line 99"):
        node_of("g1", replace(of_soc(99), aggregate=False), rundir)


def test_the_longest_name_is_shown_whole() -> None:
    """struct gpio_v2_line_info keeps 31 characters."""
    assert len(consumer("a" * 15)) <= 31
