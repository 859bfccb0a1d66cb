"""Our namespaces are those of `ip netns`, and foreign ones are left alone."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from gpiomux.errors import ConflictError, MachineError
from gpiomux.netdev import netns
from gpiomux.netdev.inside import DIRECTORY, THREAD_NETNS
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tags import netns_tag

pytestmark = pytest.mark.netns


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, text=True, capture_output=True).stdout


def test_ip_netns_knows_a_namespace_of_ours() -> None:
    home = os.readlink(THREAD_NETNS)
    netns.create("far")
    try:
        assert os.readlink(THREAD_NETNS) == home
        assert ip("netns", "list").split() == ["far"]
        shown = ip("netns", "exec", "far", "ip", "link", "show")
        assert f"alias {netns_tag()}" in shown
        assert shown.count("mtu") == 1  # `lo` and nothing else
    finally:
        netns.remove("far")
    assert ip("netns", "list") == ""
    assert not (DIRECTORY / "far").exists()


def test_ip_netns_removes_a_namespace_of_ours() -> None:
    netns.create("far")
    ip("netns", "del", "far")
    assert netns.names() == []


def test_the_directory_is_shared_among_mount_namespaces() -> None:
    """A copy of the mount elsewhere would keep a namespace alive that was removed here."""
    netns.create("far")
    try:
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        mine = [line for line in mounts if line[4] == str(DIRECTORY)]
        assert len(mine) == 1
        assert any(word.startswith("shared:") for word in mine[0])
    finally:
        netns.remove("far")


def test_names() -> None:
    assert netns.names() == []
    for name in ("b", "a"):
        netns.create(name)
    try:
        assert netns.names() == ["a", "b"]
    finally:
        for name in netns.names():
            netns.remove(name)


def test_a_foreign_namespace_is_not_ours() -> None:
    ip("netns", "add", "foreign")
    try:
        assert netns.names() == ["foreign"]
        assert not netns.is_ours("foreign")
        with pytest.raises(ConflictError, match="foreign was not made by gpiomux"):
            netns.remove("foreign")
        with pytest.raises(ConflictError, match="foreign exists already"):
            netns.create("foreign")
        assert not netns.is_ours("foreign")
    finally:
        ip("netns", "del", "foreign")


def test_a_namespace_is_ours_while_it_is_tagged() -> None:
    netns.create("far")
    try:
        assert netns.is_ours("far")
        with Rtnl("far") as rtnl:
            rtnl.set_alias("lo", "somebody else's")
        assert not netns.is_ours("far")
    finally:
        ip("netns", "del", "far")


def test_what_does_not_exist() -> None:
    assert not netns.is_ours("nowhere")
    with pytest.raises(MachineError, match="cannot remove the network namespace nowhere") as caught:
        netns.remove("nowhere")
    assert caught.value.errno == errno.ENOENT


def test_a_plain_file_is_no_namespace_of_ours() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    (DIRECTORY / "file").touch()
    try:
        assert not netns.is_ours("file")
        with pytest.raises(ConflictError):
            netns.create("file")
        with pytest.raises(ConflictError):
            netns.remove("file")
    finally:
        (DIRECTORY / "file").unlink()


def test_a_failed_creation_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MachineError("refused", errno=errno.EPERM)

    monkeypatch.setattr(Rtnl, "set_alias", refuse)
    with pytest.raises(MachineError, match="refused"):
        netns.create("far")
    assert netns.names() == []
