"""The files of a simulated wire: made whole or not at all, shared, and refused if they are not what they should be."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from gpiomux.errors import MachineError, ProtocolError
from gpiomux.lines.wire_file import (
    BLOCK_CELLS,
    EVENT_CAPACITY,
    FIRST_BLOCK,
    LINE_COUNT,
    SIZE_BYTES,
    Cell,
    block_of,
    cross,
    make_wire,
    map_levels,
    open_wire,
    remove_wire,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def refusal(directory: Path, end: str = "a") -> MachineError:
    """What opening says; nothing may stay open."""
    before = open_files()
    with pytest.raises(MachineError) as caught:
        open_wire(directory, end)
    assert open_files() == before
    return caught.value


def test_a_wire_is_three_private_files(wire: Path) -> None:
    assert {path.name for path in wire.iterdir()} == {"levels", "a", "b"}
    assert stat.S_IMODE(wire.stat().st_mode) == 0o700
    assert (wire / "levels").stat().st_size == SIZE_BYTES
    assert all(stat.S_ISFIFO((wire / end).stat().st_mode) for end in "ab")


def test_the_directories_above_are_made(tmp_path: Path) -> None:
    make_wire(tmp_path / "run" / "wires" / "cable0")
    assert [path.name for path in (tmp_path / "run" / "wires").iterdir()] == ["cable0"], "the draft is gone"


def test_a_wire_is_not_made_twice(wire: Path) -> None:
    (wire / "levels").write_bytes(b"in use")
    with pytest.raises(MachineError, match=f"^cannot make {wire}: ") as caught:
        make_wire(wire)
    assert caught.value.errno in (errno.ENOTEMPTY, errno.EEXIST)
    assert (wire / "levels").read_bytes() == b"in use"
    assert [path.name for path in wire.parent.iterdir()] == ["wire"], "the draft is gone"


def test_a_wire_in_a_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "wires").write_text("")
    with pytest.raises(MachineError) as caught:
        make_wire(tmp_path / "wires" / "cable0")
    assert caught.value.errno == errno.ENOTDIR


def test_removing(wire: Path) -> None:
    remove_wire(wire)
    assert not wire.exists()
    with pytest.raises(MachineError, match=r"cannot remove .*: No such file") as caught:
        remove_wire(wire)
    assert caught.value.errno == errno.ENOENT


def test_removing_what_is_no_directory(tmp_path: Path, wire: Path) -> None:
    """Whoever put a link in place of a wire shall not have gpiomux remove what it leads to, and be told why."""
    (tmp_path / "link").symlink_to(wire)
    with pytest.raises(MachineError) as caught:
        remove_wire(tmp_path / "link")
    assert "None" not in caught.value.message
    assert (wire / "levels").exists()


@pytest.mark.parametrize("end", ["a", "b"])
def test_descriptors_of_an_end(wire: Path, end: str) -> None:
    fds = open_wire(wire, end)
    names = [os.readlink(f"/proc/self/fd/{fd}").rpartition("/")[2] for fd in fds]
    assert names == ["levels", end, "ba"["ab".index(end)]]
    assert not any(os.get_inheritable(fd) or os.get_blocking(fd) for fd in fds)
    for fd in fds:
        os.close(fd)


def without(name: str) -> Callable[[Path], None]:
    return lambda wire: (wire / name).unlink()


def replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def spoil(wire: Path) -> None:
        (wire / name).unlink()
        make(wire / name)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "number"),
    [
        (without("levels"), errno.ENOENT),
        (without("a"), errno.ENOENT),
        (without("b"), errno.ENOENT),
        (replaced("a", lambda path: path.write_text("")), errno.EINVAL),
        (replaced("b", lambda path: path.write_text("")), errno.EINVAL),
        (replaced("levels", os.mkfifo), errno.EINVAL),
        (replaced("levels", lambda path: path.mkdir()), errno.EISDIR),
        (replaced("levels", lambda path: path.symlink_to("/dev/zero")), errno.ELOOP),
        (replaced("levels", lambda path: path.symlink_to("a")), errno.ELOOP),
        (replaced("a", lambda path: path.symlink_to("b")), errno.ELOOP),
        (replaced("b", lambda path: path.symlink_to("nowhere")), errno.ELOOP),
    ],
)
@pytest.mark.parametrize("end", ["a", "b"])
def test_a_spoilt_wire_is_refused(wire: Path, spoil: Callable[[Path], None], number: int, end: str) -> None:
    spoil(wire)
    error = refusal(wire, end)
    assert error.errno == number
    assert error.message.startswith(f"simulated wire wire: cannot open {wire}")
    assert error.hint


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nothing").errno == errno.ENOENT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"gpiomuxw",
        bytes(SIZE_BYTES),
        b"wxumoipg" + bytes(SIZE_BYTES - 8),
        b"gpiomuxw" + bytes(SIZE_BYTES - 7),
        b"gpiomuxw" + bytes(SIZE_BYTES - 9),
    ],
)
def test_a_file_of_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "levels"
    path.write_bytes(content)
    with path.open("r+b") as file, pytest.raises(ProtocolError, match="simulated wire: file of levels"):
        map_levels(file.fileno())


def test_a_fresh_wire_is_mapped_and_shared(wire: Path) -> None:
    one, two = open_wire(wire, "a"), open_wire(wire, "b")
    with map_levels(one[0]) as here, map_levels(two[0]) as there:
        assert here[8:] == bytes(SIZE_BYTES - 8)
        here[100] = 7
        assert there[100] == 7
    for fd in (*one, *two):
        os.close(fd)


def test_blocks_and_cells_do_not_overlap() -> None:
    assert block_of("a") == FIRST_BLOCK
    assert block_of("b") == FIRST_BLOCK + BLOCK_CELLS
    assert SIZE_BYTES == 8 * (block_of("b") + BLOCK_CELLS)
    assert Cell.DOUBLING < Cell.LINE_SEQNO <= Cell.EVENTS - LINE_COUNT
    assert EVENT_CAPACITY & EVENT_CAPACITY - 1 == 0


def test_crossing_is_its_own_reverse() -> None:
    for offset in range(LINE_COUNT):
        assert cross(1 << offset) == 1 << (offset + 16) % 32
        assert cross(cross(1 << offset)) == 1 << offset
