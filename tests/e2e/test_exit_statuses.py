"""Each exit status of the table in gpiomux(1) is reached through the real command; the table is read from the page."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.host import GPIOMUX, PATIENCE_S, ROOT, links_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

TWO_LINKS = "configs/two-links.yaml"


def listed() -> set[int]:
    """The statuses that the page lists."""
    _, _, after = (ROOT / "man" / "gpiomux.1").read_text().partition("\n.Sh EXIT STATUS\n")
    return {int(status) for status in re.findall(r"^\.It (\d+)$", after.partition("\n.Sh ")[0], re.MULTILINE)}


def done(host: Host) -> int:
    return host.ask("validate", TWO_LINKS).exit_status


def refused_by_the_kernel(host: Host) -> int:
    text = links_file(near="addresses: [10.10.0.1/24], routes: [{to: 10.21.0.0/16, via: 10.10.0.255}]")
    return host.ask("apply", host.file(text)).exit_status


def wrong_file(host: Host) -> int:
    return host.ask("apply", host.file("links: 7\n")).exit_status


def no_daemon_to_be_had(host: Host) -> int:
    return host.ask("add-child", "geth0", "child1").exit_status


def interrupted(host: Host) -> int:
    pipe = host.directory / "pipe"
    os.mkfifo(pipe)
    process = subprocess.Popen([GPIOMUX, "validate", pipe])
    with pipe.open("w"):  # opened at both ends: it reads
        process.send_signal(signal.SIGINT)
        return process.wait(PATIENCE_S)


def reader_gone(host: Host) -> int:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run([GPIOMUX, "validate", "--json", TWO_LINKS], cwd=ROOT, stdout=writing).returncode
    finally:
        os.close(writing)


WAYS: dict[int, Callable[[Host], int]] = {
    0: done,
    1: refused_by_the_kernel,
    2: wrong_file,
    3: no_daemon_to_be_had,
    130: interrupted,
    141: reader_gone,
}


def test_there_is_a_way_to_each_status_of_the_page() -> None:
    assert listed() == set(WAYS)


@pytest.mark.parametrize("status", WAYS)
def test_each_status_is_reached(host: Host, status: int) -> None:
    assert WAYS[status](host) == status


def test_plan_and_status_diff_say_2_where_something_differs_and_1_for_any_error(host: Host) -> None:
    assert host.ask("plan", TWO_LINKS).exit_status == 2
    assert host.ask("plan", host.file("links: 7\n")).exit_status == 1
    host.gpiomux("apply", TWO_LINKS)
    assert [host.ask(*words).exit_status for words in (("plan", TWO_LINKS), ("status", "--diff"))] == [0, 0]
    host.run("ip", "addr", "del", "10.10.0.1/24", "dev", "geth0")
    assert [host.ask(*words).exit_status for words in (("plan", TWO_LINKS), ("status", "--diff"))] == [2, 2]
    assert host.ask("status", "--diff", "--nonsense").exit_status == 1


@pytest.mark.parametrize(
    ("near", "sysctl", "words"),
    [
        (
            "addresses: [10.10.0.1/24], routes: [{to: 10.21.0.0/16, via: 10.10.0.255}]",
            "",
            "+ route 10.21.0.0/16 via 10.10.0.255 on geth0: interface geth0: cannot add route 10.21.0.0/16 via "
            "10.10.0.255: Invalid argument (Nexthop has invalid gateway)",
        ),
        (
            'addresses: ["fd00:10::1/64"]',
            "net.ipv6.conf.default.disable_ipv6=1",
            "+ address fd00:10::1/64 on geth0: interface geth0: cannot add address fd00:10::1/64: Permission denied",
        ),
    ],
    ids=["route", "address"],
)
def test_what_the_kernel_refuses_is_told_in_its_words_and_undone(
    host: Host, near: str, sysctl: str, words: str
) -> None:
    if sysctl:
        host.run("sysctl", "-qw", sysctl)
    before = host.run("ip", "-brief", "link")
    answer = host.ask("apply", host.file(links_file(near=near)))
    assert answer.exit_status == 1
    assert words in answer.errors
    assert "what was done before is undone" in answer.errors
    assert ("IPv6 is switched off there: sysctl net.ipv6.conf.default.disable_ipv6=0" in answer.errors) is bool(sysctl)
    assert host.run("ip", "-brief", "link") == before
