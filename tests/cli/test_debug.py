"""gpiomux.cli.debug: levels, what is said of them, and following a link on the terminal."""

from __future__ import annotations

import signal
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import spawn

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon

RECORDS = [
    [8, 1_763_700_000_123_456_789, "packet", "in", "child1", 7, 300, b64encode(b"\x88\xb5" + bytes(98)).decode()],
    [9, 1_763_700_001_000_000_000, "frame", "out", "", "MAAH"],
]
FOLLOWED = {"records": RECORDS, "next": 9, "more": False, "lost": 3, "transport": {"mode": "raw"}, "mtu": 1400}


@pytest.mark.parametrize("level", ["on", "packets", "frames"])
def test_a_level_says_where_the_output_goes(run: Run, daemon: FakeDaemon, level: str) -> None:
    daemon.answers["debug"] = {"level": level}
    status, out, err = run("debug", "geth0", level)
    assert (status, out.startswith(f"geth0: debug output '{level}' goes into the log of gpiomuxd")) == (0, True)
    assert "a restart of the link switches it off" in err
    assert daemon.requests[0].args == {"link": "geth0", "level": level}


def test_without_a_level_it_says_how_it_is(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["debug"] = {"level": "off"}
    assert run("debug", "geth0") == (0, "geth0: debug output is off\n", "")
    assert daemon.requests[0].args["level"] == ""


def test_a_level_that_there_is_not(run: Run, daemon: FakeDaemon) -> None:
    status, _, err = run("debug", "geth0", "lots")
    assert (status, daemon.requests) == (2, [])
    assert "hint: levels are off, on, packets, frames" in err


def test_nothing_can_not_be_followed(run: Run, daemon: FakeDaemon) -> None:
    status, _, err = run("debug", "geth0", "off", "--follow")
    assert (status, daemon.requests) == (2, [])
    assert "--follow shows nothing at level off" in err


@pytest.mark.parametrize(("level", "kinds"), [((), ["packet"]), (("frames",), ["packet", "frame"])])
def test_following_until_it_is_interrupted(daemon: FakeDaemon, level: tuple[str, ...], kinds: list[str]) -> None:
    daemon.answers["record"] = FOLLOWED
    process = spawn("debug", "geth0", *level, "--follow")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert lines == [
        "04:40:00.123456 child1 In  mark 0x7 protocol 0x88b5, length 298\n",
        "04:40:01.000000 wire Out ack 7, length 3\n",
    ]
    assert process.returncode == 0
    assert err.startswith("gpiomux: note: 3 records lost\n")
    assert daemon.requests[0].args["kinds"] == kinds
    assert {request.verb for request in daemon.requests} == {"record"}
