"""A process that is killed while it makes something leaves nothing of it, or something that bears our tag.

Killed is a fork of the test, before each line that it runs in `gpiomux.netdev` or the machine, one after the other.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.netdev import netns
from gpiomux.netdev.inside import DIRECTORY
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tags import names_of, tag
from gpiomux.netdev.tuntap import keep_tun, open_tun

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

pytestmark = pytest.mark.netns


def killed_before_each_line(make: Callable[[], None], look: Callable[[], None]) -> int:
    """Look at what is left after each kill; the number of lines until one came through."""
    with Rtnl(None) as rtnl:
        rtnl.set_up("lo", True)  # what is imported for a change, no fork need import
    for line in count(1):
        pid = os.fork()
        if pid == 0:
            sys.settrace(killer(line))
            make()
            sys.settrace(None)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        look()
        if status == 0:
            return line
        assert status == -signal.SIGKILL
    raise AssertionError


def killer(line: int) -> Callable[[FrameType, str, Any], Any]:
    left = line

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if not frame.f_globals.get("__name__", "").startswith("gpiomux."):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def test_an_interface() -> None:
    left = []

    def make() -> None:
        with Rtnl(None) as rtnl:
            fd = open_tun("end0", "tun", None)
            rtnl.set_alias("end0", tag("link"))
            keep_tun(fd)

    def look() -> None:
        with Rtnl(None) as rtnl:
            aliases = {link.name: link.alias for link in rtnl.links() if link.name != "lo"}
            left.append(set(aliases))
            if aliases:
                assert names_of(aliases["end0"]) == ("link", "link")
                rtnl.delete_link("end0")

    assert killed_before_each_line(make, look) > 10
    assert {"end0"} in left[:-1]
    assert set() in left


def test_a_network_namespace() -> None:
    left = []

    def look() -> None:
        # Whoever made it would be in the way of the next one, or be found by its tag.
        left.append(netns.is_ours("far"))
        if not left[-1]:
            netns.create("far")
        netns.remove("far")
        assert not (DIRECTORY / "far").exists()

    assert killed_before_each_line(lambda: netns.create("far"), look) > 10
    assert set(left[:-1]) == {False, True}
    assert left[-1]
