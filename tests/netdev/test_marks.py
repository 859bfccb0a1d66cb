"""The kernel is asked which way it grants; what is prepared can be prepared again, and nothing stays open."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest

from gpiomux.errors import MachineError, UnsupportedError
from gpiomux.netdev import bpf_objects, clsact, packet_socket, syscalls
from gpiomux.netdev.bpf_assembler import Assembler
from gpiomux.netdev.marks import chosen_method, limits, prepare_port, refusal_of
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import open_tun
from tests.netdev.ends import METHODS, need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.netns


@pytest.fixture
def tun() -> Iterator[int]:
    """The descriptor of `end0`, a TUN device."""
    fd = open_tun("end0", "tun", None)
    yield fd
    os.close(fd)
    with Rtnl(None) as rtnl:
        if any(link.name == "end0" for link in rtnl.links()):
            rtnl.delete_link("end0")


@pytest.fixture(autouse=True)
def ask_anew() -> Iterator[None]:
    """The answer is kept for the life of a process; here it shall concern one test only."""
    chosen_method.cache_clear()
    yield
    chosen_method.cache_clear()


def refusing(number: int) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refuse


def test_the_best_granted_method_is_chosen() -> None:
    granted = [method for method in METHODS if refusal_of(method) is None]
    assert chosen_method() == granted[0]


def test_a_kernel_without_tcx(monkeypatch: pytest.MonkeyPatch) -> None:
    need("bpf-clsact")
    monkeypatch.setattr(bpf_objects, "link_tcx", refusing(errno.EINVAL))
    assert chosen_method() == "bpf-clsact"


def test_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf_objects, "create_memory", refusing(errno.EPERM))
    assert chosen_method() == "packet-socket"


def test_a_kernel_that_grants_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf_objects, "create_memory", refusing(errno.ENOSYS))
    monkeypatch.setattr(packet_socket, "open_unbound", refusing(errno.ENOPROTOOPT))
    with pytest.raises(UnsupportedError) as caught:
        chosen_method()
    assert caught.value.message == (
        "this kernel grants no way to carry netfilter marks (bpf-tcx: Function not implemented; "
        "bpf-clsact: Function not implemented; packet-socket: Protocol not available)"
    )


def test_another_failure_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of memory says nothing about what the kernel grants: no falling back."""
    monkeypatch.setattr(bpf_objects, "create_memory", refusing(errno.ENOMEM))
    with pytest.raises(MachineError, match="cannot ask the kernel for bpf-tcx: Cannot allocate memory") as caught:
        chosen_method()
    assert caught.value.errno == errno.ENOMEM


def test_the_kernel_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = chosen_method()
    monkeypatch.setattr(bpf_objects, "create_memory", refusing(errno.ENOMEM))
    assert chosen_method() == first


def test_limits() -> None:
    assert limits("bpf-tcx") == limits("bpf-clsact") == ""
    assert "mark 0" in limits("packet-socket")
    assert "\n" not in limits("packet-socket")


@pytest.mark.parametrize(("method", "count"), [("bpf-tcx", 4), ("bpf-clsact", 2), ("packet-socket", 2)])
def test_handles(tun: int, method: str, count: int) -> None:
    need(method)
    handles = prepare_port("end0", "tun", None, tun, method=method)
    assert (handles.method, handles.kind, handles.fds[0], len(handles.fds)) == (method, "tun", tun, count)
    assert not any(os.get_inheritable(fd) for fd in handles.fds)
    for fd in handles.fds[1:]:
        os.close(fd)


def test_without_a_method_the_chosen_one_is_taken(tun: int) -> None:
    handles = prepare_port("end0", "tun", None, tun)
    assert handles.method == chosen_method()
    for fd in handles.fds[1:]:
        os.close(fd)


def test_tcx_programs_go_with_their_descriptors(tun: int) -> None:
    need("bpf-tcx")
    for _ in range(3):  # would be refused or add up
        handles = prepare_port("end0", "tun", None, tun, method="bpf-tcx")
        for fd in handles.fds[1:]:
            os.close(fd)
    assert "clsact" not in tc("qdisc")


def test_clsact_programs_are_replaced(tun: int) -> None:
    need("bpf-clsact")
    for _ in range(3):
        handles = prepare_port("end0", "tun", None, tun, method="bpf-clsact")
        os.close(handles.fds[1])
    assert tc("filter", "ingress").count("gpiomux_in direct-action") == 1
    assert tc("filter", "egress").count("gpiomux_out direct-action") == 1


def test_a_filter_of_the_user_stays(tun: int) -> None:
    from pyroute2 import IPRoute  # type: ignore[import-untyped]

    need("bpf-clsact")
    code = Assembler()
    code.finish(-1)
    program = bpf_objects.load_program("users_own", code.assemble())
    index = socket.if_nametoindex("end0")
    with IPRoute() as route:
        route.tc("add", "clsact", index)
        place = {"parent": "ffff:fff2", "prio": 7}
        route.tc("add-filter", "bpf", index, ":1", fd=program, name="users_own", direct_action=True, **place)
    os.close(program)
    for _ in range(2):
        os.close(prepare_port("end0", "tun", None, tun, method="bpf-clsact").fds[1])
    shown = tc("filter", "ingress")
    assert "users_own direct-action" in shown
    assert shown.index("gpiomux_in") < shown.index("users_own")  # ours is asked first


@pytest.mark.parametrize("method", METHODS)
def test_an_interface_that_does_not_exist(tun: int, method: str) -> None:
    need(method)
    with pytest.raises(MachineError, match=rf"interface gone: cannot prepare it for marks \({method}\): ") as caught:
        prepare_port("gone", "tun", None, tun, method=method)
    assert caught.value.errno == errno.ENODEV


@pytest.mark.parametrize("method", METHODS)
def test_a_namespace_that_does_not_exist(tun: int, method: str) -> None:
    with pytest.raises(MachineError, match="network namespace nowhere"):
        prepare_port("end0", "tun", "nowhere", tun, method=method)


@pytest.mark.parametrize("direction", [bpf_objects.INGRESS, bpf_objects.EGRESS])
def test_half_a_preparation_leaves_nothing_open(tun: int, direction: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The `nothing_left` of every test sees to the descriptors."""
    need("bpf-tcx")
    link_tcx = bpf_objects.link_tcx

    def half(program: int, index: int, which: int) -> int:
        if which == direction:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return link_tcx(program, index, which)

    monkeypatch.setattr(bpf_objects, "link_tcx", half)
    with pytest.raises(MachineError) as caught:
        prepare_port("end0", "tun", None, tun, method="bpf-tcx")
    assert caught.value.errno == errno.ENOMEM


def test_a_clsact_that_is_refused_leaves_nothing_open(tun: int, monkeypatch: pytest.MonkeyPatch) -> None:
    need("bpf-clsact")
    monkeypatch.setattr(clsact, "attach", refusing(errno.EOPNOTSUPP))
    with pytest.raises(MachineError) as caught:
        prepare_port("end0", "tun", None, tun, method="bpf-clsact")
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_sysfs_that_is_refused_is_an_error(tun: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it nobody knows whether packets stay on one CPU."""
    need("bpf-tcx")
    monkeypatch.setattr(syscalls, "open_sysfs", refusing(errno.EPERM))
    with pytest.raises(MachineError) as caught:
        prepare_port("end0", "tun", None, tun, method="bpf-tcx")
    assert caught.value.errno == errno.EPERM


def tc(kind: str, *where: str) -> str:
    return subprocess.run(
        ["tc", kind, "show", "dev", "end0", *where], check=True, text=True, capture_output=True
    ).stdout
