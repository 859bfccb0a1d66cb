"""Make an interface, change it while it stands, and bring it to its place: each wholly or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from gpiomux.errors import GpiomuxError, MachineError
from gpiomux.netdev.inside import entered
from gpiomux.netdev.steering import OFF, set_mask
from gpiomux.netdev.tags import tag
from gpiomux.netdev.tuntap import keep_tun, open_tun

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.netdev.rtnl import Rtnl
    from gpiomux.plan.state import Interface

    RtnlOf = Callable[[str | None], Rtnl]
    """Gives a socket in a network namespace."""


def make_interface(wanted: Interface, rtnl: Rtnl, owner: str) -> None:
    """Make an interface that bears our tag.

    Args:
        wanted: what it shall be.
        rtnl: opened in its network namespace.
        owner: `RunDir.owner`.

    Raises:
        GpiomuxError: the kernel refused; nothing was made.
    """
    fd = open_tun(wanted.name, wanted.kind, wanted.netns)
    try:
        # Whoever is killed here leaves no interface, or one that bears our tag and waits for its datapath.
        rtnl.set_alias(wanted.name, tag(wanted.link, owner, name=wanted.name))
        keep_tun(fd)
    finally:
        os.close(fd)
    try:
        rtnl.set_mtu(wanted.name, wanted.mtu)
        if wanted.mac is not None:
            rtnl.set_mac(wanted.name, wanted.mac)
        if wanted.up:
            rtnl.set_up(wanted.name, True)
    except GpiomuxError:
        rtnl.delete_link(wanted.name)
        raise


def change_interface(old: Interface, new: Interface, rtnl_of: RtnlOf) -> None:
    """Bring an interface to its place, then change what is not as it shall be there.

    Raises:
        GpiomuxError: the kernel refused; the interface is as before.
    """
    there = _move(old, new, rtnl_of)
    try:
        _adjust(there, new, rtnl_of)
    except GpiomuxError:
        with suppress(GpiomuxError):  # the first error says what is wrong; whether all is as before, a look tells
            _adjust(new, there, rtnl_of)
            _adjust(_move(there, old, rtnl_of), old, rtnl_of)
        raise


def _move(old: Interface, new: Interface, rtnl_of: RtnlOf) -> Interface:
    """Give an interface the name and the namespace of another; what it is then."""
    if (old.netns, old.device) == (new.netns, new.device):
        return old
    rtnl = rtnl_of(old.netns)
    up = old.up and old.netns == new.netns  # the kernel sets it down when it leaves its namespace
    try:
        rtnl.move(old.device, new.netns, new.device)
    except MachineError as err:
        if err.errno != errno.EBUSY or not up:
            raise
        # Before Linux 6.2 the name of an interface that is up cannot be changed (dev_change_name in net/core/dev.c).
        up = False
        rtnl.set_up(old.device, False)
        try:
            rtnl.move(old.device, new.netns, new.device)
        except MachineError:
            rtnl.set_up(old.device, True)
            raise
    return replace(old, netns=new.netns, renamed=new.renamed, up=up)


def _adjust(old: Interface, new: Interface, rtnl_of: RtnlOf) -> None:
    rtnl = rtnl_of(new.netns)
    if new.mac is not None and new.mac != old.mac:
        rtnl.set_mac(new.device, new.mac)
    if new.mtu != old.mtu:
        rtnl.set_mtu(new.device, new.mtu)
    if new.up != old.up:
        rtnl.set_up(new.device, new.up)
    if new.rps != old.rps:
        _steer(new)


def _steer(interface: Interface) -> None:
    try:
        with entered(interface.netns):
            set_mask(interface.device, interface.rps or OFF)
    except OSError as err:
        message = f"interface {interface.device}: cannot set its rps_cpus: {err.strerror}"
        raise MachineError(message, errno=err.errno or 0) from err
