"""The calls that Python lacks reach the kernel, and its errno comes back."""

from __future__ import annotations

import errno
import os
import platform
from typing import TYPE_CHECKING

import pytest

from gpiomux.netdev import syscalls

if TYPE_CHECKING:
    from pathlib import Path


def test_errno_of_each_call(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file, pytest.raises(OSError) as caught:
        syscalls.setns(file.fileno(), syscalls.CLONE_NEWNET)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        syscalls.unshare(0x1)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        syscalls.bpf(0x7FFFFFFF, bytes(8))
    assert caught.value.errno in (errno.EINVAL, errno.EPERM)


@pytest.mark.netns
def test_errno_of_mounts(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        syscalls.mount(str(tmp_path / "missing"), str(tmp_path), syscalls.MS_BIND)
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(OSError) as caught:
        syscalls.unmount(str(tmp_path), syscalls.MNT_DETACH)
    assert caught.value.errno == errno.EINVAL


def test_a_machine_whose_number_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "abacus")
    with pytest.raises(OSError, match="abacus") as caught:
        syscalls.bpf(0, b"")
    assert caught.value.errno == errno.ENOSYS


@pytest.mark.netns
def test_sysfs_shows_the_network_of_the_thread() -> None:
    """/sys is that of the machine; this test's network has `lo` only, and is asked through the new one."""
    try:
        fd = syscalls.open_sysfs()
    except PermissionError:
        pytest.skip("the kernel gives this user no sysfs of its own: parts of /sys are covered")
    try:
        directory = os.open("class/net", os.O_RDONLY, dir_fd=fd)
    finally:
        os.close(fd)
    assert os.listdir(directory) == ["lo"]
    os.close(directory)


def test_a_buffer_keeps_its_bytes() -> None:
    buffer = syscalls.Buffer(b"text\0more")
    assert bytes(buffer) == b"text\0more"
    assert buffer.text() == "text"
    assert buffer.address != 0
