"""Interfaces come to their place and are changed wholly or not at all, on the real kernel."""

from __future__ import annotations

import errno
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpiomux.apply.interfaces import change_interface, make_interface
from gpiomux.errors import MachineError
from gpiomux.netdev import netns
from gpiomux.netdev.rtnl import LinkInfo, Rtnl
from gpiomux.plan.state import Interface

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns

GETH0 = Interface(name="geth0", link="geth0", kind="tap", netns=None, mtu=1400, mac="02:00:00:00:00:01", up=True)
WANDERED = replace(GETH0, netns="other", renamed="foo", mtu=1300, up=False)


class Kernel:
    """Two network namespaces, and what is in them."""

    def __init__(self, here: Rtnl, other: Rtnl) -> None:
        self._sockets = {None: here, "other": other}

    def rtnl(self, name: str | None) -> Rtnl:
        return self._sockets[name]

    def links(self, name: str | None) -> dict[str, LinkInfo]:
        return {link.name: link for link in self._sockets[name].links() if link.name != "lo"}


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """GETH0 stands."""
    with ExitStack() as stack:
        netns.create("other")
        stack.callback(netns.remove, "other")
        kernel = Kernel(stack.enter_context(Rtnl(None)), stack.enter_context(Rtnl("other")))
        make_interface(GETH0, kernel.rtnl(None), "")
        yield kernel
        for name in (None, "other"):
            for link in kernel.links(name):
                kernel.rtnl(name).delete_link(link)


def shape(kernel: Kernel) -> list[tuple[str | None, str, int, str | None, bool, int]]:
    return [
        (name, it.name, it.mtu, it.mac, it.up, it.index)
        for name in (None, "other")
        for it in kernel.links(name).values()
    ]


def test_there_and_back(kernel: Kernel) -> None:
    made = shape(kernel)
    change_interface(GETH0, WANDERED, kernel.rtnl)
    assert kernel.links(None) == {}
    (foo,) = kernel.links("other").values()
    assert (foo.name, foo.mtu, foo.mac, foo.up, foo.alias) == ("foo", 1300, GETH0.mac, False, "gpiomux:geth0")
    change_interface(WANDERED, GETH0, kernel.rtnl)
    assert shape(kernel) == made


def test_a_new_name_in_the_same_namespace(kernel: Kernel) -> None:
    renamed = replace(GETH0, renamed="foo")
    kernel.rtnl(None).move("geth0", None, "foo")
    change_interface(renamed, GETH0, kernel.rtnl)
    assert kernel.links(None)["geth0"].up


def test_a_kernel_that_renames_only_what_is_down(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    move = Rtnl.move

    def old_kernel(rtnl: Rtnl, name: str, there: str | None, new_name: str) -> None:
        if any(link.name == name and link.up for link in rtnl.links()):
            raise MachineError("busy", errno=errno.EBUSY)
        move(rtnl, name, there, new_name)

    monkeypatch.setattr(Rtnl, "move", old_kernel)
    change_interface(GETH0, replace(GETH0, renamed="foo"), kernel.rtnl)
    assert kernel.links(None)["foo"].up
    with pytest.raises(MachineError, match="File exists"):
        change_interface(replace(GETH0, renamed="foo"), replace(GETH0, renamed="lo"), kernel.rtnl)
    assert kernel.links(None)["foo"].up


def test_a_place_that_is_taken(kernel: Kernel) -> None:
    make_interface(replace(GETH0, netns="other", renamed=None), kernel.rtnl("other"), "/run/b")
    before = shape(kernel)
    with pytest.raises(MachineError, match="interface geth0: cannot move it to /run/netns/other as geth0") as caught:
        change_interface(GETH0, replace(GETH0, netns="other"), kernel.rtnl)
    assert caught.value.errno == errno.EEXIST
    assert shape(kernel) == before


@pytest.mark.parametrize("wrong", [{"mtu": 10}, {"mac": "01:00:00:00:00:01", "mtu": 1200}])
def test_settings_that_are_refused_leave_it_where_it_was(kernel: Kernel, wrong: dict[str, object]) -> None:
    before = shape(kernel)
    with pytest.raises(MachineError):
        change_interface(GETH0, replace(WANDERED, **wrong), kernel.rtnl)  # type: ignore[arg-type]
    assert shape(kernel) == before
