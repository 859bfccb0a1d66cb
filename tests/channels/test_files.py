"""Tests of `gpiomux.channels.files`: which files are made, which are left alone, and what a crash leaves."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from gpiomux.channels import files
from gpiomux.channels.files import list_channels, make_channel, open_channels, remove_channel
from gpiomux.errors import MachineError
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "run")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "shm").mkdir()
    return tmp_path / "shm" / "a"


def records(rundir: RunDir) -> list[str]:
    return sorted(os.listdir(rundir.channels)) if rundir.channels.exists() else []


def test_a_file_that_is_missing_is_made_and_removed(rundir: RunDir, path: Path) -> None:
    make_channel(rundir, str(path), 1000)
    status = path.stat()
    assert (status.st_size, stat.S_IMODE(status.st_mode)) == (1000, 0o600)
    assert path.read_bytes() == bytes(1000)
    (record,) = list_channels(rundir)
    assert (record.path, record.size_bytes, record.sound) == (str(path), 1000, True)
    remove_channel(rundir, str(path))
    assert not path.exists()
    assert records(rundir) == []


def test_a_file_that_is_there_is_taken_as_it_is_and_left(rundir: RunDir, path: Path) -> None:
    path.write_bytes(bytes(100))
    make_channel(rundir, str(path), 1000)
    assert list_channels(rundir)[0].size_bytes == 100
    remove_channel(rundir, str(path))
    assert path.read_bytes() == bytes(100)
    assert records(rundir) == []


def test_a_file_of_ours_that_another_has_replaced_is_not_removed(rundir: RunDir, path: Path) -> None:
    make_channel(rundir, str(path), 1000)
    path.with_name("other").write_bytes(b"not ours")
    path.with_name("other").rename(path)
    assert [record.sound for record in list_channels(rundir)] == [False]
    remove_channel(rundir, str(path))
    assert path.read_bytes() == b"not ours"
    assert records(rundir) == []


def test_a_file_that_was_removed_shows(rundir: RunDir, path: Path) -> None:
    make_channel(rundir, str(path), 1000)
    path.unlink()
    assert [(record.sound, record.size_bytes) for record in list_channels(rundir)] == [(False, 0)]
    remove_channel(rundir, str(path))
    assert records(rundir) == []


def test_removing_what_is_not_in_use_touches_nothing(rundir: RunDir, path: Path) -> None:
    path.write_bytes(bytes(100))
    remove_channel(rundir, str(path))
    assert path.exists()


@pytest.mark.parametrize("size", [0, 63, 64])
def test_a_file_without_room_is_refused(rundir: RunDir, path: Path, size: int) -> None:
    path.write_bytes(bytes(size))
    with pytest.raises(MachineError, match=f"is {size} bytes long"):
        make_channel(rundir, str(path), 1000)
    assert records(rundir) == []


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_refused(rundir: RunDir, path: Path, kind: str) -> None:
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(MachineError, match="is not a regular file"):
        make_channel(rundir, str(path), 1000)


def test_a_directory_that_is_missing(rundir: RunDir, path: Path) -> None:
    with pytest.raises(MachineError, match=f"cannot use channel {path}/x: No such file or directory"):
        make_channel(rundir, f"{path}/x", 1000)
    assert records(rundir) == []


def test_a_name_that_is_taken_meanwhile_leaves_no_record(
    rundir: RunDir, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_before = files._record

    def slow(rundir: RunDir, name: str, fd: int, *, made: bool) -> Path:
        path.write_bytes(b"faster")
        return record_before(rundir, name, fd, made=made)

    monkeypatch.setattr(files, "_record", slow)
    with pytest.raises(MachineError, match="File exists"):
        make_channel(rundir, str(path), 1000)
    assert path.read_bytes() == b"faster"
    assert records(rundir) == []


def test_a_crash_before_the_file_has_its_name_leaves_a_record_that_can_be_removed(
    rundir: RunDir, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        """Nothing of ours catches it."""

    def killed(*_args: object, **_more: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", killed)
        with pytest.raises(KilledError):
            make_channel(rundir, str(path), 1000)
    assert not path.exists()
    assert [record.sound for record in list_channels(rundir)] == [False]
    remove_channel(rundir, str(path))
    make_channel(rundir, str(path), 1000)
    assert [record.sound for record in list_channels(rundir)] == [True]


def test_the_channels_of_a_link(rundir: RunDir, path: Path) -> None:
    out, into = str(path), str(path.with_name("b"))
    make_channel(rundir, out, 1000)
    make_channel(rundir, into, 1000)
    fds = open_channels(rundir, out, into)
    peer = open_channels(rundir, into, out)
    try:
        os.write(fds[0], b"x")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(fds[1], b"x")
        os.write(fds[2], b"\0")
        assert os.read(peer[3], 10) == b"\0", "what one rings, the other hears"
        with pytest.raises(BlockingIOError):
            os.read(fds[3], 10)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(fds[4], b"x")
        os.write(peer[5], b"taken by the end")
        assert os.read(fds[4], 100) == b"taken by the end", "what the reader tells, the writer sees"
    finally:
        for fd in (*fds, *peer):
            os.close(fd)


def test_a_channel_that_is_not_there_leaves_nothing_open(rundir: RunDir, path: Path) -> None:
    make_channel(rundir, str(path), 1000)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(MachineError, match="cannot open channel"):
        open_channels(rundir, str(path), str(path.with_name("b")))
    assert set(os.listdir("/proc/self/fd")) == before


def test_what_is_no_file_is_not_even_opened(rundir: RunDir, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(path)
    opened, open_really = [], os.open

    def noted(path: str, flags: int) -> int:
        opened.append(flags)
        return open_really(path, flags)

    monkeypatch.setattr(os, "open", noted)
    for use in (lambda: make_channel(rundir, str(path), 1000), lambda: open_channels(rundir, str(path), str(path))):
        with pytest.raises(MachineError, match="is not a regular file"):
            use()
    assert len(opened) == 2
    assert all(flags & os.O_PATH for flags in opened), "some devices do something when they are opened"
