"""gpiomux.netdev.xdp on real interfaces: what native is and where it ends; no program of others is touched."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.xdp import NATIVE_FRAME_BYTES
from gpiomux.errors import MachineError
from gpiomux.netdev import bpf_objects, syscalls
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import open_tun, set_carrier, set_send_buffer
from gpiomux.netdev.xdp import NO_PROGRAM, describe_program, open_program, xdp_info
from tests.netdev.ends import need

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns


@pytest.fixture(autouse=True)
def may_load_programs() -> None:
    """Whoever may not load programs for marks may not load others."""
    need("bpf-tcx")


ALIGNMENT_BYTES = 64


@contextmanager
def interface(kind: str) -> Iterator[tuple[Rtnl, int]]:
    fd = open_tun("x0", kind, None)
    try:
        with Rtnl(None) as rtnl:
            set_carrier(fd, True)
            rtnl.set_mtu("x0", 9000)
            rtnl.set_up("x0", True)
            yield rtnl, fd
    finally:
        os.close(fd)


@contextmanager
def program(name: str) -> Iterator[int]:
    loaded = open_program(name, None)
    try:
        yield loaded.fd
    finally:
        os.close(loaded.fd)


def dropped() -> int:
    """What the driver has counted; a generic program is run after that."""
    sysfs = syscalls.open_sysfs()
    try:
        fd = os.open("class/net/x0/statistics/rx_dropped", os.O_RDONLY, dir_fd=sysfs)
        with open(fd) as file:
            return int(file.read())
    finally:
        os.close(sysfs)


def runs_native(fd: int, length: int) -> bool:
    """Whether a frame of this length is dropped before it becomes a packet."""
    before = dropped()
    assert os.write(fd, (b"\xff" * 6 + b"\x02" * 6 + b"\x88\xb5").ljust(length, b"\0")) == length
    return dropped() > before


def test_native_is_native_up_to_the_longest_frame() -> None:
    with interface("tap") as (rtnl, fd), program("drop") as drop:
        rtnl.set_xdp("x0", "native", drop)
        assert [runs_native(fd, length) for length in (60, 1514, NATIVE_FRAME_BYTES)] == [True] * 3
        # The driver rounds up to lines of the cache, and some machines align frames by two bytes less.
        assert not runs_native(fd, NATIVE_FRAME_BYTES + ALIGNMENT_BYTES)


def test_generic_is_not_native() -> None:
    with interface("tap") as (rtnl, fd), program("drop") as drop:
        rtnl.set_xdp("x0", "generic", drop)
        assert not runs_native(fd, 60)


def test_a_limited_send_buffer_makes_the_driver_run_it_generically() -> None:
    with interface("tap") as (rtnl, fd), program("drop") as drop:
        rtnl.set_xdp("x0", "native", drop)
        set_send_buffer(fd, 100_000)
        info = rtnl.xdp("x0")
        assert info is not None
        assert info.mode == "native"  # so the kernel says, and that is why nobody may rely on it
        assert not runs_native(fd, 60)


@pytest.mark.parametrize("kind", ["tun", "tun-pi"])
def test_a_tun_has_no_native_mode(kind: str) -> None:
    with interface(kind) as (rtnl, _), program("drop") as drop:
        with pytest.raises(MachineError) as caught:
            rtnl.set_xdp("x0", "native", drop)
        assert caught.value.errno == errno.EOPNOTSUPP
        rtnl.set_xdp("x0", "generic", drop)
        info = rtnl.xdp("x0")
        assert info is not None
        assert info.mode == "generic"


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_only_the_expected_program_is_replaced_or_detached(mode: str) -> None:
    with interface("tap") as (rtnl, _), program("drop") as theirs, program("pass") as ours, program("pass") as other:
        rtnl.set_xdp("x0", mode, theirs)
        for new, old in ((ours, NO_PROGRAM), (ours, other), (NO_PROGRAM, other)):
            with pytest.raises(MachineError) as caught:
                rtnl.set_xdp("x0", mode, new, old)
            assert caught.value.errno in (errno.EBUSY, errno.EEXIST)
        now = rtnl.xdp("x0")
        assert now is not None
        assert now.id == bpf_objects.program_info(theirs).id
        rtnl.set_xdp("x0", mode, ours, theirs)
        rtnl.set_xdp("x0", mode, NO_PROGRAM, ours)
        assert rtnl.xdp("x0") is None
        assert [link.xdp for link in rtnl.links()] == [None] * len(rtnl.links())


def test_a_program_is_described_by_its_number() -> None:
    with program("drop") as fd:
        info = bpf_objects.program_info(fd)
        assert (info.name, len(info.tag)) == ("gpiomux_drop", 16)
        assert describe_program(info.id) == info
    gone = describe_program(info.id + 10_000)
    assert (gone.name, gone.tag) == ("", "")


def test_an_interface_without_a_program() -> None:
    assert xdp_info(b"") is None
