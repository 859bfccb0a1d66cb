"""Devices are made, kept and attached to, and what cannot be is refused with its reason."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from gpiomux.errors import MachineError
from gpiomux.netdev import netns, tuntap
from gpiomux.netdev.rtnl import LinkInfo, Rtnl
from gpiomux.netdev.tuntap import check_name, keep_tun, open_tun, set_carrier
from tests.netdev.ends import make_tun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("tap", "tun", "tun-pi")


@pytest.fixture
def end0() -> Iterator[None]:
    """Deletes the interface afterwards."""
    yield
    with Rtnl(None) as rtnl:
        rtnl.delete_link("end0")


def seen(name: str = "end0", where: str | None = None) -> LinkInfo | None:
    with Rtnl(where) as rtnl:
        return next((link for link in rtnl.links() if link.name == name), None)


@pytest.mark.netns
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_goes_with_its_descriptor(kind: str) -> None:
    os.close(open_tun("end0", kind, None))
    assert seen() is None


@pytest.mark.netns
@pytest.mark.usefixtures("end0")
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_is_made_and_stays(kind: str) -> None:
    fd = open_tun("end0", kind, None)
    keep_tun(fd)
    made = seen()
    assert made is not None
    assert (made.kind, made.carrier, made.up) == (kind, False, False)
    assert (made.mac is None) == (kind != "tap")
    assert not os.get_blocking(fd)
    assert not os.get_inheritable(fd)
    os.close(fd)
    assert seen() == made


@pytest.mark.netns
@pytest.mark.usefixtures("end0")
@pytest.mark.parametrize("kind", KINDS)
def test_attaching_takes_the_same_device_without_carrier(kind: str) -> None:
    make_tun("end0", kind, None)
    with Rtnl(None) as rtnl:
        rtnl.set_mtu("end0", 1400)
        rtnl.set_up("end0", True)
    before = seen()
    fd = open_tun("end0", kind, None)
    assert seen() == before
    set_carrier(fd, True)
    after = seen()
    assert before is not None
    assert after is not None
    assert (before.carrier, after.carrier) == (False, True)
    os.close(fd)
    assert seen() == before  # nobody attached, no carrier


@pytest.mark.netns
def test_a_device_in_another_namespace() -> None:
    netns.create("far")
    try:
        make_tun("end0", "tun", "far")
        assert seen() is None
        assert seen(where="far") is not None
    finally:
        netns.remove("far")


@pytest.mark.netns
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_that_somebody_holds(kind: str) -> None:
    fd = open_tun("end0", kind, None)
    with pytest.raises(MachineError, match=f"cannot make or attach the {kind} interface end0: .* busy") as caught:
        open_tun("end0", kind, None)
    assert caught.value.errno == errno.EBUSY
    command = caught.value.hint.partition("this finds it: ")[2]
    found = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True).stdout
    assert f"/proc/{os.getpid()}/fdinfo/{fd}" in found.split()
    os.close(fd)


@pytest.mark.netns
@pytest.mark.usefixtures("end0")
@pytest.mark.parametrize(("first", "second"), [("tap", "tun"), ("tun", "tap"), ("tap", "tun-pi")])
def test_a_device_of_another_kind(first: str, second: str) -> None:
    make_tun("end0", first, None)
    with pytest.raises(MachineError, match="Invalid argument") as caught:
        open_tun("end0", second, None)
    assert caught.value.errno == errno.EINVAL
    assert caught.value.hint == "an interface of that name and another kind exists"


@pytest.mark.netns
def test_an_interface_that_is_no_tun_device() -> None:
    with pytest.raises(MachineError) as caught:
        open_tun("lo", "tun", None)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.netns
def test_a_namespace_that_does_not_exist() -> None:
    with pytest.raises(MachineError, match="network namespace nowhere") as caught:
        open_tun("end0", "tun", "nowhere")
    assert caught.value.errno == errno.ENOENT


@pytest.mark.netns
def test_carrier_of_a_device_that_is_gone() -> None:
    fd = open_tun("end0", "tun", None)
    with Rtnl(None) as rtnl:
        rtnl.delete_link("end0")
    with pytest.raises(OSError) as caught:
        set_carrier(fd, True)
    assert caught.value.errno == errno.EBADFD
    with pytest.raises(MachineError, match="cannot make an interface stay") as refused:
        keep_tun(fd)
    assert refused.value.errno == errno.EBADFD
    os.close(fd)


@pytest.mark.netns
def test_a_device_that_cannot_be_made_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    with pytest.raises(MachineError) as caught:
        open_tun("end0", "tun", None)
    assert "CAP_NET_ADMIN" in caught.value.hint


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES])
def test_a_node_that_cannot_be_opened(number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(path: str, _: int) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(tuntap, "DEVICE", str(tmp_path / "tun"))
    if number == errno.EACCES:
        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(MachineError, match=f"cannot open .*tun: {os.strerror(number)}") as caught:
        open_tun("end0", "tun", None)
    assert caught.value.errno == number
    assert ("modprobe tun" if number == errno.ENOENT else "chmod 0666") in caught.value.hint


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "is empty"),
        ("sixteen-letters-", "is longer than 15 bytes"),
        ("ÄÄÄÄÄÄÄÄ", "is longer than 15 bytes"),
        (".", "is a directory"),
        ("..", "is a directory"),
        *[(name, "contains one of") for name in ("a/b", "a:b", "end%d", "a b", "a\nb", "a\0b")],
    ],
)
def test_names_that_the_kernel_would_cut_expand_or_refuse(name: str, problem: str) -> None:
    with pytest.raises(MachineError, match=problem) as caught:
        open_tun(name, "tun", None)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("name", ["a", "geth0", "fifteen-letters", "geth0.7", "_x-y"])
def test_good_names(name: str) -> None:
    check_name(name)
