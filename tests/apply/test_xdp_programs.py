"""gpiomux.apply.xdp_programs on real interfaces: ours are told from others; what fails leaves no third state."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply import xdp_programs
from gpiomux.apply.datapaths import Datapaths
from gpiomux.apply.machine import KernelMachine
from gpiomux.apply.observe import observe
from gpiomux.apply.run import run
from gpiomux.apply.xdp_programs import forget, forget_all, record_of, require_objects, require_xdp
from gpiomux.config.load import load_text
from gpiomux.errors import ConflictError, MachineError, UnsupportedError
from gpiomux.netdev.bpf_objects import program_by_id
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.xdp import open_program
from gpiomux.plan.diff import make_plan
from gpiomux.plan.operations import Change, Create
from gpiomux.plan.state import Interface, Xdp
from gpiomux.plan.wanted import wanted_state
from gpiomux.rundir import RunDir
from tests.apply.test_machine import Failing
from tests.netdev.elf_object import elf_object, verdict
from tests.netdev.ends import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.model import Config
    from gpiomux.plan.diff import Plan

pytestmark = pytest.mark.netns

XDP_PASS = 2


def config(xdp: str = "", child: str = "") -> Config:
    """A link with a child, both with a program or without one; the interfaces are wanted, no datapath runs."""
    return load_text(
        "links: [{name: geth0, mode: eth, medium: sim, wire: {name: w, external: true}, protocol: {reader: 1, "
        f"writer: 2}}, {xdp and f'xdp: {xdp}, '}children: [{{name: child1{child and f', xdp: {child}'}}}]}}]",
        "test.yaml",
        "/etc/test.yaml",
    )


class NoDatapaths(Datapaths):
    """None is ever started, so nothing has to be prepared for that."""

    def prepare(self) -> None:
        pass


class Bench:
    """Two interfaces and their programs, without the processes that would run the link."""

    def __init__(self) -> None:
        self.rundir = RunDir(Path("/run/xdp-test"))
        self.datapaths = NoDatapaths(self.rundir)

    def plan(self, wanted: Config) -> Plan:
        observed = observe(self.rundir, self.datapaths, ())
        return make_plan([it for it in wanted_state(wanted) if isinstance(it, Interface | Xdp)], observed)

    def lead(self, wanted: Config) -> list[str]:
        plan = self.plan(wanted)
        with self.machine() as machine:
            run(plan, machine)
        return [it.describe() for it in plan.operations]

    def machine(self) -> KernelMachine:
        return KernelMachine(self.rundir, self.datapaths, observe(self.rundir, self.datapaths, ()))

    def programs(self) -> dict[str, tuple[str, int]]:
        """Interface -> mode and number, as the kernel has them."""
        with Rtnl(None) as rtnl:
            return {it.name: (it.xdp.mode, it.xdp.id) for it in rtnl.links() if it.xdp is not None}

    def ours(self) -> dict[str, Xdp]:
        state = observe(self.rundir, self.datapaths, ()).state
        return {it.interface: it for it in state if isinstance(it, Xdp)}

    def records(self) -> set[str]:
        return set(os.listdir(self.rundir.xdp)) if self.rundir.xdp.exists() else set()


@pytest.fixture
def bench() -> Iterator[Bench]:
    need("bpf-tcx")
    bench = Bench()
    yield bench
    with bench.machine() as machine:
        run(make_plan([], observe(bench.rundir, bench.datapaths, ())), machine)
    assert bench.records() == set()
    if bench.rundir.root.exists():
        bench.rundir.root.rmdir()


def test_what_was_attached_is_observed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "f.o").write_bytes(elf_object(verdict("only", XDP_PASS)))
    wanted = config("{program: %s, name: only}" % (tmp_path / "f.o"), "{program: drop, mode: generic}")
    assert bench.lead(wanted)
    assert bench.lead(wanted) == []
    found = bench.ours()
    assert (found["geth0"].program, found["geth0"].name, found["geth0"].mode) == (f"{tmp_path}/f.o", "only", "native")
    assert (found["child1"].program, found["child1"].name, found["child1"].mode) == ("drop", None, "generic")
    assert {name: (it.mode, it.program_id) for name, it in found.items()} == bench.programs()


def test_whichever_step_fails_the_very_same_programs_are_there(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "f.o").write_bytes(elf_object(verdict("only", XDP_PASS)))
    bench.lead(config(str(tmp_path / "f.o"), "drop"))
    before, records = bench.programs(), bench.records()
    (tmp_path / "f.o").unlink()  # undoing must not need it
    new = config("{program: pass, mode: native}", "{program: pass, mode: generic}")
    plan = bench.plan(new)
    assert len(plan.operations) == 3
    for number in range(3):
        with bench.machine() as machine, pytest.raises(MachineError, match=r"undone|nothing was changed"):
            run(plan, Failing(machine, number))
        assert (bench.programs(), bench.records()) == (before, records)
    assert bench.lead(new)
    assert bench.lead(new) == []


def test_another_program_of_the_same_mode_takes_the_place_in_one_step(bench: Bench) -> None:
    bench.lead(config("pass"))
    (operation,) = bench.plan(config("drop")).operations
    assert isinstance(operation, Change)
    assert operation.describe() == "~ xdp on geth0 (native): pass -> drop"
    before = bench.programs()
    bench.lead(config("drop"))
    assert bench.programs() != before
    assert bench.ours()["geth0"].program == "drop"
    assert bench.records() == {f"geth0.{bench.programs()['geth0'][1]}"}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("old", ["", "pass"])
def test_who_is_killed_at_the_kernels_door_leaves_the_old_or_the_new_program(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, moment: str, old: str
) -> None:
    class KilledError(BaseException):
        pass

    bench.lead(config(old))
    attach = Rtnl.set_xdp

    def killed(self: Rtnl, name: str, mode: str, new_fd: int, old_fd: int = -1) -> None:
        if moment == "after":
            attach(self, name, mode, new_fd, old_fd)
        raise KilledError

    monkeypatch.setattr(Rtnl, "set_xdp", killed)
    with bench.machine() as machine, pytest.raises(KilledError):
        run(bench.plan(config("drop")), machine)
    monkeypatch.undo()
    expected = "drop" if moment == "after" else old
    assert [it.program for it in bench.ours().values()] == ([expected] if expected else [])
    assert len(bench.ours()) == len(bench.programs())
    bench.lead(config("drop"))
    assert bench.ours()["geth0"].program == "drop"
    bench.lead(config("pass"))  # the next change clears away what is left
    assert bench.records() == {f"geth0.{bench.programs()['geth0'][1]}"}


def test_a_program_of_others_is_in_the_way_and_stays(bench: Bench) -> None:
    bench.lead(config())
    theirs = open_program("pass", None)
    try:
        with Rtnl(None) as rtnl:
            rtnl.set_xdp("geth0", "generic", theirs.fd)
        standing = bench.programs()
        with pytest.raises(
            ConflictError, match=r"XDP program gpiomux_pass \(id \d+, tag [0-9a-f]{16}, generic\) on geth0"
        ):
            bench.plan(config("drop"))
        assert bench.lead(config()) == []
        assert bench.programs() == standing
        assert bench.ours() == {}
    finally:
        os.close(theirs.fd)


def test_one_that_was_exchanged_meanwhile_is_not_detached(bench: Bench) -> None:
    bench.lead(config("drop"))
    plan = bench.plan(config())
    theirs = open_program("pass", None)
    try:
        with bench.machine() as machine, Rtnl(None) as rtnl:
            ours = program_by_id(bench.programs()["geth0"][1])
            rtnl.set_xdp("geth0", "native", theirs.fd, ours)
            os.close(ours)
            standing = bench.programs()
            run(plan, machine)
        assert bench.programs() == standing
    finally:
        os.close(theirs.fd)


def test_an_object_that_says_something_else_is_loaded_again(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "f.o"
    path.write_bytes(elf_object(verdict("one", XDP_PASS)))
    bench.lead(config(str(path)))
    path.write_bytes(elf_object(verdict("other", XDP_PASS)))
    assert bench.ours()["geth0"].stale
    assert bench.lead(config(str(path))) == [f"~ xdp on geth0 (native): {path} -> what it says now"]
    assert not bench.ours()["geth0"].stale
    path.unlink()
    assert bench.lead(config(str(path))) == []


def test_an_interface_that_is_made_anew_has_no_records(bench: Bench) -> None:
    bench.lead(config("drop"))
    with Rtnl(None) as rtnl:
        rtnl.delete_link("geth0")
    assert len(bench.records()) == 1
    bench.lead(config())
    assert bench.records() == set()


def test_records_can_be_dropped(bench: Bench) -> None:
    bench.lead(config("drop", "pass"))
    forget(bench.rundir, "geth0")
    assert {name.rpartition(".")[0] for name in bench.records()} == {"child1"}
    assert set(bench.ours()) == {"child1"}
    forget_all(bench.rundir)
    assert not bench.rundir.xdp.exists()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"program": "drop"}', "\0"])
def test_a_damaged_record_is_an_error_that_names_it(bench: Bench, content: str) -> None:
    bench.lead(config("drop"))
    (name,) = bench.records()
    whole = (bench.rundir.xdp / name).read_text()
    (bench.rundir.xdp / name).write_text(content)
    with pytest.raises(MachineError, match=f"xdp/{name} is damaged"):
        record_of(bench.rundir, "geth0", int(name.rpartition(".")[2]))
    (bench.rundir.xdp / name).write_text(whole)


def test_a_process_that_may_load_no_program(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xdp_programs, "chosen_method", lambda: "packet-socket")
    with pytest.raises(UnsupportedError, match="no XDP program can be attached"):
        require_xdp(bench.plan(config("drop")))
    require_xdp(bench.plan(config()))


def test_an_object_that_cannot_be_read_is_told_before_anything_is_done(bench: Bench) -> None:
    plan = bench.plan(config("/nowhere.o"))
    require_xdp(plan)  # says nothing of files
    with pytest.raises(MachineError, match=r"cannot read the XDP program /nowhere\.o: No such file"):
        require_objects(plan)


def test_a_native_program_gives_way_to_a_generic_one(bench: Bench) -> None:
    bench.lead(config("pass"))
    assert bench.lead(config("{program: pass, mode: generic}")) == [
        "- xdp pass on geth0 (native)",
        "+ xdp pass on geth0 (generic)",
    ]
    (create,) = (it for it in bench.plan(replace(config("drop"))).operations if isinstance(it, Create))
    assert isinstance(create.resource, Xdp)
    assert create.resource.why == "its TAP device can"
