"""What the kernel says to a program it cannot attach; the rest is shown in test_marks.py and test_ports.py."""

from __future__ import annotations

import errno
import json
import os
import subprocess

import pytest

from gpiomux.netdev import clsact, marks
from gpiomux.netdev.tuntap import open_tun
from tests.netdev.ends import need

pytestmark = pytest.mark.netns


def test_an_interface_that_does_not_exist() -> None:
    with pytest.raises(OSError) as caught:
        clsact.attach(0x7FFFFFFF, 0, 0)
    assert caught.value.errno == errno.ENODEV


def filters(way: str) -> list[str]:
    """Priority and kind of each filter of `end0` in one direction, and the name of a program."""
    words = ["tc", "-json", "filter", "show", "dev", "end0", way]
    told = json.loads(subprocess.run(words, check=True, text=True, capture_output=True).stdout)
    names = [(it["pref"], it["kind"], it["options"].get("bpf_name", "")) for it in told if it.get("options")]
    return [f"{priority} {kind} {name.partition(':')[0]}".strip() for priority, kind, name in names]


@pytest.mark.parametrize(("way", "priority", "ours"), [("ingress", 1, "gpiomux_in"), ("egress", 0xC000, "gpiomux_out")])
def test_a_filter_of_somebody_else_stays(way: str, priority: int, ours: str) -> None:
    need(marks.CLSACT)
    fd = open_tun("end0", "tun", None)
    try:
        place = ["dev", "end0", way, "pref", str(priority), "protocol", "all"]
        subprocess.run(["tc", "qdisc", "add", "dev", "end0", "clsact"], check=True)
        subprocess.run(["tc", "filter", "add", *place, "u32", "match", "u32", "0", "0"], check=True)
        theirs = filters(way)
        assert theirs
        for _ in range(2):  # the second time in place of the first
            handles = marks.prepare_port("end0", "tun", None, fd, method=marks.CLSACT)
            for more in handles.fds[1:]:
                os.close(more)
            assert filters(way) == [*theirs, f"{priority + 1} bpf {ours}"]
    finally:
        os.close(fd)
