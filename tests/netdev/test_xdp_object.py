"""gpiomux.netdev.xdp_object: objects with one program, with several, with maps, and what libbpf says of bad ones."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gpiomux.errors import MachineError, UnsupportedError
from gpiomux.netdev import xdp_object
from gpiomux.netdev.bpf_assembler import Assembler, Reg
from gpiomux.netdev.bpf_objects import program_info
from gpiomux.netdev.xdp_object import load_object, read_object
from tests.netdev.elf_object import Program, counting, elf_object, verdict
from tests.netdev.ends import need

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.netdev.bpf_objects import OpenProgram

pytestmark = pytest.mark.netns


@pytest.fixture(autouse=True)
def may_load_programs() -> None:
    """Whoever may not load programs for marks may not load others."""
    need("bpf-tcx")


XDP_DROP, XDP_PASS = 1, 2


def load(path: Path, name: str | None = None) -> tuple[OpenProgram, str]:
    """The loaded program, closed again, and its name."""
    loaded = load_object(str(path), name)
    try:
        return loaded, program_info(loaded.fd).name
    finally:
        os.close(loaded.fd)


def refusal(path: Path, name: str | None = None) -> MachineError:
    with pytest.raises(MachineError) as caught:
        load_object(str(path), name)
    return caught.value


def test_the_only_program_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "one.o").write_bytes(elf_object(verdict("only", XDP_PASS)))
    assert load(tmp_path / "one.o")[1] == "only"


def test_one_of_several_is_chosen_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "two.o").write_bytes(elf_object(verdict("a", XDP_PASS), verdict("b", XDP_DROP, "xdp/b")))
    assert load(tmp_path / "two.o", "b")[1] == "b"
    error = refusal(tmp_path / "two.o")
    assert str(error) == f"{tmp_path}/two.o does not have just one XDP program; it has: a, b"
    assert str(refusal(tmp_path / "two.o", "c")) == f"{tmp_path}/two.o does not have an XDP program c; it has: a, b"


def test_an_object_of_old_iproute2_has_its_program_in_another_section(tmp_path: Path) -> None:
    (tmp_path / "old.o").write_bytes(elf_object(verdict("old", XDP_PASS, "prog")))
    assert load(tmp_path / "old.o")[1] == "old"


def test_an_object_with_a_program_for_something_else(tmp_path: Path) -> None:
    (tmp_path / "tc.o").write_bytes(elf_object(verdict("cls", 0, "tc")))
    assert str(refusal(tmp_path / "tc.o")).endswith("does not have just one XDP program; it has: none")


def test_maps_are_loaded_with_the_program(tmp_path: Path) -> None:
    (tmp_path / "map.o").write_bytes(elf_object(counting("counts", XDP_PASS)))
    assert load(tmp_path / "map.o")[1] == "counts"


def test_the_digest_tells_one_content_from_another(tmp_path: Path) -> None:
    one, other = elf_object(verdict("x", XDP_PASS)), elf_object(verdict("x", XDP_DROP))
    (tmp_path / "x.o").write_bytes(one)
    assert load(tmp_path / "x.o")[0].digest == xdp_object.digest_of(one) != xdp_object.digest_of(other)


def test_what_the_verifier_says_is_in_the_hint(tmp_path: Path) -> None:
    code = Assembler()
    code.load(Reg.R0, Reg.R1, 400, 4)
    code.finish(XDP_PASS)
    (tmp_path / "bad.o").write_bytes(elf_object(Program(name="bad", code=code.assemble())))
    error = refusal(tmp_path / "bad.o")
    assert (error.errno, str(error)) == (errno.EACCES, f"{tmp_path}/bad.o: cannot load bad: Permission denied")
    assert "off=400 size=4" in error.hint


def test_what_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing of the kind")
    error = refusal(tmp_path / "text")
    assert (error.errno, str(error)) == (errno.EINVAL, f"{tmp_path}/text is no BPF object: Invalid argument")
    assert "not a proper ELF object" in error.hint


@pytest.mark.parametrize("cut", range(0, 700, 37))
def test_a_cut_object_is_refused_and_nothing_stays_open(cut: int, tmp_path: Path) -> None:
    whole = elf_object(counting("counts", XDP_PASS))
    assert len(whole) > 700
    (tmp_path / "cut.o").write_bytes(whole[:cut])
    assert refusal(tmp_path / "cut.o").errno


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert str(refusal(tmp_path / "pipe")) == f"cannot read {tmp_path}/pipe: it is no regular file"
    assert refusal(tmp_path).errno == errno.EINVAL
    assert refusal(tmp_path / "nowhere.o").errno == errno.ENOENT


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.o").open("wb") as file:
        file.truncate(xdp_object.LIMIT_BYTES + 1)
    assert refusal(tmp_path / "huge.o").errno == errno.EFBIG


def test_a_machine_without_libbpf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(xdp_object, "LIBRARY", "libbpf.so.0815")
    xdp_object._library.cache_clear()
    try:
        with pytest.raises(UnsupportedError) as caught:
            load_object(str(tmp_path / "any.o"), None)
    finally:
        xdp_object._library.cache_clear()
    assert "libbpf.so.0815" in caught.value.message
    assert "libbpf1" in caught.value.hint


def test_what_is_no_file_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.o")
    opened, open_really = [], os.open

    def noted(path: str, flags: int) -> int:
        opened.append(flags)
        return open_really(path, flags)

    monkeypatch.setattr(os, "open", noted)
    for path in (tmp_path / "pipe.o", "/dev/null", tmp_path):
        with pytest.raises(OSError, match="regular file"):
            read_object(str(path))
    assert len(opened) == 3
    assert all(flags & os.O_PATH for flags in opened), "some devices do something when they are opened"


def test_maps_of_others_are_not_taken_and_none_are_left_behind(tmp_path: Path) -> None:
    (tmp_path / "pinned.o").write_bytes(elf_object(verdict("pins", XDP_PASS), pinned="shared"))
    script = (
        "import os, sys\n"
        "from gpiomux.netdev.xdp_object import load_object\n"
        "os.close(load_object(sys.argv[1], None).fd)\n"
        "print([name for name in os.listdir('/sys/fs/bpf') if name == 'shared'])\n"
    )
    command = ("unshare", "--mount", "sh", "-c", 'mount -t bpf none /sys/fs/bpf && exec "$@"', "sh")
    done = subprocess.run(
        (*command, sys.executable, "-c", script, tmp_path / "pinned.o"), text=True, capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
